import { describe, expect, it, onTestFinished } from 'vitest'
import { createRuntime, defineRuntime, defineSpecialist, defineTenant, defineTool, openStore } from '../../ts/index.ts'
import { says, script } from '../loop/models.ts'
import { engines, freshUrl } from '../support/stores.ts'
import { startWorker } from '../support/workers.ts'

describe.each(engines)('runs of workers on %s', (engine) => {
  it('a terminated worker leaves its run interrupted, and another thread resumes it', async () => {
    const url = await freshUrl(engine)
    const store = await openStore(url)
    onTestFinished(() => store.close())
    const stay = defineTool({ name: 'stay', description: 'x', effects: 'read', input: { type: 'object' } })
    const agent = defineSpecialist({ name: 'one', model: 'test/m', prompt: 'x', tools: [stay] })
    const runtime = await createRuntime(defineRuntime({ tenant: defineTenant('acme', 'v1'), agents: [agent] }), {
      store,
      models: { test: script(says('Back.')) },
      tools: { stay: () => 'stayed' },
    })
    const { worker, said, heard } = startWorker('worker/asking', { url })
    await said('asked')
    const runId = heard[0] as string
    expect(await runtime.runs.get(runId)).toMatchObject({ status: 'running' })
    // Whoever follows from here sees how it goes on, whoever is at work at it.
    const followed: string[] = []
    const following = (async () => {
      for await (const { type } of runtime.runs.follow(runId)) followed.push(type)
    })()
    await worker.terminate()
    await expect.poll(async () => (await runtime.runs.get(runId)).status).toBe('interrupted')
    expect(await runtime.runs.resume(runId).result()).toMatchObject({ status: 'completed', text: 'Back.' })
    await following
    expect(followed.at(-1)).toBe('run.completed')
  })
})

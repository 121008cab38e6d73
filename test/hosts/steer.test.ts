import { expect, it } from 'vitest'
import { createHost, defineRuntime, defineSpecialist, defineTool, type Model } from '../../ts/index.ts'
import { calls, gate, sayingModel, says } from '../loop/models.ts'
import { failureOf } from '../support/failures.ts'
import { engines, openFresh } from '../support/stores.ts'
import { acme } from '../unit/support.ts'

const pay = defineTool({ name: 'pay', description: 'Pays', input: { type: 'object' }, approval: 'always' })
const clerk = defineSpecialist({ name: 'clerk', model: 'test/m', prompt: 'Help.', tools: [pay] })
const spec = defineRuntime({ tenant: acme, agents: [clerk] })

/** Pays when it is told to, and is done with everything else. */
const willing = sayingModel(({ messages }) => {
  const last = messages.at(-1)
  return last?.role === 'user' && JSON.stringify(last.parts).includes('Pay') ? calls(['pay', {}]) : says('Done.')
})

it.each(engines)('a drain gives up the suspended run that a prompt was handed to, on %s', async (engine) => {
  const store = await openFresh(engine)
  const asked = gate()
  const hanging: Model = {
    async *stream(request) {
      if (JSON.stringify(request.messages.at(-1)).includes('When?')) {
        asked.open()
        await new Promise(() => {})
      }
      yield* willing.stream(request)
    },
  }
  const options = { store, tools: { pay: () => 1 } }
  const first = await createHost(spec, { ...options, models: { test: hanging } })
  const runtime = await first.runtime('acme')
  const { runId } = await runtime.query({ threadId: 'support', prompt: 'Pay' }).result()
  const more = runtime.query({ threadId: 'support', prompt: 'When?', whenBusy: 'steer' })
  const refused = failureOf(() => more.result())
  await asked.opened
  await first.drain({ deadlineMs: 1 })
  expect(await refused).toMatchObject({ code: 'CLOSED' })
  await first.close()

  const second = await createHost(spec, { ...options, models: { test: willing } })
  await second.start()
  const kinds: string[] = []
  for await (const { type } of (await second.runtime('acme')).runs.follow(runId)) {
    kinds.push(type)
    if (kinds.filter((kind) => kind === 'run.suspended').length === 2) break
  }
  expect(kinds.filter((kind) => kind === 'prompt.received')).toHaveLength(1)
  expect(kinds.lastIndexOf('model.completed')).toBeGreaterThan(kinds.indexOf('prompt.received'))
  await second.close()
})

import { deepStrictEqual, strictEqual } from 'node:assert/strict'
import { appendFileSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import {
  createRuntime,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  defineTool,
  type ModelEvent,
  type Runtime,
} from 'bailiwick'
import { scriptedModel } from 'bailiwick/testing'
import * as z from 'zod'
import { linesUntilKilled } from './killing.ts'
import { tick } from './terminal.ts'

const PARTS = 3
const FINISHED_BEFORE_THE_KILL = 2
const CHILD = '--run-child'

const publish = defineTool({
  name: 'publish',
  description: 'Publishes a part of a report',
  effects: 'write',
  onInterrupted: 'retry',
  input: z.object({ part: z.number() }),
})
const clerk = defineSpecialist({ name: 'clerk', model: 'scripted/clerk', prompt: 'Publish.', tools: [publish] })
const spec = defineRuntime({ tenant: defineTenant('publisher', 'v1'), agents: [clerk] })

/** Kills a process during a run, resumes the run in this one, and checks which calls were repeated. */
export async function checkResume(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'bailiwick-resume-'))
  try {
    const [url, world] = [`sled:${join(directory, 'store')}`, join(directory, 'published')]
    await linesUntilKilled([CHILD, url, world], FINISHED_BEFORE_THE_KILL)
    const runtime = await open(url, world)
    const [run] = (await runtime.runs.list({ status: 'interrupted' })).items
    if (run === undefined) throw new Error('The run of the killed process is not there.')
    const result = await runtime.runs.resume(run.runId).result()
    strictEqual(result.status, 'completed')
    strictEqual((await runtime.approvals.verify()).ok, true)
    await runtime.close()
    const published = (await readFile(world, 'utf8')).trim().split('\n')
    const finished = published.filter((line) => Number(line.split(' ')[0]) < FINISHED_BEFORE_THE_KILL)
    strictEqual(finished.length, FINISHED_BEFORE_THE_KILL)
    // A call that was in progress may have been made twice: then with the same idempotency key.
    deepStrictEqual(new Set(published).size, PARTS)
    tick(
      `a process was killed with SIGKILL in the middle of a run; this process resumed it, and repeated none of its ${finished.length} finished tool calls`,
    )
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Returns the child's parameters if this process is such a child. */
export function runChildArguments(): [url: string, world: string] | undefined {
  const [, , flag, url, world] = process.argv
  return flag === CHILD && url !== undefined && world !== undefined ? [url, world] : undefined
}

/** Prints each call whose result is durable, and delays the next call, so that there is time for a kill. */
export async function runChild(url: string, world: string): Promise<void> {
  const runtime = await open(url, world)
  for await (const event of runtime.query('Publish the report')) {
    if (event.type === 'tool.completed') process.stdout.write(`${event.callId}\n`)
  }
}

function open(url: string, world: string): Promise<Runtime> {
  const model = scriptedModel(({ messages }): ModelEvent[] => {
    const part = messages.filter(({ role }) => role === 'tool').length
    const usage = { inputTokens: 0, outputTokens: 0 }
    if (part === PARTS) {
      return [
        { type: 'text.delta', id: 'text', delta: 'Published.' },
        { type: 'finish', reason: 'stop', usage },
      ]
    }
    return [
      { type: 'tool.call', callId: `part-${part}`, tool: 'publish', input: JSON.stringify({ part }) },
      { type: 'finish', reason: 'tool-calls', usage },
    ]
  })
  return createRuntime(spec, {
    store: url,
    models: { scripted: model },
    tools: {
      publish: async ({ part }, { idempotencyKey }) => {
        // Longer than the kill after the previous part takes.
        if (part === FINISHED_BEFORE_THE_KILL) await new Promise((done) => setTimeout(done, 200))
        appendFileSync(world, `${part} ${idempotencyKey}\n`)
        return 'published'
      },
    },
  })
}

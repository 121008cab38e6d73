import { strictEqual } from 'node:assert/strict'
import { appendFileSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import {
  createHost,
  defineQuestion,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  defineTool,
  type Host,
  type ModelEvent,
  type Runtime,
  waitFor,
} from 'bailiwick'
import { scriptedModel } from 'bailiwick/testing'
import * as z from 'zod'
import { linesUntilKilled } from './killing.ts'
import { step, tick } from './terminal.ts'

const CHILD = '--host-child'
const TIMER_MS = 1500
/** Lines of the child: one for each of its three runs. */
const LINES = 3

const ask = defineQuestion({ name: 'ask', description: 'Asks the customer', answer: z.string().min(1) })
const remind = defineTool({ name: 'remind', description: 'Reminds the customer later', input: z.object({}) })
const charge = defineTool({
  name: 'charge',
  description: 'Charges the customer',
  effects: 'write',
  onInterrupted: 'retry',
  input: z.object({}),
})
const clerk = defineSpecialist({
  name: 'clerk',
  model: 'scripted/clerk',
  prompt: 'Serve.',
  tools: [ask, remind, charge],
})
const spec = defineRuntime({ tenant: defineTenant('template', 'v1'), agents: [clerk] })

/**
 * A process asks a question, sets a timer and begins to charge, each for another tenant, and is killed. The host of this process goes on
 * with all three runs; nothing here resumes one.
 */
export async function checkUnattended(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'bailiwick-unattended-'))
  try {
    const [url, world] = [`sled:${join(directory, 'store')}`, join(directory, 'charges')]
    const runIds = await linesUntilKilled([CHILD, url, world], LINES)
    step('  a process asked a question, set a timer and began to charge, and was killed with SIGKILL\n')
    const [asked = '', timed = '', charging = ''] = runIds
    const host = await openHost(url, world, async () => 'charged')
    const acme = await host.runtime('acme')
    const globex = await host.runtime('globex')
    const initech = await host.runtime('initech')
    const [question] = (await acme.waits.list({ runId: asked, kind: 'answer' })).items
    if (question === undefined) throw new Error('The question of the killed process is not there.')
    await acme.waits.settle(question.waitId, { value: 'by post' }, { actor: 'kim' })
    await host.start()

    strictEqual(await endOf(acme, asked), 'Done: by post')
    tick(`the question of a killed process (“${question.question}”) was answered here, and its run went on by itself`)

    strictEqual(await endOf(initech, charging), 'Done: charged')
    const keys = (await readFile(world, 'utf8')).trim().split('\n')
    strictEqual(keys.length, 2)
    strictEqual(new Set(keys).size, 1)
    tick(
      'a charge that the kill cut off was made again by itself, with the same idempotency key, by which a bank knows it',
    )

    strictEqual(await endOf(globex, timed), 'Done: reminded')
    const [timer] = (await globex.waits.list({ runId: timed })).items
    const waitedMs = Date.now() - (timer?.createdAt ?? Number.NaN)
    strictEqual(waitedMs >= TIMER_MS, true)
    tick(
      `a timer that a killed process had set (${TIMER_MS} ms) rang after ${waitedMs} ms, and its run went on by itself`,
    )

    await host.drain()
    strictEqual(host.stats().refused, 0)
    await host.close()
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Returns the child's parameters if this process is such a child. */
export function hostChildArguments(): [url: string, world: string] | undefined {
  const [, , flag, url, world] = process.argv
  return flag === CHILD && url !== undefined && world !== undefined ? [url, world] : undefined
}

/** Begins three runs, and prints the id of each once what it waits for is durable. */
export async function runHostChild(url: string, world: string): Promise<void> {
  const host = await openHost(url, world, async (runId) => {
    process.stdout.write(`${runId}\n`)
    // Longer than the kill takes.
    return await new Promise<string>((done) => setTimeout(done, 60_000, 'late'))
  })
  for (const [tenant, prompt] of [
    ['acme', 'ask'],
    ['globex', 'remind'],
  ] as const) {
    const { runId, status } = await (await host.runtime(tenant)).query(prompt).result()
    strictEqual(status, 'suspended')
    process.stdout.write(`${runId}\n`)
  }
  await (await host.runtime('initech')).query('charge').result()
}

async function openHost(url: string, world: string, charging: (runId: string) => Promise<string>): Promise<Host> {
  return await createHost(spec, {
    store: url,
    models: { scripted: scriptedModel(answer) },
    tools: {
      remind: (_, { resumed }) => (resumed === undefined ? waitFor.time({ afterMs: TIMER_MS }) : 'reminded'),
      charge: async (_, { runId, idempotencyKey }) => {
        appendFileSync(world, `${idempotencyKey}\n`)
        return await charging(runId)
      },
    },
  })
}

/** A model that calls the tool that the prompt names, and then says what that returned. */
function answer({ messages }: { readonly messages: readonly { readonly parts: readonly object[] }[] }): ModelEvent[] {
  const part = messages.at(-1)?.parts.at(-1) as { readonly text?: string; readonly result?: unknown }
  const usage = { inputTokens: 0, outputTokens: 0 }
  if (part.result !== undefined) {
    return [
      { type: 'text.delta', id: 'text', delta: `Done: ${part.result}` },
      { type: 'finish', reason: 'stop', usage },
    ]
  }
  const input = part.text === 'ask' ? { question: 'Where shall the receipt go?' } : {}
  return [
    { type: 'tool.call', callId: 'call', tool: part.text ?? '', input: JSON.stringify(input) },
    { type: 'finish', reason: 'tool-calls', usage },
  ]
}

/** Follows a run to its end, and returns its answer. */
async function endOf({ runs }: Runtime, runId: string): Promise<string> {
  for await (const event of runs.follow(runId)) {
    if (event.type === 'run.completed') return event.text
    if (event.type === 'run.failed') throw new Error(`The run failed: ${event.error.message}`)
  }
  throw new Error('The run did not complete.')
}

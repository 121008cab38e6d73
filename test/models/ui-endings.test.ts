import { readUIMessageStream, type UIMessage } from 'ai'
import { expect, it } from 'vitest'
import { toUIMessageStream, toUIMessages } from '../../ts/ai-sdk/index.ts'
import {
  createRuntime,
  defineRuntime,
  defineSpecialist,
  defineTool,
  type ModelEvent,
  type Run,
} from '../../ts/index.ts'
import { scriptedModel } from '../../ts/testing/index.ts'
import { openFresh } from '../support/stores.ts'
import { acme } from '../unit/support.ts'

const usage = { inputTokens: 1, outputTokens: 1 }
const says = (delta: string): ModelEvent => ({ type: 'text.delta', id: 't', delta })
const calls = (...names: string[]): ModelEvent[] =>
  names.map((tool, at) => ({ type: 'tool.call', callId: `call-${at}`, tool, input: '{}' }))
const ends = (reason: 'stop' | 'pause' | 'tool-calls'): ModelEvent => ({ type: 'finish', reason, usage })

const wait = defineTool({ name: 'wait', description: 'Waits', input: { type: 'object' }, effects: 'read' })
const look = defineTool({ name: 'look', description: 'Looks', input: { type: 'object' }, effects: 'read' })
const agent = defineSpecialist({ name: 'front', model: 'test/any', prompt: 'x', tools: [wait, look] })

/** A runtime whose model says this, answer by answer. `waiting`: is called when the tool `wait` is, which then never ends. */
async function open(answers: ModelEvent[][], waiting: () => void = () => {}) {
  return await createRuntime(defineRuntime({ tenant: acme, agents: [agent] }), {
    store: await openFresh('memory'),
    models: { test: scriptedModel(answers) },
    tools: {
      look: () => 'seen',
      wait: (_, { signal }) => {
        waiting()
        return new Promise((resolve) => signal.addEventListener('abort', () => resolve('too late')))
      },
    },
  })
}

async function live(run: Run): Promise<UIMessage['parts']> {
  let last: UIMessage | undefined
  for await (const message of readUIMessageStream({ stream: toUIMessageStream(run) as never })) last = message
  return plain(last)
}

async function reloaded(runtime: Awaited<ReturnType<typeof open>>, run: Run): Promise<UIMessage['parts']> {
  const { items } = await runtime.threads.messages(run.threadId as string)
  return plain(toUIMessages(items).at(-1) as UIMessage | undefined)
}

function plain(message: UIMessage | undefined): UIMessage['parts'] {
  return JSON.parse(
    JSON.stringify(message?.parts ?? [], (key, value) =>
      ['id', 'providerMetadata', 'state'].includes(key) && value !== 'output-error' ? undefined : value,
    ),
  )
}

const said = (parts: UIMessage['parts']) => parts.flatMap((part) => (part.type === 'text' ? [part.text] : []))

it.each([
  [
    'once',
    [
      [says('a'), ends('pause')],
      [says('b'), ends('stop')],
    ],
    ['a', 'b'],
  ],
  [
    'twice',
    [
      [says('a'), ends('pause')],
      [says('b'), ends('pause')],
      [says('c'), ends('stop')],
    ],
    ['a', 'b', 'c'],
  ],
  ['and says nothing then', [[says('a'), ends('pause')], [ends('stop')]], ['a']],
  [
    'and calls then',
    [
      [says('a'), ends('pause')],
      [says('b'), ...calls('look'), ends('tool-calls')],
      [says('c'), ends('stop')],
    ],
    ['a', 'b', 'c'],
  ],
] as const)('a model that pauses %s is shown each thing once, live and reloaded', async (_, answers, texts) => {
  const runtime = await open(answers as never)
  const run = runtime.query('Go')
  const shown = await live(run)
  expect(said(shown)).toEqual(texts)
  expect(said(await reloaded(runtime, run))).toEqual(texts)
})

it('a call that a run never saw the end of is shown as failed, live and reloaded', async () => {
  let run: Run | undefined
  const runtime = await open([[says('Wait.'), ...calls('wait'), ends('tool-calls')]], () => run?.cancel())
  run = runtime.query('Go')
  const shown = await live(run)
  expect(shown).toContainEqual(
    expect.objectContaining({ type: 'tool-wait', state: 'output-error', errorText: 'An error occurred.' }),
  )
  expect(shown).toEqual(await reloaded(runtime, run))
})

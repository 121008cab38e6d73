import { toUIMessages } from 'bailiwick/ai-sdk'
import { expect, it } from 'vitest'
import {
  createRuntime,
  defineQuestion,
  defineReference,
  defineRuntime,
  defineSpecialist,
  defineTool,
  type Runtime,
  waitFor,
} from '../../ts/index.ts'
import { calls, says, script } from '../loop/models.ts'
import { openFresh } from '../support/stores.ts'
import { acme } from '../unit/support.ts'
import { Page, reloadable } from './ui-support.ts'

const input = { type: 'object' } as const
const result = defineReference({ name: 'rows', description: 'Rows', schema: { type: 'array' } })
const send = defineTool({ name: 'send', description: 'x', input, result, approval: 'always', whileWaiting: 'continue' })
const bring = defineTool({ name: 'bring', description: 'x', input, whileWaiting: 'continue' })
const again = defineTool({ name: 'again', description: 'x', input, effects: 'read' })
const ask = defineQuestion({ name: 'ask', description: 'x', answer: { type: 'string' }, whileWaiting: 'continue' })
const clerk = defineSpecialist({ name: 'clerk', model: 'test/m', prompt: 'Help.', tools: [send, again, ask, bring] })

it.each([
  ['approve', 'output-available'],
  ['reject', 'output-error'],
] as const)(
  'a run that goes on with calls of another is a message of its own, live and reloaded, after %s',
  async (decision, state) => {
    const runtime = (await createRuntime(defineRuntime({ tenant: acme, agents: [clerk] }), {
      store: await openFresh('memory'),
      models: {
        test: script(
          calls(['send', {}], ['ask', { question: 'Where?' }], ['bring', {}]),
          says('I have asked.'),
          calls(['again', {}]),
          says('It is decided.'),
          says('And answered.'),
          calls(['again', {}]),
          says('And brought.'),
        ),
      },
      tools: {
        send: () => Array.from({ length: 500 }, (_, at) => `row ${at}`),
        again: () => 'looked',
        bring: (_, { resumed }) => (resumed === undefined ? waitFor.event({ name: 'bring' }) : 'brought'),
      },
    })) as unknown as Runtime
    const first = await runtime.query({ threadId: 'chat', prompt: 'Go' }).result()
    const [approval] = (await runtime.approvals.pending()).items
    await runtime.approvals.respond(approval?.approvalId ?? '', { decision, actor: 'kim' })
    const second = await runtime.runs.resume(first.runId).result()
    const waits = (await runtime.waits.list()).items
    const settle = async (kind: string) => {
      const wait = waits.find((one) => one.kind === kind)
      await runtime.waits.settle(wait?.waitId ?? '', { value: 'Home' })
      return await runtime.runs.resume(first.runId).result()
    }
    const [third, fourth] = [await settle('answer'), await settle('event')]
    expect(new Set([first, second, third, fourth].map(({ runId }) => runId)).size).toBe(4)

    const { items } = await runtime.threads.messages('chat')
    const messages = toUIMessages(items)
    expect(messages.slice(1).map(({ id }) => id)).toEqual([first.runId, second.runId, third.runId, fourth.runId])
    const called = messages.map(({ parts }) =>
      parts.flatMap((part) => ('toolCallId' in part ? `${part.type} ${part.state}` : [])),
    )
    expect(called).toEqual([
      [],
      [`tool-send ${state}`, 'tool-ask output-available', 'tool-bring output-available'],
      ['tool-again output-available'],
      [],
      ['tool-again output-available'],
    ])

    // A page that shows a run last is sent that run again: nothing of it changes.
    for (const until of [3, 4, 5]) {
      const page = Page.of(runtime, 'chat', messages.slice(0, until))
      expect(await page.reconnect()).toBe(true)
      expect(page.messages.map(reloadable)).toEqual(
        messages.slice(0, until).map((message) => reloadable(message as never)),
      )
    }
  },
)

import { readUIMessageStream, type UIMessage } from 'ai'
import { toUIMessageStream, toUIMessages } from 'bailiwick/ai-sdk'
import { expect, it } from 'vitest'
import {
  createRuntime,
  defineRuntime,
  defineSpecialist,
  defineTool,
  type Run,
  type RunEvent,
  type Runtime,
} from '../../ts/index.ts'
import { calls, says, script } from '../loop/models.ts'
import { engines, openFresh } from '../support/stores.ts'
import { acme } from '../unit/support.ts'

const send = defineTool({ name: 'send', description: 'Sends', input: { type: 'object' }, approval: 'always' })
const clerk = defineSpecialist({ name: 'clerk', model: 'test/m', prompt: 'Help.', tools: [send] })

/** The events of a request; if its prompt is handed to another run, those of the answer there. */
async function* answerTo(runtime: Runtime, request: Run<unknown>): AsyncGenerator<RunEvent> {
  for await (const event of request) {
    if (event.type !== 'run.steered') {
      yield event
      continue
    }
    let isReceived = false
    for await (const next of runtime.runs.follow(event.into)) {
      isReceived ||= next.type === 'prompt.received' && next.from === request.runId
      if (isReceived) yield next
      if (isReceived && next.type === 'run.suspended') return
    }
    return
  }
}

/** What the `ai` package makes of events in the end. */
async function shown(events: AsyncIterable<RunEvent>): Promise<UIMessage | undefined> {
  let last: UIMessage | undefined
  for await (const state of readUIMessageStream({ stream: toUIMessageStream(events) })) last = structuredClone(state)
  return last
}

it.each(engines)(
  'a prompt that was handed to a run is shown, and its answer has the id of the request, live and reloaded, on %s',
  async (engine) => {
    const runtime = await createRuntime(defineRuntime({ tenant: acme, agents: [clerk] }), {
      store: await openFresh(engine),
      models: { test: script(calls(['send', {}]), says('Soon.'), says('Yes, soon.')) },
      tools: { send: () => 'sent' },
    })
    const messages = async () => (await runtime.threads.messages('support')).items
    await runtime.query({ threadId: 'support', prompt: 'Go' }).result()
    for (const prompt of ['When?', 'Really?']) {
      const request = runtime.query({ threadId: 'support', prompt, actor: 'kim', whenBusy: 'steer' })
      const live = await shown(answerTo(runtime as unknown as Runtime, request))
      const named = { runId: request.runId, actor: 'kim' }
      expect((await messages()).findLast(({ role }) => role === 'user')).toMatchObject(named)
      const [asked, answer] = toUIMessages(await messages()).slice(-2)
      expect(asked).toMatchObject({ role: 'user', parts: [{ type: 'text', text: prompt }] })
      expect(answer?.id).toBe(request.runId)
      expect(live).toMatchObject({ id: answer?.id, role: 'assistant', parts: answer?.parts })
    }
    const ids = toUIMessages(await messages()).map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
  },
)

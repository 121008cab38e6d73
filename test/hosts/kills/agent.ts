// The agent of the processes that a test kills: its model does what prompts say, and its tools write down each effect.
import { setTimeout } from 'node:timers/promises'
import {
  defineQuestion,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  defineTool,
  type JsonObject,
  type Model,
  type ModelEvent,
  type Part,
  type ToolContext,
  type ToolHandler,
  waitFor,
} from 'bailiwick'
import { type Call, calledWith, jobIn, subjectOf, type ToolName } from './scenarios.ts'
import type { World } from './world.ts'

const input = { type: 'object', properties: { subject: { type: 'string' } }, required: ['subject'] } as const
const answer = { type: 'string' } as const
const retried = { description: 'x', input, onInterrupted: 'retry' } as const
const later = { whileWaiting: 'continue' } as const

const tools = [
  defineTool({ name: 'look', description: 'x', input, effects: 'read' }),
  defineTool({ ...retried, name: 'book' }),
  defineTool({ name: 'mail', description: 'x', input, onInterrupted: 'fail' }),
  defineTool({ name: 'pay', description: 'x', input }),
  defineTool({ ...retried, name: 'flaky', retry: { attempts: 4, backoffMs: 4, maxBackoffMs: 8 } }),
  defineTool({ ...retried, name: 'send', approval: 'always' }),
  defineTool({ ...retried, name: 'sendLater', approval: 'always', ...later }),
  defineQuestion({ name: 'ask', description: 'x', answer }),
  defineQuestion({ name: 'askLater', description: 'x', answer, ...later }),
  defineTool({ ...retried, name: 'deliver' }),
  defineTool({ ...retried, name: 'deliverLater', ...later }),
  defineTool({ name: 'sleep', description: 'x', input, effects: 'read' }),
  defineTool({ ...retried, name: 'sleepLater', ...later }),
  defineTool({ ...retried, name: 'handover', approval: 'always' }),
]
const clerk = defineSpecialist({ name: 'clerk', model: 'test/m', prompt: 'x', tools })
export const topology = defineRuntime({ tenant: defineTenant('any', 'v1'), agents: [clerk] })

/** A moment, so that a process is killed within a call, too. */
export const moment = (most: number) => setTimeout(Math.random() * most)

/** The last words of a model that was told the results of these calls. */
export function lastWords(callIds: Iterable<string>): string {
  return `Knows ${[...callIds].sort().join(' ')}`
}

const late = /^\[The call "([^"]+)" of the tool \w+, which waited, /

/** What a model sees of a conversation. */
class Seen {
  readonly turns: Call[][] = []
  readonly made = new Set<string>()
  readonly known = new Set<string>()

  user(part: Part): void {
    if (part.type !== 'text') return
    const [, callId] = late.exec(part.text) ?? []
    if (callId !== undefined) this.known.add(callId)
    else this.turns.push(...jobIn(part.text).turns)
  }

  other(part: Part): void {
    if (part.type === 'tool-call') this.made.add(part.callId)
    if (part.type === 'tool-result' && part.state !== 'waiting') this.known.add(part.callId)
  }
}

/** Makes the calls of the prompts in turn, and then says which results it was told. */
export function modelOf(world: World): Model {
  const told = new Set<string>()
  return {
    async *stream({ messages }) {
      console.log('model')
      const seen = new Seen()
      for (const { role, parts } of messages) {
        for (const part of parts) role === 'user' ? seen.user(part) : seen.other(part)
      }
      for (const callId of seen.known) {
        if (!told.has(callId)) world.append({ type: 'told', callId })
        told.add(callId)
      }
      await moment(6)
      const turn = seen.turns.find((calls) => calls.some(({ callId }) => !seen.made.has(callId)))
      const calls = (turn ?? []).map((call): ModelEvent => {
        const given = call.tool.startsWith('ask') ? { question: subjectOf(call) } : { subject: subjectOf(call) }
        return { type: 'tool.call', callId: call.callId, tool: call.tool, input: JSON.stringify(given) }
      })
      if (calls.length === 0) yield { type: 'text.delta', id: '0', delta: lastWords(seen.known) }
      yield* calls
      await moment(3)
      const usage = { inputTokens: 1, outputTokens: 1 }
      yield { type: 'finish', reason: calls.length === 0 ? 'stop' : 'tool-calls', usage }
    },
  }
}

type Handler = ToolHandler<JsonObject, string>

/** Handlers that write down each call before anything else happens. */
export function handlersOf(world: World, process: string) {
  const attempts = new Map<string, number>()

  async function note(tool: ToolName, { runId, callId, idempotencyKey, resumed }: ToolContext): Promise<void> {
    const turn = resumed?.turn ?? 0
    const ended = resumed && { kind: resumed.kind, value: resumed.value, error: resumed.error, actor: resumed.actor }
    const how = ended === undefined ? {} : { resumed: JSON.stringify(ended) }
    world.appendDurably({ type: 'called', tool, callId, runId, idempotencyKey, turn, process, ...how })
    console.log(tool)
    await moment(12)
  }

  /** Is done at once. */
  const does =
    (tool: ToolName): Handler =>
    async (_, context) => {
      await note(tool, context)
      return `${tool} ${context.callId}`
    }
  const flaky: Handler = async (_, context) => {
    const attempt = (attempts.get(context.idempotencyKey) ?? 0) + 1
    attempts.set(context.idempotencyKey, attempt)
    if (attempt < 3) throw Object.assign(new Error('Not now.'), { retryable: true })
    return await does('flaky')(_, context)
  }
  const delivers =
    (tool: ToolName): Handler =>
    async (given, context) => {
      const subject = String(given['subject'])
      await note(tool, context)
      const { resumed } = context
      const ttl = calledWith(subject).fate === 'expire' ? { ttlMs: 150 } : {}
      if (resumed === undefined) return waitFor.event({ name: subject, ...ttl })
      if (resumed.kind === 'expired') return 'expired'
      return resumed.error === undefined ? (resumed.value as string) : resumed.error.code
    }
  const sleeps =
    (tool: ToolName): Handler =>
    async (_, context) => {
      await note(tool, context)
      if (context.resumed === undefined) return waitFor.time({ afterMs: Math.floor(Math.random() * 250) })
      return `${tool} ${context.callId}`
    }
  /** Waits twice: for an event, then for a time. */
  const handover: Handler = async (given, context) => {
    await note('handover', context)
    const { resumed, callId } = context
    if (resumed === undefined) return waitFor.event({ name: String(given['subject']) })
    return resumed.turn === 1 ? waitFor.time({ afterMs: 30 }) : `handover ${callId}`
  }

  return {
    look: does('look'),
    book: does('book'),
    mail: does('mail'),
    pay: does('pay'),
    flaky,
    send: does('send'),
    sendLater: does('sendLater'),
    deliver: delivers('deliver'),
    deliverLater: delivers('deliverLater'),
    sleep: sleeps('sleep'),
    sleepLater: sleeps('sleepLater'),
    handover,
  }
}

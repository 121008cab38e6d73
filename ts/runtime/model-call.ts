import { setImmediate as nextTurn } from 'node:timers/promises'
import { Reply } from '../native/bridge.ts'
import type { Message, Model, ModelEvent, ModelRequest, ModelSettings } from '../spec/callbacks.ts'
import type { JsonSchema } from '../spec/schema.ts'
import { CallFailure } from './failures.ts'
import type { Resolved } from './types.ts'

/** What the core asks of a model. */
export interface ModelAsked {
  readonly agent: string
  readonly model: string
  /** Which of the run's agents at work asks. */
  readonly frame: number
  /** How many of its messages came before. */
  readonly from: number
  readonly messages: readonly Message[]
  /** With the agent's first request. */
  readonly introduction?: Introduction
}

interface Introduction {
  readonly system: string
  readonly tools: readonly { readonly name: string; readonly description: string; readonly inputSchema: JsonSchema }[]
  readonly outputSchema?: JsonSchema
  readonly settings?: ModelSettings
}

/** What was sent already, so that a step sends only what is new and costs the same however long a run is. */
export class ModelMemory {
  readonly #introductions = new Map<string, Introduction>()
  readonly #messages = new Map<number, Message[]>()

  /** The whole request. */
  request(
    asked: ModelAsked,
    signal: AbortSignal,
    resolve: (id: string) => Promise<Resolved>,
  ): { readonly provider: string; readonly request: ModelRequest } {
    const { agent, model, frame, from, messages } = asked
    if (asked.introduction !== undefined) this.#introductions.set(agent, asked.introduction)
    const { system, tools, outputSchema, settings } = this.#introductions.get(agent) as Introduction
    const known = this.#messages.get(frame)?.slice(0, from) ?? []
    known.push(...messages)
    this.#messages.set(frame, known)
    const slash = model.indexOf('/')
    const request: ModelRequest = {
      modelId: model.slice(slash + 1),
      system,
      messages: known.slice(),
      tools,
      ...(outputSchema === undefined ? {} : { outputSchema }),
      ...(settings === undefined ? {} : { settings }),
      signal,
      resolve,
    }
    return { provider: model.slice(0, slash), request }
  }
}

/** What an event costs besides its text, in units of its text. The core counts the same. */
const EVENT_COST = 64
/** So much of an answer is kept back at most, for one piece. */
const MOST_WAITING = 64 << 10
/** The most that a model can say in one answer, as the core counts it: most is what surrounds the text. */
const MOST_SAID = 64 << 20

type Send = (kind: typeof Reply.piece | typeof Reply.value, text: string) => void

/**
 * Asks a model and sends what it answers, several events at once where they come at once. `hear` is told each.
 *
 * @throws what the model throws, and a retryable error if its answer has no `finish`
 */
export async function askModel(
  model: Model,
  request: ModelRequest,
  send: Send,
  hear: (event: unknown) => void,
): Promise<void> {
  let waiting: string[] = []
  let size = 0
  let total = 0
  let flushing: NodeJS.Immediate | undefined
  const { signal } = request
  const flush = (kind: typeof Reply.piece | typeof Reply.value = Reply.piece) => {
    flushing = undefined
    if (waiting.length === 0 || signal.aborted) return
    const text = `[${waiting.join(',')}]`
    waiting = []
    size = 0
    send(kind, text)
  }
  try {
    for await (const event of model.stream(request)) {
      if (signal.aborted) return
      const said = plain(event)
      // Written one by one: that finds what JSON cannot hold where somebody can be told.
      const text = JSON.stringify(said) ?? 'null'
      size += text.length + EVENT_COST
      total += text.length + EVENT_COST
      if (total > MOST_SAID) throw new CallFailure('MODEL_FAILED', 'The model said more than an answer can hold.')
      waiting.push(text)
      hear(said)
      if (isFinish(event)) {
        flush(Reply.value)
        return
      }
      if (size < MOST_WAITING) {
        flushing ??= setImmediate(flush, Reply.piece)
        continue
      }
      clearImmediate(flushing)
      flush()
      // A model that has everything at hand would never let anything else run, nor hear that enough was said.
      await nextTurn()
    }
  } finally {
    if (flushing !== undefined) clearImmediate(flushing)
    // What was said before a failure counts: no other model is asked then.
    flush()
  }
  throw Object.assign(new Error("The model's answer ended without a finish."), { retryable: true })
}

function isFinish(event: ModelEvent): boolean {
  return (event as ModelEvent | null)?.type === 'finish'
}

/** The event as the core reads it. What is wrong in it is found there; text that is not Unicode is mended here. */
function plain(event: ModelEvent): unknown {
  const { type } = (event ?? {}) as { type?: unknown }
  if (type === 'text.delta' || type === 'reasoning.delta') {
    const { id, delta, metadata } = event as Extract<ModelEvent, { type: 'text.delta' | 'reasoning.delta' }>
    return { type, id, delta: typeof delta === 'string' ? delta.toWellFormed() : delta, metadata }
  }
  if (type === 'tool.call') {
    const { callId, tool, input, metadata } = event as Extract<ModelEvent, { type: 'tool.call' }>
    return { type, callId, tool, input: typeof input === 'string' ? input.toWellFormed() : input, metadata }
  }
  return event
}

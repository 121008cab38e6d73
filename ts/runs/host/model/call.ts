import { clearImmediate, setImmediate } from 'node:timers'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Reply } from '../../../native/bridge.ts'
import { Conversation } from '../../../prompt/index.ts'
import type { Model, ModelEvent, ModelRequest, ModelSettings } from '../../../types/callbacks.ts'
import type { JsonSchema } from '../../../types/json.ts'
import type { Resolved } from '../../../types/references.ts'
import type { Message } from '../../../types/threads.ts'
import { CallFailure } from '../failures.ts'
import { foundIn, type Heard, ModelEvents } from './events.ts'

export interface ModelCallback {
  readonly agent: string
  readonly model: string
  /** Number of the agent's frame in the run. */
  readonly frame: number
  /** Number of its messages sent before. */
  readonly from: number
  readonly messages: readonly Message[]
  /** With the agent's first request. */
  readonly config?: AgentConfig
  /** With the config: what the system prompt of this run ends with. */
  readonly instructions?: string
}

interface AgentConfig {
  readonly system: string
  readonly tools: readonly { readonly name: string; readonly description: string; readonly inputSchema: JsonSchema }[]
  readonly outputSchema?: JsonSchema
  readonly settings?: ModelSettings
}

/** Messages sent already, so that a step transfers only new ones and its cost does not grow with the run. */
export class ModelMemory {
  readonly #configs = new Map<string, AgentConfig>()
  readonly #frames = new Map<number, Frame>()

  request(
    callback: ModelCallback,
    signal: AbortSignal,
    resolve: (id: string) => Promise<Resolved>,
  ): { readonly provider: string; readonly request: ModelRequest } {
    const { agent, model, frame, from, messages, config, instructions } = callback
    if (config !== undefined) {
      const system = [config.system, instructions].filter((text) => text !== undefined && text !== '').join('\n\n')
      this.#configs.set(agent, { ...config, system })
    }
    const { system, tools, outputSchema, settings } = this.#configs.get(agent) as AgentConfig
    const conversation = this.#conversation(frame, from, messages)
    const slash = model.indexOf('/')
    const request: ModelRequest = {
      modelId: model.slice(slash + 1),
      system,
      messages: conversation.messages(),
      tools,
      ...(outputSchema === undefined ? {} : { outputSchema }),
      ...(settings === undefined ? {} : { settings }),
      signal,
      resolve,
    }
    return { provider: model.slice(0, slash), request }
  }

  /** Returns the conversation of an agent in a form that models accept: the journal keeps messages as they were. */
  #conversation(frame: number, from: number, messages: readonly Message[]): Conversation {
    let known = this.#frames.get(frame)
    if (known?.messages.length !== from) {
      // A step that is taken again begins from an earlier message.
      known = { messages: [], conversation: new Conversation() }
      const before = this.#frames.get(frame)?.messages.slice(0, from) ?? []
      for (const message of before) add(known, message)
      this.#frames.set(frame, known)
    }
    for (const message of messages) add(known, message)
    return known.conversation
  }
}

/** Messages sent to an agent's model. */
interface Frame {
  readonly messages: Message[]
  readonly conversation: Conversation
}

function add({ messages, conversation }: Frame, message: Message): void {
  messages.push(message)
  conversation.add(message)
}

/** Cost of an event besides its text, in UTF-16 units. As EVENT_COST in crates/runtime/src/runs/steps/model/collected.rs. */
const EVENT_COST = 64
/** Most bytes of an answer held back for one piece. */
const MOST_WAITING = 64 << 10
/** The most that a model can say in one answer, in UTF-16 units of JSON. The core has limits of its own on what is in it. */
const MOST_SAID = 64 << 20

type Send = (kind: typeof Reply.piece | typeof Reply.value, text: string) => void

/** Receiver of a model's answer. */
export interface Listener {
  readonly send: Send
  /** Receives each event. */
  readonly hear: (event: Heard) => void
  /** Whether the answer is still awaited. */
  readonly isOpen: () => boolean
}

/**
 * Asks a model and sends what it answers, several events at once where they come at once.
 *
 * @throws what the model throws, and a retryable error if its answer has no `finish`
 */
export async function askModel(model: Model, request: ModelRequest, { send, hear, isOpen }: Listener): Promise<void> {
  let waiting: string[] = []
  let size = 0
  let total = 0
  let flushing: NodeJS.Immediate | undefined
  const flush = (kind: typeof Reply.piece | typeof Reply.value = Reply.piece) => {
    if (flushing !== undefined) clearImmediate(flushing)
    flushing = undefined
    if (waiting.length === 0 || !isOpen()) return
    const text = `[${waiting.join(',')}]`
    waiting = []
    size = 0
    send(kind, text)
  }
  const flushLater = () => {
    try {
      flush()
    } catch {
      // The environment has ended: the answer is no longer awaited.
    }
  }
  const events = iteratorOf(model, request)
  const taken = new ModelEvents()
  // Whether the model is still producing, and must be told to stop.
  let goesOn = false
  try {
    for (;;) {
      goesOn = false
      const { done, value } = stepOf(await events.next())
      if (done === true) break
      const event = await value
      goesOn = true
      if (!isOpen()) return
      // Written one by one, so that an event that JSON cannot hold is reported with its number.
      const { text, heard } = taken.take(event)
      size += text.length + EVENT_COST
      total += text.length + EVENT_COST
      if (total > MOST_SAID) throw tooMuch()
      waiting.push(text)
      hear(heard)
      if (heard.type === 'finish') {
        flush(Reply.value)
        return
      }
      if (size < MOST_WAITING) {
        flushing ??= setImmediate(flushLater)
        continue
      }
      flush()
      // A model that has everything at hand would never let anything else run, nor hear that enough was said.
      await nextTurn()
    }
  } finally {
    // Events before a failure count: no other model is tried then.
    flush()
    if (goesOn) leave(events)
  }
  throw Object.assign(new Error("The model's answer ended without a finish."), { retryable: true })
}

/** As `for await` does it, which would wait for the model's `return`. */
function iteratorOf(model: Model, request: ModelRequest) {
  if (typeof model?.stream !== 'function') {
    throw wrong(`it must be an object with a function stream(request); stream is ${foundIn(model?.stream)}.`)
  }
  const events: (AsyncIterable<ModelEvent> & Partial<Iterable<ModelEvent>>) | undefined = model.stream(request)
  const begin: (() => AsyncIterator<ModelEvent> | Iterator<ModelEvent>) | undefined =
    events?.[Symbol.asyncIterator] ?? events?.[Symbol.iterator]
  if (typeof begin !== 'function') {
    throw wrong(
      `stream gave ${foundIn(events)}, nothing that can be iterated. Write it as async *stream(request), or return an ` +
        'async iterable of events at once.',
    )
  }
  const iterator = begin.call(events)
  if (typeof iterator?.next !== 'function') throw wrong('the iterator of its stream has no function next().')
  return iterator
}

function stepOf(step: unknown): IteratorResult<unknown> {
  if (typeof step === 'object' && step !== null) return step as IteratorResult<unknown>
  throw wrong(`next() of its stream gave ${foundIn(step)}; it must give an object with done and value.`)
}

/** Ends a model's iterator without waiting for it. */
function leave(events: AsyncIterator<ModelEvent> | Iterator<ModelEvent>): void {
  const going = async () => await events.return?.()
  going().catch(() => {})
}

function wrong(what: string): CallFailure {
  return new CallFailure('MODEL_FAILED', `The model is wrong: ${what}`)
}

function tooMuch(): CallFailure {
  const told = `The model said more than an answer can hold: its events have more than ${MOST_SAID} UTF-16 units (64 MiB), `
  return new CallFailure('MODEL_FAILED', `${told}where each counts ${EVENT_COST} besides its own.`)
}

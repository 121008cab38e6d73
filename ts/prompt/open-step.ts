import type { Message, Part } from '../types/threads.ts'
import { noResult } from './stand-ins.ts'

type Call = Extract<Part, { type: 'tool-call' }>
type Result = Extract<Part, { type: 'tool-result' }>

/** The calls of one message, until all of them have their results. */
export class OpenStep {
  readonly source: Message
  readonly #calls: readonly Call[]
  readonly #results: (Result | undefined)[]
  /** Calls that wait for results, by id: a model may use one id for several calls of an answer. */
  readonly #waiting = new Map<string, number[]>()
  #open: number
  /** The first message with a result. */
  #answeredBy: Message | undefined

  /** @param asked the ids under which the results of the calls come */
  constructor(source: Message, calls: readonly Call[], asked: readonly string[]) {
    this.source = source
    this.#calls = calls
    this.#results = calls.map(() => undefined)
    this.#open = calls.length
    for (const [index, id] of asked.entries()) {
      const waiting = this.#waiting.get(id)
      if (waiting === undefined) this.#waiting.set(id, [index])
      else waiting.push(index)
    }
  }

  get isAnswered(): boolean {
    return this.#open === 0
  }

  /** Takes a result of one of the calls; false for another one. */
  answer(result: Result, message: Message): boolean {
    const index = this.#waiting.get(result.callId)?.shift()
    const call = index === undefined ? undefined : this.#calls[index]
    if (index === undefined || call === undefined) return false
    this.#results[index] = result.callId === call.callId ? result : { ...result, callId: call.callId }
    this.#open -= 1
    this.#answeredBy ??= message
    return true
  }

  /** The one tool message with the results of all calls, in their order. */
  closed(): Message {
    const parts = this.#calls.map(({ callId }, index) => this.#results[index] ?? noResult(callId))
    const { source } = this
    const by = this.#answeredBy
    if (by?.role === 'tool') {
      const isUnchanged = by.parts.length === parts.length && by.parts.every((part, index) => part === parts[index])
      return isUnchanged ? by : { ...by, parts }
    }
    const { messageId, createdAt, runId } = source
    return {
      messageId: `${messageId}-results`,
      role: 'tool',
      parts,
      createdAt,
      ...(runId === undefined ? {} : { runId }),
    }
  }
}

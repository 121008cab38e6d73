// What happened outside of the store, in a file that every process appends to: each effect of a tool, and what senders, settlers and
// models have seen. A line is written with one call, so that lines of several processes do not mix. It begins with a line break: a process may
// be killed in the middle of the one before, which has not happened then.
import { closeSync, fdatasyncSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import type { ToolName } from './scenarios.ts'

/** A handler was called: the effect of a tool. */
export interface CalledLine {
  readonly type: 'called'
  readonly tool: ToolName
  readonly callId: string
  readonly runId: string
  readonly idempotencyKey: string
  /** 0, or how many of its waits had ended. */
  readonly turn: number
  /** How the last of them ended. */
  readonly resumed?: string
  readonly process: string
}

/** A request is durable. */
interface SentLine {
  readonly type: 'sent'
  readonly key: string
  readonly runId: string
  readonly isAgain: boolean
}

export type Line =
  | CalledLine
  | { readonly type: 'started' | 'finished'; readonly tenant: string; readonly number: number }
  | SentLine
  /** A model was told the result of a call. */
  | { readonly type: 'told'; readonly callId: string }
  /** `outcome`: JSON. `isAgain`: the wait had been settled with the same before. */
  | {
      readonly type: 'settled'
      readonly waitId: string
      readonly callId: string
      readonly outcome: string
      readonly isAgain: boolean
    }
  /** Another outcome was refused. */
  | { readonly type: 'refused'; readonly waitId: string }
  | { readonly type: 'decided'; readonly approvalId: string; readonly callId: string }

/** Returns the line of a text. A line that was cut off is none. */
function lineOf(text: string): Line | undefined {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export class World {
  readonly #file: number
  #offset = 0
  #rest = ''
  readonly lines: Line[] = []
  readonly #started = new Map<string, Set<number>>()
  readonly #next = new Map<string, number>()
  readonly sent = new Map<string, string>()
  readonly sentAgain = new Set<string>()
  readonly called = new Set<string>()
  /** The outcomes of waits, JSON. */
  readonly settled = new Map<string, string>()

  constructor(path: string) {
    this.#file = openSync(path, 'a+')
  }

  append(line: Line): void {
    writeSync(this.#file, `\n${JSON.stringify(line)}\n`)
  }

  /** Appends a line that outlives the machine. */
  appendDurably(line: Line): void {
    this.append(line)
    fdatasyncSync(this.#file)
  }

  /** Reads what was appended since, by any process. */
  refresh(): void {
    const buffer = Buffer.alloc(fstatSync(this.#file).size - this.#offset)
    this.#offset += readSync(this.#file, buffer, 0, buffer.length, this.#offset)
    const texts = (this.#rest + buffer.toString('latin1')).split('\n')
    this.#rest = texts.pop() ?? ''
    for (const text of texts) {
      const line = lineOf(text)
      if (line !== undefined) this.#take(line)
    }
  }

  #take(line: Line): void {
    this.lines.push(line)
    if (line.type === 'started') {
      this.#numbers(line.tenant).add(line.number)
      this.#next.set(line.tenant, Math.max(this.next(line.tenant), line.number + 1))
    } else if (line.type === 'finished') this.#numbers(line.tenant).delete(line.number)
    else if (line.type === 'sent') this.#takeSent(line)
    else if (line.type === 'called') this.called.add(line.callId)
    else if (line.type === 'settled' && !this.settled.has(line.waitId)) this.settled.set(line.waitId, line.outcome)
  }

  #takeSent({ key, runId, isAgain }: SentLine): void {
    this.sent.set(key, runId)
    if (isAgain) this.sentAgain.add(key)
  }

  #numbers(tenant: string): Set<number> {
    const numbers = this.#started.get(tenant) ?? new Set()
    this.#started.set(tenant, numbers)
    return numbers
  }

  /** The scenarios of a tenant that were started and are not finished. */
  open(tenant: string): readonly number[] {
    return [...this.#numbers(tenant)]
  }

  /** The number of the next scenario of a tenant. */
  next(tenant: string): number {
    return this.#next.get(tenant) ?? 0
  }

  close(): void {
    closeSync(this.#file)
  }
}

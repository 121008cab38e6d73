import type { Answer } from '../../models/provider-server.ts'

/** What a model says in one answer. */
export interface Said {
  readonly reasoning?: string
  readonly text?: string
  readonly calls?: readonly { readonly id: string; readonly name: string; readonly input: object }[]
}

/** How a provider's service speaks, as it documents it. */
export interface Wire {
  /** A whole answer. It counts 10 tokens of input and 5 of output. */
  readonly answer: (said: Said) => Answer
  /** An answer that begins with a text and fails then. */
  readonly failing: (text: string) => Answer
  /** What the service would refuse in a request. */
  // biome-ignore lint/suspicious/noExplicitAny: the wire formats are what the tests look at
  readonly problemsOf: (body: any) => string[]
}

/** What every reasoning is signed with. */
export const signature = 'c2lnbmVk'

/** An answer whose connection is cut after what has been sent. */
export function cut(answer: Answer): Answer {
  const { body } = answer
  return { ...answer, body: body.slice(0, Math.floor(body.length / 2)), ends: 'cut' }
}

/** Server-sent events without names. */
export function dataEvents(events: readonly (object | string)[]): string {
  return events.map((event) => `data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`).join('')
}

/** Server-sent events that are named by their data's type. */
export function namedEvents(events: readonly { readonly type: string; readonly [key: string]: unknown }[]): string {
  return events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('')
}

/** What calls must keep with every provider: ids of their own in a form, names, arguments that are an object. */
export class CallRules {
  readonly problems: string[] = []
  readonly #form: RegExp
  readonly #seen = new Set<string>()

  constructor(form: RegExp) {
    this.#form = form
  }

  call(id: unknown, name: unknown, input: unknown): void {
    if (typeof id !== 'string' || !this.#form.test(id)) this.problems.push(`the id ${JSON.stringify(id)}`)
    if (this.#seen.has(String(id))) this.problems.push(`the id ${JSON.stringify(id)} again`)
    this.#seen.add(String(id))
    if (typeof name !== 'string' || !/^[a-zA-Z0-9_-]{1,64}$/.test(name))
      this.problems.push(`the name ${JSON.stringify(name)}`)
    const value = typeof input === 'string' ? parse(input) : input
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      this.problems.push(`the input ${JSON.stringify(input)}`)
  }

  /** Compares the ids of calls with those of the results right after them. */
  answered(calls: readonly string[], results: readonly string[]): void {
    if (calls.join() !== results.join()) this.problems.push(`the calls ${calls} have the results ${results}`)
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

import { type Checks, option, readOptions } from '../arguments/options.ts'
import { wordOf } from '../common/shown-values.ts'
import { InvalidInputError } from '../errors/index.ts'
import { Issues } from '../spec/checks/issues.ts'
import { type Schema, type SchemaInput, toJsonSchema } from '../spec/schema/schema.ts'
import type { OpenCall, WaitKind } from '../types/waits.ts'

/** Makes what a tool's handler returns instead of a result. */
export interface WaitFor {
  /**
   * Waits for a person's answer.
   *
   * @param options `question`: at most 16 KiB · `schema`: of the answer, checked when the wait is settled · `choices`: 1 to 100 texts · `to`:
   *   who is asked · `ttlMs`: milliseconds until it expires, 7 days by default, at most 29
   */
  answer<S extends Schema>(options: {
    readonly question: string
    readonly schema?: S
    readonly choices?: readonly (SchemaInput<S, string> & string)[] | readonly string[]
    readonly to?: string
    readonly ttlMs?: number
  }): OpenCall
  /** Waits for something outside: a webhook, another service, a long job. */
  event(options: { readonly name: string; readonly schema?: Schema; readonly ttlMs?: number }): OpenCall
  /** Waits for a moment, in epoch milliseconds or from now; at most 29 days. Nobody settles it. */
  time(options: { readonly until: number } | { readonly afterMs: number }): OpenCall
}

/** Marks what `waitFor` makes. Shared between copies of the package. */
const openCall: unique symbol = Symbol.for('bailiwick.openCall')

type AnswerOptions = Parameters<WaitFor['answer']>[0]
type EventOptions = Parameters<WaitFor['event']>[0]
type TimeOptions = { readonly until?: number; readonly afterMs?: number }

const answerChecks: Checks<AnswerOptions> = {
  question: option.text,
  schema: option.any,
  choices: option.any,
  to: option.text,
  ttlMs: wholeMs,
}
const eventChecks: Checks<EventOptions> = { name: option.text, schema: option.any, ttlMs: wholeMs }
const timeChecks: Checks<TimeOptions> = { until: wholeMs, afterMs: wholeMs }

/**
 * Makes what a tool's handler returns to leave its call open, durably and without holding the process, until a person answers,
 * an event comes or a time does. Then the handler is called again, with `context.resumed`.
 *
 * @example
 * ```ts
 * const refund = async ({ order }, { resumed }) => {
 *   if (resumed === undefined) return waitFor.answer({ question: `Refund order ${order}?`, choices: ['Yes', 'No'] })
 *   return resumed.value === 'Yes' ? await pay(order) : 'Not refunded.'
 * }
 * ```
 */
export const waitFor: WaitFor = Object.freeze({
  answer: (options) => {
    const { schema, ...given } = readOptions(options, answerChecks)
    return opened('answer', given, schema)
  },
  event: (options) => {
    const { schema, ...given } = readOptions(options, eventChecks)
    return opened('event', given, schema)
  },
  time: (options) => {
    const { until, afterMs } = readOptions(options as TimeOptions, timeChecks)
    if ((until === undefined) === (afterMs === undefined)) {
      throw new InvalidInputError('waitFor.time takes either { until } or { afterMs }, in milliseconds.')
    }
    return opened('time', { until, afterMs })
  },
} satisfies WaitFor)

function wholeMs(value: unknown, name: string): void {
  if (!Number.isSafeInteger(value) || (value as number) < 0) {
    throw new InvalidInputError(`${name} must be a whole number of milliseconds, not ${wordOf(value)}.`)
  }
}

function opened(kind: WaitKind, given: object, schema?: unknown): OpenCall {
  const issues = new Issues()
  const request = { kind, ...given, schema: toJsonSchema(schema, 'schema', issues) }
  const [problem] = issues.list
  if (problem !== undefined) throw new InvalidInputError(`schema: ${problem.message}`)
  return Object.freeze({ waitsFor: kind, [openCall]: JSON.stringify(request) })
}

/** The request that `waitFor` has put into a handler's answer, as JSON. `undefined`: the answer is a result. */
export function openCallOf(answer: unknown): string | undefined {
  if (typeof answer !== 'object' || answer === null) return undefined
  const request = (answer as { [openCall]?: unknown })[openCall]
  return typeof request === 'string' ? request : undefined
}

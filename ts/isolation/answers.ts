import { inspect, isDeepStrictEqual } from 'node:util'
import { BailiwickError, type Runtime } from '../index.ts'

/** A cell does not hold: the store, or what stands before it, tells a tenant of another. */
export class IsolationError extends Error {
  override readonly name = 'IsolationError'
}

/** Outcome of a verb: its value without parts that differ between two tenants that do the same, or all visible parts of its error. */
export async function answerOf(runtime: Runtime, ask: (runtime: Runtime) => Promise<unknown>): Promise<object> {
  try {
    return { value: shapeOf(await ask(runtime)) }
  } catch (error) {
    if (!BailiwickError.isInstance(error)) throw error
    return { error: visible(error as unknown as Error) }
  }
}

/** A value without times, and without what is random or keyed. */
function shapeOf(value: unknown): unknown {
  const text = JSON.stringify(value, (key, member) => {
    if (/At$|^at$/.test(key)) return typeof member
    if (/^(?:note|rootHash|opening|cursor)$/.test(key)) return typeof member
    if (typeof member !== 'string') return member
    return member.replace(/^([a-z]+_)[a-z2-7]{32}(?=-\d+$|$)/, '$1').replace(/^[0-9a-f]{64}$/, 'hash')
  })
  return text === undefined ? undefined : JSON.parse(text)
}

/** Everything of an error that a caller can see, but where it was thrown. */
export function visible(error: Error): object {
  const own = Reflect.ownKeys(error).filter((key) => key !== 'stack')
  return {
    class: error.constructor,
    name: error.name,
    text: String(error),
    own: own.map((key) => [key, Object.getOwnPropertyDescriptor(error, key)]),
  }
}

/** @throws IsolationError unless both are the same */
export function assertSame(situation: string, given: unknown, expectedOf: string, expected: unknown): void {
  if (isDeepStrictEqual(given, expected)) return
  throw new IsolationError(
    `What is ${situation} was answered with ${text(given)}, what is ${expectedOf} with ${text(expected)}.`,
  )
}

/** @throws IsolationError unless it holds */
export function assertHolds(holds: boolean, otherwise: string): void {
  if (!holds) throw new IsolationError(otherwise)
}

function text(value: unknown): string {
  return inspect(value, { depth: 6, breakLength: Number.POSITIVE_INFINITY, compact: true })
}

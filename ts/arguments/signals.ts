import { kindOf } from '../common/shown-values.ts'
import { InvalidInputError } from '../errors/index.ts'

/**
 * Signals that a host gives. What lies on one may be the host's own, so it is asked by what every signal has: its listeners are
 * added and removed without running code of the host's, and nothing here throws.
 */

const { addEventListener, removeEventListener } = AbortSignal.prototype
const aborted = Object.getOwnPropertyDescriptor(AbortSignal.prototype, 'aborted')?.get as (this: AbortSignal) => boolean

/** @throws InvalidInputError for a value that is no signal with listeners */
export function assertSignal(value: unknown): asserts value is AbortSignal | undefined {
  if (value !== undefined && !isSignal(value)) {
    throw new InvalidInputError(`signal must be an AbortSignal. It is ${kindOf(value)}: leave it out if there is none.`)
  }
}

function isSignal(value: unknown): value is AbortSignal {
  if (!(value instanceof AbortSignal)) return false
  try {
    return typeof aborted.call(value) === 'boolean'
  } catch {
    return false
  }
}

/** Whether it is aborted. One that cannot say so any more is not. */
export function isAborted(signal: AbortSignal | undefined): boolean {
  try {
    return signal !== undefined && aborted.call(signal)
  } catch {
    return false
  }
}

/** Calls a listener once, when the signal is aborted. Returns a function that removes it. */
export function onAbort(signal: AbortSignal | undefined, listener: () => void): () => void {
  if (signal === undefined) return () => {}
  try {
    addEventListener.call(signal, 'abort', listener, { once: true })
  } catch {}
  return () => {
    try {
      removeEventListener.call(signal, 'abort', listener)
    } catch {}
  }
}

/** Returns the promise's value, or `undefined` once the signal is aborted. Leaves no listener behind. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T | undefined> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const stop = onAbort(signal, () => resolve(undefined))
    // The resolving functions themselves, so that an error's stack leads to the awaiting caller.
    promise.finally(stop).then(resolve, reject)
  })
}

import type { Reference } from '../types/references.ts'
import { BailiwickError } from './bailiwick-error.ts'

/** As it was when this was loaded: a host may put something else in its place. */
const { captureStackTrace } = Error

/**
 * The error of a `putMany` that was cut off, with what had been kept before. Its stack is that of whoever waits for the
 * function that calls this.
 */
export function partlyDone(error: unknown, done: readonly Reference[], asked: number): unknown {
  if (!BailiwickError.isInstance(error)) return error
  if (done.length > 0) {
    error.message += ` The first ${done.length} of ${asked} items are kept, as \`done\` of this error says; put the others again.`
    // It begins with the message.
    captureStackTrace(error, partlyDone)
  }
  Object.defineProperty(error, 'done', { value: Object.freeze(done), enumerable: true })
  return error
}

import type { Reference } from '../types/references.ts'
import { BailiwickError } from './bailiwick-error.ts'

/** Kept from load time: a host may replace it. */
const { captureStackTrace } = Error

/**
 * Returns the error of an interrupted `putMany` with the references stored before. Its stack is that of the caller of the
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

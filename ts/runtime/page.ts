import { InvalidInputError } from '../errors/index.ts'
import type { Message } from '../native/message.ts'
import { assertOptionalNumber, assertOptions, assertText } from './guard.ts'

/** Which part of a list. */
export interface PageOptions {
  /** How many items: 1 to 1,000, by default 100. */
  readonly limit?: number
  /** Where the page before ended. */
  readonly cursor?: string
}

/**
 * Checks which page is asked for now and returns what writes it.
 *
 * @throws InvalidInputError
 */
export function pageWriter(options: PageOptions): (message: Message) => void {
  assertOptions(options, 'options')
  const { limit, cursor } = options
  assertOptionalNumber(limit, 'limit')
  if (cursor !== undefined) assertText(cursor, 'cursor')
  if (cursor === '') throw new InvalidInputError('cursor must not be empty. Leave it out instead.')
  return (message) => {
    message.optionalNumber(limit).text(cursor ?? '')
  }
}

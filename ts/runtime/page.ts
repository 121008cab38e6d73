import { type Checks, option, readOptions } from '../arguments/options.ts'
import type { Message } from '../native/message.ts'

/** Which part of a list. */
export interface PageOptions {
  /** How many items: 1 to 1,000, by default 100. */
  readonly limit?: number
  /** Where the page before ended. */
  readonly cursor?: string
}

/** The checks of the options of a page. */
export const pageChecks: Checks<PageOptions> = { limit: option.number, cursor: option.text }

/**
 * Checks which page is asked for now and returns what writes it.
 *
 * @throws InvalidInputError
 */
export function pageWriter(options: PageOptions): (message: Message) => void {
  const page = readOptions(options, pageChecks)
  return (message) => writePage(message, page)
}

/** Writes which page is asked for. */
export function writePage(
  message: Message,
  { limit, cursor }: { [K in keyof PageOptions]: PageOptions[K] | undefined },
): void {
  message.optionalNumber(limit).text(cursor ?? '')
}

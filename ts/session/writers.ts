import { assertSize, isBytes, refuseOtherBinary } from '../arguments/checks.ts'
import { assertId, type IdKind } from '../arguments/ids.ts'
import { type Checks, type Given, option, readOptions } from '../arguments/options.ts'
import { byteLengthOf, type Message } from '../native/message.ts'
import type { JsonValue } from '../types/json.ts'
import type { PageOptions } from '../types/page.ts'
import type { Write } from './session.ts'

/**
 * Checks an id and returns what writes it.
 *
 * @throws NotFoundError for what cannot be an id of this kind
 */
export function idWriter(kind: IdKind, id: unknown): Write {
  assertId(kind, id)
  return (message) => message.text(id)
}

/** The checks of the options of a page. */
export const pageChecks: Checks<PageOptions> = { limit: option.number, cursor: option.text }

/**
 * Checks the options of a page and returns their writer.
 *
 * @throws InvalidInputError
 */
export function pageWriter(options: PageOptions): (message: Message) => Message {
  const page = readOptions(options, pageChecks)
  return (message) => writePage(message, page)
}

export function writePage(message: Message, { limit, cursor = '' }: Given<PageOptions>): Message {
  return message.optionalNumber(limit).text(cursor)
}

/** The numbers by which an operation tells JSON from bytes. */
export interface ValueForms {
  readonly json: number
  readonly bytes: number
}

/**
 * Checks JSON or bytes and returns what writes them, after the number of their form.
 *
 * @param textOf what writes JSON: by the rules of `JSON.stringify`, or only if all of it is kept
 * @throws InvalidInputError
 */
export function valueWriter(
  value: JsonValue | Uint8Array,
  forms: ValueForms,
  textOf: (value: unknown) => string,
): (message: Message) => Message {
  if (isBytes(value)) {
    assertSize(byteLengthOf(value))
    return (message) => message.u8(forms.bytes).byteString(value)
  }
  refuseOtherBinary(value)
  const text = textOf(value)
  return (message) => message.u8(forms.json).text(text)
}

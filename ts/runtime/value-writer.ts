import { byteLengthOf, type Message } from '../native/message.ts'
import type { JsonValue } from '../spec/json-value.ts'
import { assertSize, isBytes, refuseOtherBinary } from './guard.ts'

/** How an operation tells JSON from bytes. */
export interface ValueForms {
  readonly json: number
  readonly bytes: number
}

/**
 * Checks JSON or bytes now and returns what writes them, after the number of their form.
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

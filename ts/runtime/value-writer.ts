import { byteLengthOf, type Message } from '../native/message.ts'
import type { JsonValue } from '../spec/json-value.ts'
import { assertSize, isBytes, jsonText, refuseOtherBinary } from './guard.ts'

/** How an operation tells JSON from bytes. */
export interface ValueForms {
  readonly json: number
  readonly bytes: number
}

/**
 * Checks JSON or bytes now and returns what writes them, after the number of their form.
 *
 * @throws InvalidInputError
 */
export function valueWriter(value: JsonValue | Uint8Array, forms: ValueForms): (message: Message) => Message {
  if (isBytes(value)) {
    assertSize(byteLengthOf(value))
    return (message) => message.u8(forms.bytes).byteString(value)
  }
  refuseOtherBinary(value)
  const text = jsonText(value)
  return (message) => message.u8(forms.json).text(text)
}

import { isPlainObject } from '../../spec/checks/plain-json.ts'
import type { JsonValue } from '../../types/json.ts'
import type { ShownReference } from './ui-message.ts'

/** Returns the data shown for a result stored as a reference; `undefined` for every other result. */
export function referenceIn(result: JsonValue): ShownReference | undefined {
  if (!isPlainObject(result)) return undefined
  const { reference, type, byteLength, glimpse } = result
  if (typeof reference !== 'string' || !/^ref_[a-z2-7]{32}$/.test(reference)) return undefined
  if (typeof type !== 'string' || typeof byteLength !== 'number') return undefined
  return { id: reference, type, byteLength, glimpse: (glimpse ?? null) as JsonValue }
}

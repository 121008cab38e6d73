import { isPlainObject } from '../spec/checks/plain-json.ts'
import type { Part } from '../types/threads.ts'

/**
 * The metadata of a call that is not sent as its provider wrote it, without `itemId`: some providers take what they keep under
 * it in place of what is sent, and then a result names a call that they do not have.
 */
export function withoutItem<P extends Part>(part: P): P {
  const { metadata } = part
  if (!isPlainObject(metadata)) return part
  const entries = Object.entries(metadata)
  if (!entries.some(([, data]) => isPlainObject(data) && Object.hasOwn(data, 'itemId'))) return part
  const kept = entries.map(([provider, data]) => {
    if (!isPlainObject(data)) return [provider, data]
    const { itemId: _kept, ...rest } = data
    return [provider, rest]
  })
  return { ...part, metadata: Object.fromEntries(kept) }
}

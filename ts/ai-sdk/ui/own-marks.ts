import { isPlainObject } from '../../spec/checks/plain-json.ts'
import type { JsonValue } from '../../types/json.ts'
import type { Part } from '../../types/threads.ts'
import { ownMetadata } from '../model/request/prompt.ts'

/** What a thread keeps of a message of `useChat` besides what a model is sent. It is in the metadata of a part, beside the providers'. */
export interface Marks {
  /** On the first part of a message: its id. */
  readonly messageId?: string
  /** Of a file: its name. */
  readonly filename?: string
}

/** Returns the part with marks; the same part if there are none. */
export function marked<P extends Part>(part: P, marks: Marks): P {
  const metadata: JsonValue = { [ownMetadata]: { ...marks } }
  return Object.keys(marks).length === 0 ? part : { ...part, metadata }
}

/** Returns the marks of a part. A thread may hold anything in their place. */
export function marksOf({ metadata }: Part): Marks {
  const own = isPlainObject(metadata) ? metadata[ownMetadata] : undefined
  if (!isPlainObject(own)) return {}
  const { messageId, filename } = own
  return {
    ...(typeof messageId === 'string' && messageId !== '' ? { messageId } : {}),
    ...(typeof filename === 'string' ? { filename } : {}),
  }
}

import { Buffer } from 'node:buffer'
import type { JsonValue } from '../types/json.ts'
import type { Reference, Resolved } from '../types/references.ts'
import type { Answer } from './message.ts'

/** Reads what `resolve` answers: everything is copied, and nothing is called. */
export function readResolved(answer: Answer, id: string): Resolved {
  const expiresAt = answer.optionalNumber()
  const membersLength = answer.u32()
  const glimpseLength = answer.u32()
  const contentLength = answer.u32()
  const description = answer.text(membersLength + glimpseLength)
  return new ResolvedReference(id, expiresAt, description, membersLength, answer.copied(contentLength))
}

/** A content with its reference, which is created on first use: reading only the content stays cheap. */
class ResolvedReference implements Resolved {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly #id: string
  readonly #expiresAt: number | null
  /** Members of a JSON object, which are ASCII, and then the glimpse. */
  readonly #description: string
  readonly #membersLength: number
  #reference: Reference | undefined

  constructor(
    id: string,
    expiresAt: number | null,
    description: string,
    membersLength: number,
    bytes: Uint8Array<ArrayBuffer>,
  ) {
    this.#id = id
    this.#expiresAt = expiresAt
    this.#description = description
    this.#membersLength = membersLength
    this.bytes = bytes
  }

  get reference(): Reference {
    this.#reference ??= this.#describe()
    return this.#reference
  }

  #describe(): Reference {
    const members = this.#description.slice(0, this.#membersLength)
    const glimpse = this.#description.slice(this.#membersLength)
    return JSON.parse(
      `{"id":"${this.#id}",${members},"expiresAt":${this.#expiresAt},"glimpse":${glimpse}}`,
    ) as Reference
  }

  toJSON(): { reference: Reference; bytes: Uint8Array<ArrayBuffer> } {
    return { reference: this.reference, bytes: this.bytes }
  }

  text(): string {
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength).toString('utf8')
  }

  json<T = JsonValue>(): T {
    return JSON.parse(this.text()) as T
  }
}

import { createHash } from 'node:crypto'
import { CallIds } from '../../../prompt/index.ts'
import type { Dialect } from './dialect.ts'

/** Ids that most providers accept. */
const common = /^[a-zA-Z0-9_-]{1,64}$/
/** Ids that Mistral accepts. */
const nine = /^[a-zA-Z0-9]{9}$/

const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/**
 * The ids of calls as a provider takes them: `^[a-zA-Z0-9_-]{1,64}$`, and nine letters or digits for models of Mistral. What
 * fits stays; another one becomes a hash of itself, so that it is the same in every request.
 */
export class WireIds {
  readonly #isNine: boolean
  readonly #ids = new CallIds()

  constructor({ wantsIdsOfNine }: Dialect) {
    this.#isNine = wantsIdsOfNine
  }

  /** The id of a call, which no other call has. */
  idOf(callId: string): string {
    if ((this.#isNine ? nine : common).test(callId)) {
      const unique = this.#ids.unique(callId)
      if (unique === callId) return callId
    }
    for (let attempt = 0; ; attempt += 1) {
      const id = this.#hashed(callId, attempt)
      if (this.#ids.unique(id) === id) return id
    }
  }

  /** An id that the provider gave itself and gets back as it is, if no other call has it. */
  keep(callId: string): string {
    return this.#ids.unique(callId) === callId ? callId : this.idOf(callId)
  }

  #hashed(callId: string, attempt: number): string {
    const hash = createHash('sha256').update(`${attempt} ${callId}`).digest()
    if (!this.#isNine) return `call_${hash.toString('hex').slice(0, 32)}`
    return Array.from(hash.subarray(0, 9), (byte) => base62[byte % base62.length]).join('')
  }
}

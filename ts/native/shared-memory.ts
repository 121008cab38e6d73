import { Buffer } from 'node:buffer'
import type { Resolved } from '../types/references.ts'
import type { NativeAddon, NativeEnvironment } from './addon.ts'
import { Answer } from './message.ts'
import { readResolved } from './resolved.ts'

const SLAB_BYTES = 256 << 10
/** Bytes allocated at once for copies of answers, which are mostly small. At least one slab fits. */
const COPIES_BYTES = 2 * SLAB_BYTES
const SLAB_HEADER_BYTES = 16
const ENTRY_BYTES = 16
/** The largest answer that the core gives (`MOST_BYTES` in `crates/node/src/completions.rs`). */
const MOST_BYTES = 256 << 20
/** A record that is larger than this is not read from memory on the spot. */
const HIT_BYTES = 256 << 10
const RUN_ID_LENGTH = 'run_'.length + 32
const LARGE = 2

/** States of a fetched entry; see `crates/node/src/completions.rs`. */
export const State = { failed: 1, asked: 4, over: 8 } as const

/** One answer or callback request, in memory with no other writer. */
export interface FetchedEntry {
  readonly token: number
  /** 0: done; or one of `State`. */
  readonly state: number
  /** `undefined`: it was too large, or could not be fetched. */
  readonly body: Answer | undefined
}

/** Result of one fetch. */
export interface Fetched {
  readonly entries: readonly FetchedEntry[]
  /** Number of answers that still wait. */
  readonly waiting: number
}

/**
 * The memory that the core writes into. Only this class reads it, and it calls no other code: no method takes a function, and what
 * a method returns is a copy. So whatever the caller's code does with an answer, no other answer can change
 * (docs/bridge, "Nothing is called while shared memory is read").
 */
export class SharedMemory {
  readonly #addon: NativeAddon
  readonly #environment: NativeEnvironment
  /** For what is fetched. */
  readonly #slab = Buffer.alloc(SLAB_BYTES)
  /** Buffer for the next copies. Each part is written once, and no caller gets the whole buffer. */
  #copies = Buffer.allocUnsafeSlow(COPIES_BYTES)
  #copied = 0
  /** For records that are read on the spot, at any time. */
  readonly #hit = Buffer.alloc(HIT_BYTES)

  constructor(addon: NativeAddon, environment: NativeEnvironment) {
    this.#addon = addon
    this.#environment = environment
  }

  /** Fetches up to `most` answers and callback requests. */
  fetch(most: number): Fetched {
    const slab = this.#slab
    // Before anything is fetched: what has left the core must not be lost for want of memory.
    if (this.#copied + SLAB_BYTES > COPIES_BYTES) {
      this.#copies = Buffer.allocUnsafeSlow(COPIES_BYTES)
      this.#copied = 0
    }
    this.#addon.drain(this.#environment, slab, most)
    const length = slab.readUInt32LE(0)
    const copy = this.#copies
    const start = this.#copied
    this.#copied += slab.copy(copy, start, 0, length)
    slab.fill(0, 0, length)
    const count = copy.readUInt32LE(start + 4)
    const waiting = copy.readUInt32LE(start + 8)
    const entries: FetchedEntry[] = []
    let at = start + SLAB_HEADER_BYTES
    for (let index = 0; index < count; index += 1) {
      const token = tokenAt(copy, at)
      const state = copy.readUInt32LE(at + 8)
      const bytes = copy.readUInt32LE(at + 12)
      at += ENTRY_BYTES
      if ((state & LARGE) === 0) {
        entries.push({ token, state, body: new Answer(copy, at, at + bytes) })
        at += bytes
      } else {
        entries.push({ token, state: state & ~LARGE, body: this.#take(token, bytes) })
      }
    }
    return { entries, waiting }
  }

  /** An answer that was too large for the slab. One that does not fit into memory is dropped. */
  #take(token: number, length: number): Answer | undefined {
    let large: Buffer | undefined
    try {
      if (length <= MOST_BYTES) large = Buffer.allocUnsafeSlow(length)
    } catch {}
    try {
      this.#addon.take(this.#environment, token, large ?? Buffer.alloc(0))
    } catch {
      return undefined
    }
    return large === undefined ? undefined : new Answer(large, 0, length)
  }

  /** Reads a reference that is opened already. `undefined`: it must be requested. Throws what the addon throws. */
  resolveAtHand(handle: number, id: string): Resolved | undefined {
    const hit = this.#hit
    // A text that is not ASCII has more bytes than units, and is no id.
    if (hit.write(id, 0, 'utf8') !== id.length) return undefined
    if (!this.#addon.resolveAtHand(this.#environment, handle, hit)) return undefined
    const answer = new Answer(hit, 0, hit.length)
    const found = readResolved(answer, id)
    // Nothing of one tenant stays in memory that the next call of another uses.
    hit.fill(0, 0, answer.position)
    return found
  }

  /** Gives a new run its ids: the same ones for the same key. */
  prepareRun(handle: number, requestKey?: string): { readonly runId: string; readonly threadId: string } {
    const ids = Buffer.alloc(2 * RUN_ID_LENGTH)
    this.#addon.prepareRun(this.#environment, handle, requestKey ?? null, ids)
    return { runId: ids.toString('latin1', 0, RUN_ID_LENGTH), threadId: ids.toString('latin1', RUN_ID_LENGTH) }
  }
}

/** A `u64le` of at most 2^53. Small ones stay small integers, which are found faster. */
function tokenAt(bytes: Buffer, at: number): number {
  const high = bytes.readUInt32LE(at + 4)
  const low = bytes.readUInt32LE(at)
  return high === 0 ? low : high * 2 ** 32 + low
}

import { Buffer } from 'node:buffer'
import { InvalidInputError } from '../errors/index.ts'

/** The size that the engine knows: a subclass or a property of the caller's own may say anything. */
const trueByteLength = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), 'byteLength')
  ?.get as (this: Uint8Array) => number

/** The number of bytes that copying this value copies. */
export function byteLengthOf(value: Uint8Array): number {
  return trueByteLength.call(value)
}

/** An arena larger than this is not kept for the next call. */
const KEPT_BYTES = 1 << 20
const FIRST_BYTES = 64 << 10
/** The most bytes of one call, whatever the tenant's limit on in-flight bytes. */
const MOST_BYTES = 512 << 20

/**
 * The arguments of one call, written into an arena that the calls of this thread use in turn. Numbers are little-endian; a text or byte string is its `u32` length and its bytes.
 */
export class Message {
  bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES)
  length = 0

  /** Ends a call: nothing of it stays for the next one, which may be another tenant's. */
  clear(): void {
    if (this.bytes.length > KEPT_BYTES) this.bytes = Buffer.allocUnsafeSlow(FIRST_BYTES)
    else this.bytes.fill(0, 0, this.length)
    this.length = 0
  }

  u8(value: number): this {
    this.#reserve(1)
    this.bytes[this.length] = value
    this.length += 1
    return this
  }

  u32(value: number): this {
    this.#reserve(4)
    this.length = this.bytes.writeUInt32LE(value, this.length)
    return this
  }

  /** A number that may be absent; what it may be is checked on the other side. */
  optionalNumber(value: number | undefined): this {
    this.#reserve(8)
    this.length = this.bytes.writeDoubleLE(value ?? Number.NaN, this.length)
    return this
  }

  /** A text, which the caller has found well-formed. */
  text(value: string): this {
    // No UTF-16 unit takes more than three bytes of UTF-8. A long text is counted first, to save the memory.
    this.#reserve(4 + (value.length < 4096 ? value.length * 3 : Buffer.byteLength(value)))
    const written = this.bytes.write(value, this.length + 4)
    this.bytes.writeUInt32LE(written, this.length)
    this.length += 4 + written
    return this
  }

  /** A text without its length: the last thing of a call. */
  raw(value: string): this {
    this.#reserve(value.length < 4096 ? value.length * 3 : Buffer.byteLength(value))
    this.length += this.bytes.write(value, this.length)
    return this
  }

  /** Bytes without their length. */
  rawBytes(value: Uint8Array): this {
    const length = byteLengthOf(value)
    this.#reserve(length)
    this.bytes.set(value, this.length)
    this.length += length
    return this
  }

  byteString(value: Uint8Array): this {
    const length = byteLengthOf(value)
    this.#reserve(4 + length)
    this.bytes.writeUInt32LE(length, this.length)
    this.bytes.set(value, this.length + 4)
    this.length += 4 + length
    return this
  }

  #reserve(bytes: number): void {
    const needed = this.length + bytes
    if (needed <= this.bytes.length) return
    if (needed > MOST_BYTES) {
      throw new InvalidInputError(
        `The call has more than ${MOST_BYTES} bytes (512 MiB), which is more than one can have. Make several.`,
      )
    }
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2))
    this.bytes.copy(larger, 0, 0, this.length)
    this.bytes = larger
  }
}

/** Reads an answer in the order in which it was written. The bytes belong to the bridge: what is kept is copied. */
export class Answer {
  readonly #bytes: Buffer
  #at: number
  readonly #end: number

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes
    this.#at = start
    this.#end = end
  }

  /** The current offset. */
  get position(): number {
    return this.#at
  }

  u8(): number {
    const value = this.#bytes.readUInt8(this.#at)
    this.#at += 1
    return value
  }

  u32(): number {
    const value = this.#bytes.readUInt32LE(this.#at)
    this.#at += 4
    return value
  }

  /** A number, or `null` for NaN. */
  optionalNumber(): number | null {
    const value = this.#bytes.readDoubleLE(this.#at)
    this.#at += 8
    return Number.isNaN(value) ? null : value
  }

  /** The next bytes as text. */
  text(length: number): string {
    const start = this.#at
    this.#at += length
    return this.#bytes.toString('utf8', start, this.#at)
  }

  /** The next bytes, copied into an ArrayBuffer of their own and of their length. */
  copied(length: number): Uint8Array<ArrayBuffer> {
    const start = this.#at
    this.#at += length
    return ownCopy(this.#bytes, start, this.#at)
  }

  /** Everything that is left, parsed as JSON. */
  json<T>(): T {
    return JSON.parse(this.restAsText()) as T
  }

  /** Everything that is left, as text. */
  restAsText(): string {
    return this.#bytes.toString('utf8', this.#at, this.#end)
  }

  /** Everything that is left, copied. */
  rest(): Uint8Array<ArrayBuffer> {
    return ownCopy(this.#bytes, this.#at, this.#end)
  }
}

/** A copy that shares memory with nothing: a pooled Buffer would show its neighbours through `.buffer`. */
export function ownCopy(bytes: Uint8Array, start: number, end: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(end - start)
  // A plain view: a Buffer's own subarray took most of a microsecond.
  copy.set(new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start))
  return copy
}

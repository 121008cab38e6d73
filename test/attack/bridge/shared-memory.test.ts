import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { problemsOf } from '../../../scripts/check/modules.mjs'
import type { NativeAddon, NativeEnvironment } from '../../../ts/native/addon.ts'
import { SharedMemory } from '../../../ts/native/shared-memory.ts'

interface Entry {
  readonly token: number
  readonly state: number
  readonly bytes: Uint8Array
  readonly isLarge: boolean
}

const environment = {} as NativeEnvironment
const LARGE = 2

/** An addon that gives these answers, one fetch after the other, and shows the memory that it writes to. */
function addonOf(fetches: readonly (readonly Entry[])[], lengths: { [token: number]: number } = {}) {
  const slabs: Uint8Array[] = []
  const taken: { token: number; room: number }[] = []
  let at = 0
  const addon = {
    drain(_: NativeEnvironment, slab: Uint8Array) {
      slabs.push(slab)
      const entries = fetches[at] ?? []
      at += 1
      const view = Buffer.from(slab.buffer, slab.byteOffset, slab.byteLength)
      let end = 16
      for (const { token, state, bytes, isLarge } of entries) {
        view.writeBigUInt64LE(BigInt(token), end)
        view.writeUInt32LE(state | (isLarge ? LARGE : 0), end + 8)
        view.writeUInt32LE(lengths[token] ?? bytes.length, end + 12)
        end += 16
        if (!isLarge) end += Buffer.from(bytes).copy(view, end)
      }
      view.writeUInt32LE(end, 0)
      view.writeUInt32LE(entries.length, 4)
      view.writeUInt32LE(fetches.length - at, 8)
    },
    take(_: NativeEnvironment, token: number, target: Uint8Array) {
      taken.push({ token, room: target.length })
      const entry = fetches.flat().find((one) => one.token === token)
      if (entry === undefined || target.length < entry.bytes.length) throw new Error('It does not fit.')
      target.set(entry.bytes)
    },
  } as unknown as NativeAddon
  return { shared: new SharedMemory(addon, environment), slabs, taken }
}

const entry = fc.record({
  token: fc.maxSafeNat(),
  state: fc.constantFrom(0, 1, 4, 8),
  bytes: fc.uint8Array({ maxLength: 300 }),
  isLarge: fc.boolean(),
})

describe('what is fetched', () => {
  it('is whole, is a copy, and leaves nothing behind', () => {
    // A token names one answer, in whichever fetch it comes.
    const entries = fc.uniqueArray(entry, { selector: ({ token }) => token, maxLength: 60 })
    fc.assert(
      fc.property(entries, fc.integer({ min: 1, max: 4 }), (all, count) => {
        const given = Array.from({ length: count }, (_, at) => all.filter((_, index) => index % count === at))
        const { shared, slabs } = addonOf(given)
        const fetched = given.map(() => shared.fetch(1000))
        // All fetches are over before any is read: none has changed another.
        for (const slab of slabs) expect(slab.every((byte) => byte === 0)).toBe(true)
        expect(fetched.map(({ waiting }) => waiting)).toEqual(given.map((_, index) => given.length - index - 1))
        const read = fetched.map(({ entries }) =>
          entries.map(({ token, state, body }) => ({ token, state, bytes: body?.rest() })),
        )
        expect(read).toEqual(given.map((all) => all.map(({ token, state, bytes }) => ({ token, state, bytes }))))
      }),
    )
  })

  it('a length beyond any answer is given back to the core, and no memory is allocated for it', () => {
    const one: Entry = { token: 1, state: 0, bytes: new Uint8Array(1), isLarge: true }
    for (const length of [2 ** 32 - 1, 2 ** 31, (256 << 20) + 1]) {
      const { shared, taken } = addonOf([[one]], { 1: length })
      expect(shared.fetch(1).entries).toEqual([{ token: 1, state: 0, body: undefined }])
      expect(taken).toEqual([{ token: 1, room: 0 }])
    }
  })
})

describe('the rule that nothing is called while shared memory is read', () => {
  it.each([
    ['ts/native/bridge.ts', 'this.#addon.drain(this.#environment, slab, 1)'],
    ['ts/native/bridge.ts', 'addon.take(environment, token, target)'],
    ['ts/native/other.ts', 'addon.resolveAtHand(environment, 1, slab)'],
    ['ts/native/shared-memory.ts', "import { quietly } from '../common/quietly.ts'"],
    ['ts/native/shared-memory.ts', 'fetch(most: number, each: (letter: FetchedEntry) => void): void {'],
  ])('the structure check refuses %s with %s', (file, source) => {
    expect(problemsOf(file, source)).toHaveLength(1)
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { verifyConsistency, verifyInclusion, verifyReceipt } from '../../ts/index.ts'
import { fixtures, kinds, mutated, verifiers } from './fixtures.ts'

const { publicKey, otherKey, origin } = fixtures

/** Texts that differ from this one in one place. */
function neighbours(text: string): string[] {
  const next = (at: number) => String.fromCharCode(text.charCodeAt(at) ^ 1)
  const changed = Array.from(text, (_, at) => text.slice(0, at) + next(at) + text.slice(at + 1))
  const shortened = Array.from(text, (_, at) => text.slice(0, at) + text.slice(at + 1))
  return [...changed, ...shortened, ` ${text}`, `${text} `, `${text}\n`, text + text]
}

function parsed(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}

function first<T>(values: readonly T[]): T {
  const [value] = values
  if (value === undefined) throw new Error('There is no fixture.')
  return value
}

describe('what the core signed', () => {
  it.each(kinds)('every %s holds under the key of its store alone', (kind) => {
    for (const value of fixtures[kind]) {
      expect(verifiers[kind](value)).toBe(true)
      expect(verifiers[kind](JSON.parse(JSON.stringify(value)))).toBe(true)
      expect(verifiers[kind](value, otherKey)).toBe(false)
    }
    expect(fixtures[kind].length).toBeGreaterThan(1)
  })

  it('every record that was decided under a rule holds, with all of the rule', () => {
    for (const proof of fixtures.ruled) {
      expect([verifiers.ruled(proof), verifiers.ruled(proof, otherKey)]).toEqual([true, false])
      const { rule, approvedBy } = proof.record
      const others = [
        { rule: { ...rule, quorum: 1 + (rule?.quorum ?? 0) } },
        { rule: { ...rule, more: 1 } },
        { rule: { ...rule, to: null } },
        { rule: undefined },
        { rule: null },
        { approvedBy: [] },
        { approvedBy: null },
        { approvedBy: approvedBy?.map((by) => ({ ...by, more: 1 })) },
        { approvedBy: approvedBy?.map(({ actor }) => ({ actor })) },
      ]
      for (const other of others) {
        expect([other, verifiers.ruled({ ...proof, record: { ...proof.record, ...other } })]).toEqual([other, false])
      }
    }
    const undecided = { to: undefined, notBy: undefined, requesters: undefined }
    const proof = fixtures.ruled.find(({ record }) => Object.keys(record.rule ?? {}).length === 1)
    const record = { ...proof?.record, rule: { ...undecided, quorum: proof?.record.rule?.quorum } }
    expect(verifiers.ruled({ ...proof, record })).toBe(true)
  })

  it('holds for its tenant alone', () => {
    const other = `${origin.slice(0, -1)}0`
    for (const proof of fixtures.inclusion) {
      expect([origin, other, '', null].map((o) => verifyInclusion(proof, publicKey, o as string))).toEqual([
        true,
        false,
        false,
        false,
      ])
    }
    for (const proof of fixtures.consistency) {
      expect(verifyConsistency(proof, publicKey, origin)).toBe(true)
      expect(verifyConsistency(proof, publicKey, other)).toBe(false)
    }
  })

  it('holds whatever the order of keys, and with members that are undefined', () => {
    const proof = first(fixtures.inclusion)
    const record = { ...Object.fromEntries(Object.entries(proof.record).reverse()), requestedBy: undefined }
    const { requestedBy } = proof.record
    expect(verifiers.inclusion({ ...proof, record })).toBe(requestedBy === undefined)
    expect(verifiers.inclusion({ ...proof, record: { ...record, requestedBy } })).toBe(true)
  })

  it('a signature of a witness may stand beside that of the store', () => {
    const { checkpoint, ...rest } = first(fixtures.inclusion)
    const note = `${checkpoint.note}— witness.example/w ${Buffer.alloc(68, 7).toString('base64')}\n`
    expect(verifiers.inclusion({ ...rest, checkpoint: { ...checkpoint, note } })).toBe(true)
  })
})

describe('what nobody signed', () => {
  it.each([
    ['proofs and receipts', fixtures.mutations, 500],
    ['proofs of records with a rule', fixtures.ruledMutations, 300],
  ] as const)('all corrupted %s are refused', (_, mutations, count) => {
    expect(mutations).toHaveLength(count)
    for (const mutation of mutations) {
      expect([mutation, verifiers[mutation.of](mutated(mutation))]).toEqual([mutation, false])
    }
  })

  it.each(kinds)('no character of the JSON of one %s can change', (kind) => {
    const value = fixtures[kind].at(-1)
    const accepted = neighbours(JSON.stringify(value)).filter((text) => {
      const other = parsed(text)
      if (other === undefined || JSON.stringify(other.value) === JSON.stringify(value)) return false
      return verifiers[kind](other.value)
    })
    expect(accepted).toEqual([])
  })

  it('no character of a public key can change', () => {
    const proof = first(fixtures.inclusion)
    expect(neighbours(publicKey).filter((key) => verifiers.inclusion(proof, key))).toEqual([])
  })

  it('a lone surrogate does not pass for the character that stands for it in UTF-8', () => {
    const proof = first(fixtures.inclusion)
    for (const actor of ['\ud800', '\udc00', '\ufffd']) {
      expect(verifiers.inclusion({ ...proof, record: { ...proof.record, actor } })).toBe(false)
    }
    const note = proof.checkpoint.note.replace('\n\n', '\n\n\ud800')
    expect(verifiers.inclusion({ ...proof, checkpoint: { ...proof.checkpoint, note } })).toBe(false)
  })

  it('a value that changes between two looks is read once', () => {
    const proof = first(fixtures.inclusion)
    let looks = 0
    const record = {
      ...proof.record,
      get reason() {
        looks += 1
        return looks === 1 ? proof.record.reason : 'another'
      },
    }
    expect(verifiers.inclusion({ ...proof, record })).toBe(true)
    expect(looks).toBe(1)
  })

  it('hostile values of any shape give false', () => {
    const cycle: Record<string, unknown> = { ...first(fixtures.inclusion) }
    cycle['path'] = [cycle]
    const trap = new Proxy({}, { ownKeys: () => ['a'], get: () => trap, getOwnPropertyDescriptor: () => descriptor })
    const descriptor = { value: 1, enumerable: true, configurable: true }
    const throwing = Object.defineProperty({}, 'record', {
      enumerable: true,
      get: () => {
        throw new Error('a getter')
      },
    })
    let laughs: unknown = []
    for (let depth = 0; depth < 60; depth += 1) laughs = [laughs, laughs]
    const revoked = Proxy.revocable({}, {})
    revoked.revoke()
    const hostile = [undefined, null, 0, Number.NaN, 1n, '', 'x', false, Symbol('s'), () => true, [], {}, new Map()]
    for (const value of [...hostile, new Date(), cycle, trap, throwing, laughs, revoked.proxy, Object.create(cycle)]) {
      for (const kind of kinds) {
        const good: unknown = fixtures[kind].at(-1)
        expect(verifiers[kind](value)).toBe(false)
        for (const key of Object.keys(Object(good))) {
          expect([key, verifiers[kind]({ ...Object(good), [key]: value })]).toEqual([key, false])
        }
        expect(verifiers[kind](good, (value ?? null) as string)).toBe(false)
      }
    }
  })

  it('a checkpoint is no receipt', () => {
    const { checkpoint } = first(fixtures.inclusion)
    expect(verifyReceipt({ ...checkpoint } as never, publicKey)).toBe(false)
    expect(verifiers.inclusion({ ...first(fixtures.inclusion), checkpoint: first(fixtures.receipt) })).toBe(false)
  })

  it('garbage gives false', () => {
    const part = fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true })
    const garbage = fc.oneof(
      part,
      fc.record({ checkpoint: part, record: part, opening: part, path: fc.array(part) }),
      fc.record({ from: part, to: part, path: fc.array(fc.base64String()) }),
      fc.record({ note: fc.string({ unit: 'binary' }), tenant: part }),
    )
    const names = {
      inclusion: ['record', 'opening', 'path', 'checkpoint'],
      consistency: ['from', 'to', 'path'],
    } as const
    fc.assert(
      fc.property(
        garbage,
        fc.constantFrom(...kinds),
        fc.nat(3),
        fc.oneof(fc.constant(publicKey), fc.string()),
        (...all) => {
          const [value, kind, at, key] = all
          expect(verifiers[kind](value, key)).toBe(false)
          if (kind === 'receipt') return
          const name = names[kind][at % names[kind].length] ?? 'path'
          expect(verifiers[kind]({ ...fixtures[kind].at(-1), [name]: value }, key)).toBe(false)
        },
      ),
      { numRuns: 2000 },
    )
  })
})

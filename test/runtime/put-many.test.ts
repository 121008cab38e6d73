import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRuntime, defineRuntime, InvalidInputError, type Limits, type References } from '../../ts/index.ts'
import { codeOf, failureOf } from '../support/failures.ts'
import { openFresh } from '../support/stores.ts'
import { acme } from '../unit/support.ts'

const A_COMMIT = 250
const items = (count: number, salt = '') =>
  Array.from({ length: count }, (_, at) => ({ type: 'thing', value: `${salt}${at}` }))

async function open(limits: Limits = {}): Promise<References> {
  const store = await openFresh('memory')
  return (await createRuntime(defineRuntime({ tenant: acme, limits }), { store })).references
}

async function allIds(references: References): Promise<string[]> {
  const ids: string[] = []
  let cursor: string | undefined
  do {
    const page = await references.list({ limit: 1000, ...(cursor === undefined ? {} : { cursor }) })
    ids.push(...page.items.map(({ id }) => id))
    cursor = page.cursor ?? undefined
  } while (cursor !== undefined)
  return ids
}

describe('putMany of more than one commit takes', () => {
  it('keeps any number of items up to 10,000, in their order', async () => {
    const references = await open()
    const sizes = fc.oneof(fc.integer({ min: 0, max: 1300 }), fc.constantFrom(0, 1, 249, 250, 251, 500, 501, 1000))
    await fc.assert(
      fc.asyncProperty(sizes, fc.uuid(), async (size, salt) => {
        const given = items(size, salt)
        const kept = await references.putMany(given)
        expect(kept.map(({ glimpse }) => (glimpse as { text: string }).text)).toEqual(given.map(({ value }) => value))
      }),
      { numRuns: 25 },
    )
  })

  it('says what is kept when it is cut off, and goes on from there', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1200 }), fc.nat({ max: 1199 }), async (size, at) => {
        const bad = at % size
        const references = await open()
        const given = items(size)
        // What the core alone refuses.
        const wrong = given.map((item, index) => (index === bad ? { type: 'No type', value: 1 } : item))
        const error = await failureOf(() => references.putMany(wrong))
        const kept = bad - (bad % A_COMMIT)
        expect(error.code).toBe('INVALID_INPUT')
        expect(error.done).toHaveLength(kept)
        expect(Object.isFrozen(error.done)).toBe(true)
        const done = error.done ?? []
        expect((await allIds(references)).sort()).toEqual(done.map(({ id }) => id).sort())
        if (kept > 0) expect(error.message).toContain(`The first ${kept} of ${size} items are kept`)
        else expect(error.message).not.toContain('are kept')
        const rest = await references.putMany(given.slice(kept))
        const resolved = await Promise.all([...done, ...rest].map(({ id }) => references.resolve(id)))
        expect(resolved.map((one) => one.text())).toEqual(given.map(({ value }) => value))
      }),
      { numRuns: 15 },
    )
  })

  it('is cut off by a limit of the tenant, and the error stays what it is', async () => {
    const references = await open({ items: { references: 600 } })
    const error = await failureOf(async function theCaller() {
      await references.putMany(items(1000))
    })
    expect(error).toMatchObject({ code: 'QUOTA_EXCEEDED', quota: 'items.references', limit: 600 })
    expect(error.done).toHaveLength(500)
    expect(error.stack).toMatch(/^QuotaExceededError: .*The first 500 of 1000 items are kept.*\n(.*\n)*.*theCaller/)
    expect(await allIds(references)).toHaveLength(500)
  })

  it('keeps nothing where an item is wrong by itself, wherever it is', async () => {
    const references = await open()
    for (const value of [1n, undefined, '\ud800', new ArrayBuffer(1)]) {
      const error = await failureOf(() => references.putMany([...items(700), { type: 'thing', value: value as never }]))
      expect([error.code, error.done]).toEqual(['INVALID_INPUT', undefined])
    }
    expect(await codeOf(() => references.putMany(items(10_001)))).toBe('INVALID_INPUT')
    await expect(references.putMany(items(10_001))).rejects.toThrow('There are 10001 items; at most 10000 items')
    await expect(references.putMany({ length: 1 } as never)).rejects.toThrow(InvalidInputError)
    expect(await allIds(references)).toEqual([])
  })

  it('keeps the bytes that were given, whatever the caller does with them meanwhile', async () => {
    const references = await open()
    const given = Array.from({ length: 600 }, (_, at) => ({
      type: 'thing',
      value: new Uint8Array([at >> 8, at & 255]),
    }))
    const pending = references.putMany(given)
    for (const { value } of given) value.fill(255)
    const kept = await pending
    const resolved = await references.resolveMany(kept.map(({ id }) => id))
    expect(resolved.map((one) => one && (one.bytes[0] ?? 0) * 256 + (one.bytes[1] ?? 0))).toEqual(
      given.map((_, at) => at),
    )
  })
})

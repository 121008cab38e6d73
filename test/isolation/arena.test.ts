import { describe, expect, it } from 'vitest'
import { createRuntime, defineRuntime, defineTenant, type JsonValue, withTenant } from '../../ts/index.ts'
import { codeOf } from '../support/failures.ts'
import { openFresh } from '../support/stores.ts'

const topology = defineRuntime({ tenant: defineTenant('acme', 'v1') })
const SECRET = 'what acme keeps to itself'

async function neighbours() {
  const store = await openFresh('memory')
  const acme = await createRuntime(topology, { store })
  const globex = await createRuntime(withTenant(topology, defineTenant('globex', 'v1')), { store })
  return { store, acme, globex }
}

describe('the memory that the calls of one thread share', () => {
  it('bytes that lie about their length bring nothing of another tenant’s call with them', async () => {
    const { acme, globex } = await neighbours()
    class Liar extends Uint8Array {
      override get byteLength(): number {
        return 600
      }
      override get length(): number {
        return 600
      }
    }
    const property = Object.defineProperty(new Uint8Array(1), 'byteLength', { value: 600 })
    for (const bytes of [new Liar(1), property]) {
      await acme.references.put('secret', SECRET)
      const { id, byteLength } = await globex.references.put('bytes', bytes)
      expect(byteLength).toBe(1)
      expect((await globex.references.resolve(id)).bytes).toEqual(new Uint8Array(1))
      await globex.cache.set('bytes', bytes)
      expect(await globex.cache.get('bytes')).toEqual(new Uint8Array(1))
    }
  })

  it('a call that is made while another is being written belongs to its own tenant', async () => {
    const { acme, globex } = await neighbours()
    const nested: Promise<unknown>[] = []
    const meddle = <T>(value: T): T => {
      nested.push(acme.cache.set('acme-key', 'of acme'), acme.references.put('note', 'of acme'))
      return value
    }
    const value = { toJSON: () => meddle('of globex') } as unknown as JsonValue
    const options = {
      get ttlMs() {
        return meddle(60_000)
      },
    }
    await globex.cache.set('globex-key', value, options)
    await globex.cache.getOrCompute('computed', options, () => 'of globex')
    await globex.references.put('note', value, options)
    await Promise.all(nested)
    expect(nested.length).toBeGreaterThan(4)
    expect(await globex.cache.get('globex-key')).toBe('of globex')
    expect(await globex.cache.get('acme-key')).toBeUndefined()
    expect(await acme.cache.get('acme-key')).toBe('of acme')
    expect(await acme.cache.get('globex-key')).toBeUndefined()
    expect((await globex.usage()).storage.references.items).toBe(1)
  })

  it('an option is read once: what was checked is what is used', async () => {
    const { globex } = await neighbours()
    let reads = 0
    const options = {
      get ttlMs() {
        reads += 1
        return reads === 1 ? 60_000 : ('x' as unknown as number)
      },
    }
    await globex.cache.set('key', 'value', options)
    expect(reads).toBe(1)
  })

  it('a detached buffer is bad input', async () => {
    const { globex } = await neighbours()
    const bytes = new Uint8Array(8)
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
    expect(await codeOf(() => globex.references.put('bytes', bytes))).toBe('INVALID_INPUT')
    expect(await codeOf(() => globex.cache.set('bytes', bytes))).toBe('INVALID_INPUT')
    expect((await globex.usage()).storage.references.items).toBe(0)
  })

  it('neither a store nor a runtime can be turned into another', async () => {
    const { store, acme } = await neighbours()
    expect(Object.isFrozen(store)).toBe(true)
    expect(JSON.stringify(store)).not.toContain('number')
    expect(() => Object.assign(acme, { spec: topology })).toThrow(TypeError)
    expect(acme.tenant.resourceId).toBe('acme')
  })
})

import { beforeAll, describe, expect, test, vi } from 'vitest'
import { createRuntime, defineRuntime, SpecError, TenantMismatchError, withTenant } from '../../ts/index.ts'
import { topologyOf } from '../../ts/spec/dump/dump-parts.ts'
import { ownSpec } from '../../ts/spec/dump/own-spec.ts'
import { codeOf, failureOf } from '../support/failures.ts'
import { acme, globex } from './support.ts'

const brand = Symbol.for('bailiwick.spec')

/** Another copy of the package. */
let other: typeof import('../../ts/index.ts')
beforeAll(async () => {
  vi.resetModules()
  other = await import('../../ts/index.ts')
})

/** A Standard Schema that fills in a default, which no JSON Schema does. */
const schema = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value: unknown) => ({ value: { limit: 10, ...(value as object) } }),
    jsonSchema: { input: () => ({ type: 'object' }), output: () => ({ type: 'object' }) },
  },
}

function foreignSpec() {
  const { defineRuntime, defineSpecialist, defineTool } = other
  const search = defineTool({ name: 'search', description: 'Finds', input: schema as never })
  const agent = defineSpecialist({ name: 'analyst', model: 'main/any', prompt: 'Answer.', tools: [search] })
  return defineRuntime({ tenant: acme, agents: [agent], limits: { bytes: 1000 } })
}

describe('a spec of another copy of the package', () => {
  test('is rebuilt once, and dumps alike; its definitions stay the same', () => {
    const spec = foreignSpec()
    expect(other.createRuntime).not.toBe(createRuntime)
    expect(topologyOf(spec)).toBe(undefined)
    const own = ownSpec(spec)
    expect(JSON.stringify(own)).toBe(JSON.stringify(spec))
    expect(own?.tools[0]).toBe(spec.tools[0])
    expect(ownSpec(spec)).toBe(own)
    expect(ownSpec(own)).toBe(own)
    expect(Object.isFrozen(own)).toBe(true)
  })

  test('can be bound to another tenant', () => {
    const spec = withTenant(foreignSpec(), globex)
    expect([spec.tenant, spec.limits]).toEqual([globex, { bytes: 1000 }])
  })

  test('opens a runtime, whose tools get the output of the schema', async () => {
    const spec = foreignSpec()
    const { scriptedModel } = await import('../../ts/testing/index.ts')
    const inputs: unknown[] = []
    let step = 0
    const model = scriptedModel(() => {
      step += 1
      const usage = { inputTokens: 1, outputTokens: 1 }
      return step === 1
        ? [
            { type: 'tool.call', callId: 'c', tool: 'search', input: '{}' },
            { type: 'finish', reason: 'tool-calls', usage },
          ]
        : [
            { type: 'text.delta', id: 't', delta: 'done' },
            { type: 'finish', reason: 'stop', usage },
          ]
    })
    const search = (input: unknown) => inputs.push(input)
    const runtime = await createRuntime(spec, { store: 'memory:', tools: { search } as never, models: { main: model } })
    expect(await runtime.query('x').result()).toMatchObject({ status: 'completed', text: 'done' })
    expect(inputs).toEqual([{ limit: 10 }])
    await runtime.close()
  })

  test.each([
    ['of a later format', { [brand]: 2 }, 'bailiwick'],
    ['without a tenant', { [brand]: 1, agents: [], tools: [], references: [], plans: [], providers: {} }, 'tenant'],
    ['with tools that are none', { [brand]: 1, tenant: acme, tools: [{ name: 5 }] }, 'tools[0].name'],
    ['with a limit that is none', { [brand]: 1, tenant: acme, limits: { bytes: -1 } }, 'limits.bytes'],
  ])('%s is refused with the place', async (_, claimed, path) => {
    const error = await failureOf(() => createRuntime(claimed as never, { store: 'memory:' }))
    if (!SpecError.isInstance(error)) throw error
    expect(error.issues.map((issue) => issue.path)).toContain(path)
  })

  test('of another tenant than its data environment is refused', async () => {
    const claimed = { [brand]: 1, tenant: acme, dataEnvironment: { tenantId: 'globex' } }
    const error = await failureOf(() => createRuntime(claimed as never, { store: 'memory:' }))
    expect(TenantMismatchError.isInstance(error)).toBe(true)
  })

  test('that cannot be read is no spec', async () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    const throwing = Object.defineProperty({ [brand]: 1 }, 'tenant', {
      get: () => {
        throw new Error('of the host')
      },
    })
    for (const claimed of [proxy, throwing, { [brand]: '1' }, { ...defineRuntime({ tenant: acme }) }]) {
      expect(await codeOf(() => createRuntime(claimed as never, { store: 'memory:' }))).toBe('INVALID_INPUT')
    }
  })
})

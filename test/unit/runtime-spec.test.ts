import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  defineDataEnvironment,
  defineReference,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  defineTool,
  TenantMismatchError,
  withTenant,
} from '../../ts/index.ts'
import { tenantPart, topologyJson, topologyOf } from '../../ts/spec/dump/dump-parts.ts'
import { runtimeSpecFromDump } from '../../ts/spec/dump/from-dump.ts'
import { acme, globex, issuesOf, pathsOf, team } from './support.ts'

function isDeeplyFrozen(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true
  return Object.isFrozen(value) && Object.values(value).every(isDeeplyFrozen)
}

describe('defineRuntime', () => {
  it('needs no more than a tenant', () => {
    const spec = defineRuntime({ tenant: acme })
    expect(JSON.stringify(spec)).toBe(
      '{"bailiwick":1,"tenant":{"resourceId":"acme","version":"v1"},"agents":[],"tools":[],"references":[],"plans":[],' +
        '"providers":{},"limits":{},"retention":{}}',
    )
  })

  it('registers the parts of agents and tools, each once', () => {
    const { agents, search, table, report } = team()
    const spec = defineRuntime({ tenant: acme, agents })
    expect(spec.agents).toEqual(agents)
    expect(spec.tools).toEqual([search])
    expect(spec.references).toEqual([table])
    expect(spec.plans).toEqual([report])
    expect(spec.tools[0]).toBe(search)
  })

  it('copies its input and does not freeze it', () => {
    const limits = { items: { references: 10 }, run: { maxSteps: 5 } }
    const providers = { test: { apiKeyEnv: 'TEST_KEY' } }
    const spec = defineRuntime({ tenant: acme, limits, providers })
    limits.items.references = 11
    providers.test.apiKeyEnv = 'OTHER_KEY'
    expect(spec.limits).toEqual({ items: { references: 10 }, run: { maxSteps: 5 } })
    expect(spec.providers).toEqual({ test: { apiKeyEnv: 'TEST_KEY' } })
  })

  it('reads its own dump back, byte for byte', () => {
    const spec = defineRuntime({
      tenant: acme,
      agents: team().agents,
      providers: { zeta: {}, alpha: { baseUrlEnv: 'ALPHA_URL', apiKeyEnv: 'ALPHA_KEY' } },
      dataEnvironment: defineDataEnvironment({ databases: { sales: { urlEnv: 'SALES_URL' } } }),
      context: { keepMessages: 2, compact: 'outline', maxTokens: 9 },
      retention: { cache: { ttlMs: null }, references: { ttlMs: 1 } },
      limits: { run: { maxTokens: 9, maxSteps: 1 }, bytes: 5, items: { traces: 2, plans: 1 } },
    })
    const text = JSON.stringify(spec)
    const again = runtimeSpecFromDump(JSON.parse(text))
    expect(JSON.stringify(again)).toBe(text)
    expect(again).toEqual(spec)
    expect(isDeeplyFrozen(spec)).toBe(true)
    expect(isDeeplyFrozen(again)).toBe(true)
    expect(Object.keys(spec.toJSON())).toEqual([
      'bailiwick',
      'tenant',
      'agents',
      'tools',
      'references',
      'plans',
      'providers',
      'dataEnvironment',
      'context',
      'limits',
      'retention',
    ])
  })

  it('reports every problem at once, each with its place', () => {
    const { front, analyst } = team()
    const issues = issuesOf(() =>
      defineRuntime({
        tenant: { resourceId: '', version: 'v1' },
        agents: [front, analyst, { ...front, name: 'second' }, { ...analyst, modle: 'x/y' } as never],
        providers: { 'Not a name': {}, fine: { apiKeyEnv: 'https://secret' } },
        limits: { bytes: 0, item: {} } as never,
        retention: { cache: { ttlMs: -1 } },
        agent: [],
      } as never),
    )
    expect(issues.map((issue) => issue.path).sort()).toEqual(
      [
        'agent',
        'agents[0].routes[1]',
        'agents[2].role',
        'agents[2].routes[1]',
        'agents[3].modle',
        'agents[3].name',
        'limits.bytes',
        'limits.item',
        'providers.fine.apiKeyEnv',
        'providers["Not a name"]',
        'retention.cache.ttlMs',
        'tenant.resourceId',
      ].sort(),
    )
    expect(JSON.stringify(issues)).not.toContain('secret')
  })

  it('refuses one name with two definitions, where the second is held', () => {
    const one = defineTool({ name: 'go', description: 'One', input: { type: 'object' } })
    const two = defineTool({ name: 'go', description: 'Two', input: { type: 'object' } })
    const first = defineSpecialist({ name: 'first', model: 'a/b', prompt: 'x', tools: [one] })
    const second = defineSpecialist({ name: 'second', model: 'a/b', prompt: 'x', tools: ['other', two] })
    expect(pathsOf(() => defineRuntime({ tenant: acme, agents: [first, second] }))).toEqual([
      'agents[1].tools[1]',
      'agents[1].tools[0]',
    ])
    const small = defineReference({ name: 'table', ttlMs: 1 })
    const large = defineReference({ name: 'table', ttlMs: 2 })
    const holder = defineTool({ name: 'holds', description: 'x', input: { type: 'object' }, result: large })
    expect(pathsOf(() => defineRuntime({ tenant: acme, tools: [holder], references: [small] }))).toEqual([
      'tools[0].result',
    ])
  })

  it('accepts equal definitions as one, unless their schemas differ beyond JSON Schema', () => {
    const make = (input: z.ZodType) => defineTool({ name: 'go', description: 'x', input })
    const agentWith = (name: string, tool: ReturnType<typeof make>) =>
      defineSpecialist({ name, model: 'a/b', prompt: 'x', tools: [tool] })
    const schema = z.object({ a: z.string() })
    const refined = schema.refine((value) => value.a !== 'b')
    const same = defineRuntime({ tenant: acme, agents: [agentWith('a', make(schema)), agentWith('b', make(schema))] })
    expect(same.tools).toHaveLength(1)
    const differing = [agentWith('a', make(schema)), agentWith('b', make(refined))]
    expect(pathsOf(() => defineRuntime({ tenant: acme, agents: differing }))).toEqual(['agents[1].tools[0]'])
  })

  it('refuses the data environment of another tenant, before any other problem and without its name', () => {
    const dataEnvironment = defineDataEnvironment({ tenantId: 'initech' })
    const define = () => defineRuntime({ tenant: acme, dataEnvironment, limits: { bytes: -1 } })
    expect(define).toThrow(TenantMismatchError)
    expect(define).not.toThrow(/initech/)
    const own = defineRuntime({ tenant: defineTenant('initech', 'v1'), dataEnvironment })
    expect(() => withTenant(own, acme)).toThrow(TenantMismatchError)
    expect(withTenant(own, defineTenant('initech', 'v2')).tenant.version).toBe('v2')
    const dump = { ...JSON.parse(JSON.stringify(own)), tenant: acme }
    expect(() => runtimeSpecFromDump(dump)).toThrow(TenantMismatchError)
  })
})

describe('withTenant', () => {
  it('shares the topology and changes nothing but the tenant', () => {
    const one = defineRuntime({ tenant: acme, agents: team().agents, limits: { bytes: 10 } })
    const two = withTenant(one, globex)
    expect(two.agents).toBe(one.agents)
    expect(topologyOf(two)).toBe(topologyOf(one))
    expect(topologyJson(two)).toBe(topologyJson(one))
    expect(topologyJson(one)).not.toContain('acme')
    expect(tenantPart(two)).toEqual({ tenant: globex, limits: { bytes: 10 }, retention: {} })
    expect({ ...two.toJSON(), tenant: acme }).toEqual(one.toJSON())
    expect(Object.isFrozen(two)).toBe(true)
  })

  it('shows the version in the dump only', () => {
    const one = defineRuntime({ tenant: acme })
    const two = withTenant(one, defineTenant('acme', 'v2'))
    expect(JSON.stringify(two)).toBe(JSON.stringify(one).replace('"v1"', '"v2"'))
    expect(topologyJson(two)).toBe(topologyJson(one))
  })

  it('checks the tenant, the limits and the retention', () => {
    const spec = defineRuntime({ tenant: acme, limits: { bytes: 1 }, retention: { cache: { ttlMs: 5 } } })
    const own = withTenant(spec, globex, { limits: { bytes: 2 } })
    expect(tenantPart(own)).toEqual({ tenant: globex, limits: { bytes: 2 }, retention: { cache: { ttlMs: 5 } } })
    expect(isDeeplyFrozen(own)).toBe(true)
    expect(pathsOf(() => withTenant(spec, { resourceId: 'a\u0000', version: '' }))).toEqual(['resourceId', 'version'])
    const wrong = { limits: { items: { plan: 1 } }, retention: { cache: { ttlMs: 1.5 } } } as never
    expect(pathsOf(() => withTenant(spec, globex, wrong))).toEqual(['limits.items.plan', 'retention.cache.ttlMs'])
    expect(pathsOf(() => withTenant({ ...spec } as never, globex))).toEqual([''])
  })
})

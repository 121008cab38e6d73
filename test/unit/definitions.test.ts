import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import * as mini from 'zod/mini'
import {
  defineCoordinator,
  defineDataEnvironment,
  defineExecutor,
  definePlan,
  definePlanner,
  defineReference,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  defineTool,
  type Schema,
} from '../../ts/index.ts'
import { standardSchemasOf } from '../../ts/spec/definitions/handlers.ts'
import { issuesOf, pathsOf, team } from './support.ts'

const schema = z.object({ text: z.string().min(1), limit: z.number().default(10) })
const go = { name: 'go', description: 'Goes' } as const
const input = { type: 'object', properties: { where: { type: 'string' } } } as const

describe('defineTool', () => {
  it('takes a Standard Schema, dumps its JSON Schema and keeps the schema off the dump', () => {
    const tool = defineTool({ ...go, input: schema, output: z.string() })
    expect(JSON.parse(JSON.stringify(tool))).toEqual({
      name: 'go',
      description: 'Goes',
      input: {
        $schema: 'https://json-schema.org/draft/2020-12/schema',
        type: 'object',
        properties: { text: { type: 'string', minLength: 1 }, limit: { type: 'number', default: 10 } },
        required: ['text'],
      },
      output: { $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'string' },
      approval: 'never',
      effects: 'write',
      onInterrupted: 'ask',
    })
    expect(standardSchemasOf(tool)['input']).toBe(schema)
    expect(Object.getOwnPropertySymbols(structuredClone(tool))).toEqual([])
    expect(Object.isFrozen(tool.input)).toBe(true)
  })

  it('takes schemas that are functions', () => {
    const callable = Object.assign(() => undefined, {
      '~standard': {
        version: 1 as const,
        vendor: 'callable',
        validate: (value: unknown) => ({ value }),
        jsonSchema: { input: () => ({ type: 'object' }) },
      },
    })
    const tool = defineTool({ ...go, input: callable })
    expect(tool.input).toEqual({ type: 'object' })
    expect(standardSchemasOf(tool)['input']).toBe(callable)
  })

  it('copies a JSON Schema', () => {
    const own = { type: 'object', properties: { a: { type: 'string' } } }
    const tool = defineTool({ ...go, input: own })
    own.properties.a.type = 'number'
    expect(tool.input).toEqual({ type: 'object', properties: { a: { type: 'string' } } })
    expect(Object.isFrozen(own)).toBe(false)
  })

  it('says what to do about a schema without a JSON Schema', () => {
    expect(issuesOf(() => defineTool({ ...go, input: mini.object({}) as never }))).toEqual([
      { path: 'input', message: expect.stringMatching(/zod 4\.2 or newer \(not zod\/mini\)/) },
    ])
    expect(issuesOf(() => defineTool({ ...go, input: z.object({ at: z.date() }) }))).toEqual([
      { path: 'input', message: expect.stringMatching(/Date cannot be represented/) },
    ])
  })

  it('refuses an input that is not an object, and an invalid schema', () => {
    expect(pathsOf(() => defineTool({ ...go, input: z.string() }))).toEqual(['input'])
    for (const wrong of [undefined, null, 'string', 5, true, [], new Date(), () => undefined]) {
      expect(pathsOf(() => defineTool({ ...go, input: wrong as never }))).toEqual(['input'])
    }
  })

  it('only properties of the input can hold references', () => {
    const table = defineReference({ name: 'table' })
    const tool = defineTool({ ...go, input, references: { where: table }, result: table })
    expect([tool.references, tool.result]).toEqual([{ where: 'table' }, 'table'])
    expect(pathsOf(() => defineTool({ ...go, input, references: { were: table } }))).toEqual(['references.were'])
  })

  it('a schema that contains itself has one problem, and ends every walk', () => {
    const cyclic: Record<string, unknown> = { type: 'object' }
    cyclic['properties'] = { self: cyclic }
    const referring: Record<string, unknown> = { $ref: 'elsewhere' }
    referring['properties'] = { self: referring }
    expect(pathsOf(() => defineTool({ ...go, input: cyclic }))).toEqual(['input.properties.self'])
    expect(pathsOf(() => defineTool({ ...go, input: referring }))).toContain('input.properties.self')
  })

  it('takes a reference to the schema itself, however it is written', () => {
    for (const $ref of ['', '#']) {
      const node = { type: 'object', properties: { next: { $ref } } }
      expect(defineTool({ ...go, input: node }).input).toEqual(node)
    }
  })

  it('reports the type of an input that is not an object, with advice', () => {
    const [a, b] = [z.object({ kind: z.literal('a') }), z.object({ kind: z.literal('b') })]
    const wrap = 'Wrap it: z.object({ request: … })'
    const inputs: readonly [Schema, string, string][] = [
      [z.union([a, b]), '"anyOf" and no "type"', wrap],
      [z.discriminatedUnion('kind', [a, b]), '"oneOf" and no "type"', wrap],
      [a.nullable(), '"anyOf" and no "type"', wrap],
      [{ allOf: [{ type: 'object' }] }, '"allOf" and no "type"', wrap],
      [{ type: ['object', 'null'] }, '"type": ["object","null"]', wrap],
      [z.string(), '"type": "string"', wrap],
      [{}, 'has no "type"', wrap],
      [{ properties: {} }, '"properties" and no "type"', 'Add "type": "object".'],
    ]
    for (const [schema, found, advice] of inputs) {
      const message = issuesOf(() => defineTool({ ...go, input: schema }))[0]?.message
      expect(message).toContain('schema of an object')
      expect(message).toContain('the tool "go"')
      expect(message).toContain(found)
      expect(message).toContain(advice)
    }
  })

  it('refuses values that JSON would drop or change', () => {
    const cyclic: Record<string, unknown> = { type: 'object' }
    cyclic['self'] = { cyclic }
    const wrong = (extra: object) => pathsOf(() => defineTool({ ...go, input: { type: 'object', ...extra } }))
    expect(pathsOf(() => defineTool({ ...go, input: cyclic }))).toEqual(['input.self.cyclic'])
    expect(wrong({ a: Number.NaN, b: 1n, c: new Map(), d: Symbol('x') })).toEqual(
      ['a', 'b', 'c', 'd'].map((key) => `input.${key}`),
    )
    expect(wrong({ const: '\ud800', ['\udfff']: 1 })).toEqual(['input.const', 'input["\\udfff"]'])
    expect(wrong({ enum: [undefined], check: () => true })).toEqual(['input.enum[0]', 'input.check'])
    expect(wrong(JSON.parse('{"properties":{"__proto__":{}}}'))).toEqual(['input.properties.__proto__'])
  })

  it('omits undefined members and keeps one shared object where it appears twice', () => {
    const shared = { type: 'string' }
    const own = { type: 'object', title: undefined, properties: { a: shared, b: shared } }
    const tool = defineTool({ ...go, input: own, timeoutMs: undefined as never })
    expect(JSON.stringify(tool.input)).toBe(
      '{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}}}',
    )
  })
})

describe('the roles', () => {
  it('each helper gives a frozen agent of its role, tools and plans by name', () => {
    const { front, analyst, planner, executor } = team()
    expect([front, analyst, planner, executor].map((agent) => agent.role)).toEqual([
      'coordinator',
      'specialist',
      'planner',
      'executor',
    ])
    expect([front, analyst, planner, executor].every(Object.isFrozen)).toBe(true)
    expect(JSON.stringify(planner)).toBe(
      '{"role":"planner","name":"planner","model":["test/big","test/small"],"prompt":"Plan.","plan":"report","tools":[]}',
    )
    expect(analyst.tools).toEqual(['search'])
  })

  it('the keys of a dump do not depend on the order in which they were written', () => {
    const one = defineSpecialist({ name: 'one', description: 'x', model: 'a/b', prompt: 'y', limits: { maxSteps: 1 } })
    const two = defineSpecialist({ limits: { maxSteps: 1 }, prompt: 'y', model: 'a/b', description: 'x', name: 'one' })
    expect(JSON.stringify(one)).toBe(JSON.stringify(two))
  })

  it('every problem of an agent is reported at once', () => {
    const wrong = { name: 'Front', model: 'small', prompt: '', routes: [], tool: [], limits: { maxSteps: 0 } }
    expect(pathsOf(() => defineCoordinator(wrong as never)).sort()).toEqual(
      ['limits.maxSteps', 'model', 'name', 'prompt', 'routes', 'tool'].sort(),
    )
    expect(pathsOf(() => defineCoordinator({ ...wrong, name: 'a', routes: ['a', 'b', 'b'] } as never))).toEqual(
      expect.arrayContaining(['routes[0]', 'routes[2]']),
    )
    expect(pathsOf(() => definePlanner({ name: 'a', model: 'a/b', prompt: 'x' } as never))).toEqual(['plan'])
    expect(pathsOf(() => defineExecutor({ name: 'a' } as never))).toEqual(['tools'])
    expect(pathsOf(() => defineSpecialist({ role: 'planner', name: 'a', model: 'a/b', prompt: 'x' } as never))).toEqual(
      ['role'],
    )
    for (const nothing of [undefined, null, 'x', []]) {
      expect(pathsOf(() => defineSpecialist(nothing as never))).toEqual([''])
    }
  })

  it('routes are agents or names; agents join the spec with their tools', () => {
    const { analyst } = team()
    const asked = { model: 'a/b', prompt: 'x' }
    const writer = defineSpecialist({ name: 'writer', ...asked })
    const front = defineCoordinator({ name: 'front', ...asked, routes: [analyst, 'writer'] })
    expect(front.routes).toEqual(['analyst', 'writer'])
    const tenant = defineTenant('acme', 'v1')
    const spec = defineRuntime({ tenant, agents: [front, writer] })
    expect(spec.agents.map(({ name }) => name)).toEqual(['front', 'writer', 'analyst'])
    expect(spec.tools.map(({ name }) => name)).toEqual(['search'])
    expect(spec.agents[2]).toBe(analyst)
    expect(JSON.stringify(defineRuntime({ tenant, agents: [front, writer, analyst] }).agents)).toContain('"analyst"')
    const other = defineSpecialist({ name: 'analyst', ...asked, prompt: 'Otherwise.' })
    expect(pathsOf(() => defineRuntime({ tenant, agents: [front, writer, other] }))).toEqual(['agents[0].routes[0]'])
  })

  it('an unknown name is reported with the known ones and the closest match', () => {
    const { search } = team()
    const asked = { model: 'a/b', prompt: 'x' }
    const agents = [
      defineCoordinator({ name: 'front', ...asked, routes: ['anlyst'] }),
      defineSpecialist({ name: 'analyst', ...asked, tools: ['serch'] }),
      definePlanner({ name: 'planner', ...asked, plan: 'report' }),
    ]
    const issues = issuesOf(() =>
      defineRuntime({ tenant: defineTenant('acme', 'v1'), agents, tools: [search] } as never),
    )
    expect(Object.fromEntries(issues.map(({ path, message }) => [path, message]))).toEqual({
      'agents[0].routes[0]':
        'No agent "anlyst" is registered. Did you mean "analyst"? Registered are "front", "analyst", "planner".',
      'agents[1].tools[0]': 'No tool "serch" is registered. Did you mean "search"? Registered are "search".',
      'agents[2].plan': 'No plan type "report" is registered: there are none.',
    })
  })

  it('tools are tools or names', () => {
    const tool = defineTool({ ...go, input })
    const agent = (tools: unknown) => () => defineSpecialist({ name: 'a', model: 'a/b', prompt: 'x', tools } as never)
    expect(agent([tool, 'other'])().tools).toEqual(['go', 'other'])
    expect(pathsOf(agent([tool, 'go']))).toEqual(['tools[1]'])
    expect(pathsOf(agent([null, {}, 5]))).toEqual(['tools[0]', 'tools[1]', 'tools[2]'])
    expect(pathsOf(agent('go'))).toEqual(['tools'])
  })
})

describe('reference types, plan types, data environments', () => {
  it('are frozen JSON in a fixed order', () => {
    const type = defineReference({ glimpse: false, ttlMs: 5, mediaType: 'text/csv', schema, name: 'rows' })
    expect(Object.keys(type)).toEqual(['name', 'schema', 'mediaType', 'ttlMs', 'glimpse'])
    expect(standardSchemasOf(type)['schema']).toBe(schema)
    expect(standardSchemasOf(definePlan({ name: 'plan', details: schema }))['details']).toBe(schema)
    expect(Object.isFrozen(type.schema)).toBe(true)
  })

  it('a data environment holds names of variables, never their values', () => {
    const url = 'postgres://user:hunter2@host/db'
    const issues = issuesOf(() => defineDataEnvironment({ databases: { sales: { urlEnv: url } } }))
    expect(issues.map((issue) => issue.path)).toEqual(['databases.sales.urlEnv'])
    expect(JSON.stringify(issues)).not.toContain('hunter2')
    expect(pathsOf(() => defineDataEnvironment({ tenantId: 'a\n' }))).toEqual(['tenantId'])
  })
})

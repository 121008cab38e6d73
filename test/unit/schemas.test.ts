import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  definePlan,
  defineReference,
  defineSpecialist,
  defineTool,
  type JsonSchema,
  type StandardSchema,
} from '../../ts/index.ts'
import { standardSchemasOf } from '../../ts/spec/definitions/handlers.ts'
import { countedAnew, rootInPlace } from '../../ts/spec/schema/json-schema.ts'
import { issuesOf } from './support.ts'

const go = { name: 'go', description: 'Goes' } as const

/** A Standard Schema of a library that is not installed here. */
function made(json: JsonSchema, validate?: StandardSchema['~standard']['validate'], vendor = 'made') {
  const standard = { version: 1, vendor, jsonSchema: { input: () => json } } as const
  return { '~standard': validate === undefined ? standard : { ...standard, validate } } as StandardSchema
}

describe('a root that is a reference', () => {
  test('a named or recursive object stands in place of the reference, and the definitions stay', () => {
    const named = defineTool({ ...go, input: z.object({ a: z.string() }).meta({ id: 'Input' }) })
    expect(named.input).toMatchObject({ type: 'object', properties: { a: { type: 'string' } }, required: ['a'] })
    expect(named.input).not.toHaveProperty('$ref')
    expect(named.input['$defs']).toEqual({
      Input: { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] },
    })
    const node: z.ZodType = z.object({ v: z.string(), next: z.lazy(() => node).optional() }).meta({ id: 'Node<ä b>' })
    const recursive = defineTool({ ...go, input: node as z.ZodObject })
    expect(recursive.input).toMatchObject({ type: 'object', properties: { next: { $ref: '#/$defs/Node<ä b>' } } })
    expect(recursive.input['$defs']).toHaveProperty(['Node<ä b>', 'properties', 'next'])
  })

  const target = { type: 'object', properties: { a: { $ref: '#/$defs/A' } } }
  test.each([
    ['a pointer', { $ref: '#/$defs/A', $defs: { A: target } }, { ...target, $defs: { A: target } }],
    [
      'an encoded pointer',
      { $ref: '#/$defs/a%20b', $defs: { 'a b': target } },
      { ...target, $defs: { 'a b': target } },
    ],
    ['definitions', { $ref: '#/definitions/A', definitions: { A: target } }, { ...target, definitions: { A: target } }],
    [
      'a chain',
      { $ref: '#/$defs/B', $defs: { B: { $ref: '#/$defs/A' }, A: target } },
      { ...target, $defs: { B: { $ref: '#/$defs/A' }, A: target } },
    ],
    [
      'an id',
      { $ref: 'A', $defs: { A: { $id: 'A', type: 'object', properties: { next: { $ref: 'A' } } } } },
      {
        type: 'object',
        properties: { next: { $ref: 'A' } },
        $defs: { A: { $id: 'A', type: 'object', properties: { next: { $ref: 'A' } } } },
      },
    ],
    [
      'a title beside it, which counts',
      { $ref: '#/$defs/A', title: 'Mine', $defs: { A: { ...target, title: 'Its' } } },
      { ...target, title: 'Mine', $defs: { A: { ...target, title: 'Its' } } },
    ],
    [
      'a constraint beside it, which cannot be put together',
      { $ref: '#/$defs/A', required: ['a'], $defs: { A: target } },
      { type: 'object', $ref: '#/$defs/A', required: ['a'], $defs: { A: target } },
    ],
    ['itself', { $ref: '#' }, { $ref: '#' }],
    ['a circle', { $ref: '#/$defs/A', $defs: { A: { $ref: '#/$defs/A' } } }, undefined],
    ['nothing', { $ref: '#/$defs/A' }, { $ref: '#/$defs/A' }],
  ])('a reference at the root to %s', (_, schema, expected) => {
    if (expected !== undefined) expect(rootInPlace(schema)).toEqual(expected)
    else expect(rootInPlace(schema)).toHaveProperty('$ref')
  })

  test('a schema without such a reference stays the same, byte for byte', () => {
    const schemas: JsonSchema[] = [
      { type: 'object', $ref: '#/$defs/A', $defs: { A: target } },
      { type: 'object', properties: { a: { $ref: '#/$defs/intersection7' } }, $defs: { intersection7: {} } },
      { $defs: { B: {} }, type: 'object' },
    ]
    for (const input of schemas) {
      expect(JSON.stringify(defineTool({ ...go, input }).input)).toBe(JSON.stringify(input))
      expect(JSON.stringify(defineTool({ ...go, input: made(input) }).input)).toBe(JSON.stringify(input))
    }
    const output = { $ref: '#/$defs/A', $defs: { A: { type: 'number' } } }
    expect(defineTool({ ...go, input: { type: 'object' }, output }).output).toEqual(output)
  })

  test('definitions that a library counts through the process get the same names whatever it counted before', () => {
    const counted = (first: number) => {
      const [tree, node, list] = [`intersection${first}`, `intersection${first + 7}`, `type${first + 3}`]
      return {
        $ref: `#/$defs/${tree}`,
        $defs: {
          [list]: { type: 'array', items: { $ref: `#/$defs/${node}` } },
          [node]: { type: 'object', properties: { next: { $ref: `#/$defs/${node}` } } },
          mine1: { type: 'string' },
          [tree]: { type: 'object', properties: { list: { $ref: `#/$defs/${list}` }, a: { $ref: '#/$defs/mine1' } } },
        },
      }
    }
    const ofLibrary = (first: number) => defineTool({ ...go, input: made(counted(first), undefined, 'arktype') }).input
    expect(JSON.stringify(ofLibrary(93))).toBe(JSON.stringify(ofLibrary(4)))
    expect(Object.keys(ofLibrary(4)['$defs'] as object).sort()).toEqual([
      'intersection1',
      'intersection4',
      'mine2',
      'type3',
    ])
    expect(countedAnew({ type: 'object' }, /^(\w+?)\d+$/)).toEqual({ type: 'object' })
  })
})

describe('what is known of a JSON Schema when it is defined', () => {
  const property = (schema: unknown) => ({ type: 'object', properties: { a: schema } })
  test.each([
    ['a type of draft 3', property({ type: 'any' }), 'type', '/properties/a/type'],
    ['a bound of draft 4', property({ exclusiveMinimum: true }), 'exclusiveMinimum', '/properties/a/exclusiveMinimum'],
    ['a list of draft 7', property({ items: [{}] }), 'items', '/properties/a/items'],
    ['required of draft 3', property({ required: true }), 'required', '/properties/a/required'],
    ['a negative length', property({ minLength: -1 }), 'minLength', '/properties/a/minLength'],
    ['no alternatives', property({ anyOf: [] }), 'anyOf', '/properties/a/anyOf'],
    ['a remote reference', property({ $ref: 'https://example.com/a.json' }), '$ref', '/properties/a/$ref'],
    ['a reference to nothing', property({ $ref: '#/$defs/B' }), '$ref', '/properties/a/$ref'],
    [
      'a reference to nothing in a definition that is used',
      { ...property({ $ref: '#/$defs/B' }), $defs: { B: { items: { $ref: '#/$defs/C' } } } },
      '$ref',
      '#/$defs/B/items/$ref',
    ],
  ])('%s is refused with the tool, the keyword and the place', (_, schema, keyword, place) => {
    const [issue, ...more] = issuesOf(() => defineTool({ ...go, input: schema as JsonSchema }))
    expect(more).toEqual([])
    expect(issue?.path).toMatch(/^input\.(properties\.a|\$defs\.B)/)
    expect(issue?.message).toContain(`In the schema of the tool "go", keyword "${keyword}" at "${place}"`)
  })

  test('the same for outputs, references, plans and agents', () => {
    const wrong = { type: 'object', properties: { a: { type: 'any' } } }
    const agent = { name: 'a', model: 'a/b', prompt: 'x' } as const
    for (const [define, said] of [
      [() => defineTool({ ...go, input: { type: 'object' }, output: wrong }), 'the tool "go"'],
      [() => defineReference({ name: 'table', schema: wrong }), 'the reference type "table"'],
      [() => definePlan({ name: 'plan', details: wrong }), 'the plan type "plan"'],
      [() => defineSpecialist({ ...agent, output: wrong }), 'the agent "a"'],
    ] as const) {
      expect(issuesOf(define)).toEqual([
        { path: expect.stringMatching(/\.a\.type$/), message: expect.stringContaining(said) },
      ])
    }
  })

  test.each([
    [
      'draft 4 by its name',
      { $schema: 'http://json-schema.org/draft-04/schema#', ...property({ exclusiveMinimum: true }) },
    ],
    ['draft 7 by its name', { $schema: 'http://json-schema.org/draft-07/schema#', ...property({ items: [{}] }) }],
    [
      'data that looks like schemas',
      property({ const: { type: 'any' }, enum: [{ $ref: '#/x' }], default: { type: 1 } }),
    ],
    [
      'properties with the names of keywords',
      { type: 'object', properties: { type: {}, items: { type: 'array' }, $ref: {} } },
    ],
    ['definitions that nothing refers to', { type: 'object', $defs: { A: { $ref: '#/$defs/none' } } }],
    ['references below ids, which the core follows', { type: 'object', $id: 'x', properties: { a: { $ref: 'y' } } }],
    ["the drafts' own schemas", property({ $ref: 'https://json-schema.org/draft/2020-12/schema' })],
    ['unknown keywords', property({ nullable: true, 'x-order': 1, required: ['b'] })],
  ])('%s is taken', (_, input) => {
    expect(defineTool({ ...go, input: input as JsonSchema }).input).toEqual(input)
  })
})

describe('what a Standard Schema can do', () => {
  test('one without validate counts as its JSON Schema', () => {
    const input = { type: 'object', properties: { a: { type: 'string' } } }
    const tool = defineTool({ ...go, input: made(input), output: made({ type: 'string' }) })
    expect(tool.input).toEqual(input)
    expect(standardSchemasOf(tool)).toEqual({})
    expect(issuesOf(() => defineTool({ ...go, input: { '~standard': { version: 1, vendor: 'x' } } as never }))).toEqual(
      [{ path: 'input', message: expect.stringContaining('cannot give its JSON Schema') }],
    )
  })

  test('properties that take anything by their JSON Schema and no JSON by the schema are warned of, once', async () => {
    const json = {
      type: 'object',
      properties: {
        when: {},
        any: {},
        list: { type: 'array', items: { description: 'a date' } },
        text: { type: 'string' },
      },
    }
    const asked: unknown[] = []
    const input = made(json, (value) => {
      asked.push(value)
      const { when, list = [] } = value as { when?: unknown; list?: unknown[] }
      const issues = [
        ...(when instanceof Date ? [] : [{ message: 'must be a Date', path: ['when'] }]),
        ...list.map((_, at) => ({ message: 'must be a Date', path: ['list', { key: at }] })),
      ]
      return { issues }
    })
    const warning = once(process, 'warning')
    defineTool({ name: 'book', description: 'Books', input })
    const [said] = (await warning) as [Error & { code?: string }]
    expect(said.code).toBe('BAILIWICK_SCHEMA_TAKES_ANYTHING')
    expect(said.message).toContain('the tool "book" takes anything at "when", "list.[]", but')
    const before = asked.length
    defineTool({ name: 'book', description: 'Books', input })
    expect(asked.length).toBe(before)
    // What throws, answers later or takes some of it says nothing, and nothing is asked where no place is open.
    const validators: StandardSchema['~standard']['validate'][] = [
      () => {
        throw new Error('x')
      },
      () => Promise.reject(new Error('x')),
      (value) => ({ value }),
    ]
    let warnings = 0
    const count = () => {
      warnings += 1
    }
    process.on('warning', count)
    for (const [at, validate] of validators.entries()) {
      defineTool({ name: `quiet${at}`, description: 'Quiet', input: made(json, validate) })
    }
    defineTool({ name: 'unknown', description: 'Unknown', input: z.object({ a: z.unknown(), b: z.any() }) })
    await new Promise((resolve) => setImmediate(resolve))
    process.off('warning', count)
    expect(warnings).toBe(0)
  })
})

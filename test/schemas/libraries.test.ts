import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { scriptedModel } from 'bailiwick/testing'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  createRuntime,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  defineTool,
  type JsonSchema,
  type ModelEvent,
  type Schema,
} from '../../ts/index.ts'
import { standardSchemasOf } from '../../ts/spec/definitions/handlers.ts'
import * as libraries from './libraries/index.js'

// biome-ignore lint/suspicious/noExplicitAny: what is installed beside the tests has no types where it is not
const { arktype, effect, toStandardJsonSchema, typebox, valibot } = libraries as any

interface Library {
  /** What is installed, by the package's name. */
  readonly packages: readonly string[]
  /** `{ text, limit = 10 }` */
  readonly flat: Schema
  /** What its handler gets for `{ text: 'x' }`. */
  readonly filled: object
  /** `{ value, children: … }` */
  readonly tree: Schema
  /** `{ when }`, a date that travels as a text. `undefined`: the library cannot say it. */
  readonly date?: Schema
}

const effectFlat = effect.Struct({ text: effect.String, limit: effect.optional(effect.Int) })
const effectTree = effect
  .Struct({ value: effect.String, children: effect.Array(effect.suspend(() => effectTree)) })
  .annotate({
    identifier: 'Tree',
  })
const both = (schema: unknown) => effect.toStandardSchemaV1(effect.toStandardJSONSchemaV1(schema))
const valibotTree = valibot.object({
  value: valibot.string(),
  children: valibot.array(valibot.lazy(() => valibotTree)),
})

const table: { readonly [name: string]: Library } = {
  zod: {
    packages: ['zod'],
    flat: z.object({ text: z.string(), limit: z.number().default(10) }),
    filled: { text: 'x', limit: 10 },
    tree: z
      .object({
        value: z.string(),
        get children() {
          return z.array(table['zod']?.tree as z.ZodType)
        },
      })
      .meta({ id: 'Tree of a shop' }),
    date: z.object({ when: z.iso.datetime().transform((text) => new Date(text)) }),
  },
  arktype: {
    packages: ['arktype'],
    flat: arktype({ text: 'string', limit: 'number = 10' }),
    filled: { text: 'x', limit: 10 },
    tree: arktype({ value: 'string', children: 'this[]' }),
    date: arktype({ when: 'string.date.parse' }),
  },
  valibot: {
    packages: ['valibot', '@valibot/to-json-schema'],
    flat: toStandardJsonSchema(
      valibot.object({ text: valibot.string(), limit: valibot.optional(valibot.number(), 10) }),
    ),
    filled: { text: 'x', limit: 10 },
    tree: toStandardJsonSchema(valibotTree),
    date: toStandardJsonSchema(
      valibot.object({
        when: valibot.pipe(
          valibot.string(),
          valibot.transform((text: string) => new Date(text)),
        ),
      }),
    ),
  },
  effect: {
    packages: ['effect'],
    flat: both(effectFlat),
    filled: { text: 'x' },
    tree: both(effectTree),
    date: both(effect.Struct({ when: effect.DateFromString })),
  },
  'effect, JSON Schema alone': {
    packages: ['effect'],
    flat: effect.toStandardJSONSchemaV1(effectFlat),
    filled: { text: 'x' },
    tree: effect.toStandardJSONSchemaV1(effectTree),
  },
  typebox: {
    packages: ['typebox'],
    flat: typebox.Object({ text: typebox.String(), limit: typebox.Optional(typebox.Number({ default: 10 })) }),
    filled: { text: 'x' },
    tree: typebox.Cyclic(
      { Tree: typebox.Object({ value: typebox.String(), children: typebox.Array(typebox.Ref('Tree')) }) },
      'Tree',
    ),
  },
}

const root = new URL('../..', import.meta.url)
const usage = { inputTokens: 1, outputTokens: 1 }

/** The version that is installed. */
function versionOf(name: string): string {
  const folder = name === 'zod' ? root : new URL('test/schemas/libraries/', root)
  const text = readFileSync(new URL(`node_modules/${name}/package.json`, folder), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

/** What a handler gets for an input that a model writes, or what the model is told instead. */
async function called(schema: Schema, input: object, approval: 'never' | 'always' = 'never'): Promise<unknown> {
  const tool = defineTool({ name: 'take', description: 'Takes', input: schema, approval })
  const agent = defineSpecialist({ name: 'one', model: 'test/any', prompt: 'x', tools: [tool] })
  const spec = defineRuntime({ tenant: defineTenant('acme', 'v1'), agents: [agent] })
  const call: ModelEvent = { type: 'tool.call', callId: '1', tool: 'take', input: JSON.stringify(input) }
  const model = scriptedModel([
    [call, { type: 'finish', reason: 'tool-calls', usage }],
    [
      { type: 'text.delta', id: 't', delta: 'Done' },
      { type: 'finish', reason: 'stop', usage },
    ],
  ])
  let given: unknown
  const take = (value: unknown) => {
    given = value
    return 'taken'
  }
  await using runtime = await createRuntime(spec, {
    store: 'memory:',
    models: { test: model },
    tools: { take } as never,
  })
  const run = runtime.query('Go')
  for await (const event of run) if (event.type === 'tool.failed') return event.error
  const result = await run.result()
  return result.status === 'suspended' ? 'asked' : given
}

const someTree = { value: 'a', children: [{ value: 'b', children: [] }] }

describe.each(Object.entries(table))('%s', (_, { flat, filled, tree, date }) => {
  test('an object, its defaults, and invalid input', async () => {
    expect(await called(flat, { text: 'x' })).toEqual(filled)
    expect(await called(flat, { text: 1 })).toMatchObject({ code: 'INPUT_INVALID' })
  })

  test('a recursive object, whose root is an object and whose names outlive the process', async () => {
    const { input } = defineTool({ name: 'take', description: 'Takes', input: tree })
    expect(input).toMatchObject({ type: 'object', properties: { value: { type: 'string' } } })
    expect(JSON.stringify(input)).not.toMatch(/[a-z]\d{2,}/)
    expect(await called(tree, someTree)).toEqual(someTree)
    expect(await called(tree, { value: 'a', children: [{ value: 1, children: [] }] })).toMatchObject({
      code: 'INPUT_INVALID',
      message: expect.stringMatching(/children/),
    })
  })

  test('a date that travels as a text', async () => {
    const when = '2026-01-02T03:04:05Z'
    const expected = date === undefined ? 'Unsaid' : { when: new Date(when) }
    expect(date === undefined ? 'Unsaid' : await called(date, { when })).toEqual(expected)
  })
})

test('a type of arktype is the same tool however many types were made before', () => {
  const made = () => arktype({ value: 'string', children: 'this[]' })
  const input = (schema: Schema) =>
    JSON.stringify(defineTool({ name: 'take', description: 'Takes', input: schema }).input)
  const first = input(made())
  arktype({ other: 'string', more: 'this[]' })
  expect(input(made())).toBe(first)
})

test('a Standard JSON Schema that does not validate counts as its JSON Schema', () => {
  const tool = defineTool({ name: 'take', description: 'Takes', input: effect.toStandardJSONSchemaV1(effectFlat) })
  expect(standardSchemasOf(tool)).toEqual({})
  expect(tool.input as JsonSchema).toMatchObject({ type: 'object', required: ['text'] })
})

test('a Date of arktype is warned of when the tool is defined; of valibot it is refused', async () => {
  const warning = once(process, 'warning')
  defineTool({
    name: 'meet',
    description: 'Meets',
    input: arktype({ when: 'Date', 'note?': 'unknown', who: 'string' }),
  })
  const [said] = (await warning) as [Error]
  expect(said.message).toContain('the tool "meet" takes anything at "when", but')
  const ofValibot = toStandardJsonSchema(valibot.object({ when: valibot.date() }))
  expect(() => defineTool({ name: 'meet', description: 'Meets', input: ofValibot })).toThrow(/cannot be converted/)
})

test('the table for docs/compatibility.md says what is installed and what was seen', async () => {
  const { rows } = JSON.parse(readFileSync(new URL('test/schemas/compatibility.json', root), 'utf8')) as {
    rows: unknown
  }
  const seen = Object.entries(table).map(([name, { packages, filled, tree, date }]) => [
    name,
    packages.map((installed) => `${installed} ${versionOf(installed)}`).join(', '),
    defineTool({ name: 'take', description: 'Takes', input: tree }).input['type'] === 'object' ? 'yes' : 'no',
    'limit' in filled ? 'yes' : 'no',
    date === undefined ? 'no' : 'yes',
  ])
  expect(rows).toEqual(seen)
})

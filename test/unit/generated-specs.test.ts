import fc from 'fast-check'
import { expect, it } from 'vitest'
import { defineReference, defineRuntime, defineSpecialist, defineTool, layeredPrompt } from '../../ts/index.ts'
import { topologyJson } from '../../ts/spec/dump/dump-parts.ts'
import { runtimeSpecFromDump } from '../../ts/spec/dump/from-dump.ts'
import { acme } from './support.ts'

const name = fc.stringMatching(/^[a-z][a-z0-9_-]{0,20}$/)
const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 })
const positive = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
const key = fc.string({ unit: 'grapheme', maxLength: 12 }).filter((candidate) => candidate !== '__proto__')
const { json } = fc.letrec((tie) => ({
  json: fc.oneof(
    { depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.string({ unit: 'grapheme' }),
    fc.array(tie('json'), { maxLength: 4 }),
    fc.dictionary(key, tie('json'), { maxKeys: 4 }),
  ),
}))
const jsonObject = fc.dictionary(key, json, { maxKeys: 5 })

/** Leaves out what is undefined, and writes the rest in any order. */
function shuffled<T extends object>(record: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return record.chain((value) => {
    const present = Object.entries(value).filter(([, property]) => property !== undefined)
    return fc
      .shuffledSubarray(present, { minLength: present.length })
      .map((entries) => Object.fromEntries(entries) as T)
  })
}

const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
const reference = shuffled(
  fc.record({
    name,
    description: optional(text),
    schema: optional(jsonObject),
    ttlMs: optional(positive),
    glimpse: optional(fc.oneof(fc.boolean(), fc.record({ rows: fc.integer({ min: 0, max: 100 }) }))),
  }),
)
const tool = shuffled(
  fc.record({
    name: fc.stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,20}$/),
    description: text,
    input: jsonObject.map((schema) => ({ ...schema, type: 'object', properties: { a: {} } })),
    output: optional(jsonObject),
    approval: optional(fc.constantFrom('never', 'always', 'dynamic')),
    effects: optional(fc.constantFrom('read', 'write')),
    timeoutMs: optional(positive),
    allowRepeats: optional(fc.boolean()),
    retry: optional(fc.record({ attempts: positive, backoffMs: optional(positive), maxBackoffMs: optional(positive) })),
    whileWaiting: optional(fc.constantFrom('suspend', 'continue')),
  }),
)
const agent = shuffled(
  fc.record({
    name,
    model: fc.constantFrom('a/b', ['a/b', 'c/d:e']),
    prompt: fc.oneof(text, shuffled(fc.record({ instructions: text, domainKnowledge: optional(jsonObject) }))),
    output: optional(jsonObject),
    limits: optional(shuffled(fc.record({ maxSteps: optional(positive), maxTokens: optional(positive) }))),
    context: optional(
      shuffled(
        fc.record({
          maxTokens: optional(positive),
          compact: optional(fc.constant('outline')),
          keepMessages: optional(positive),
        }),
      ),
    ),
    modelSettings: optional(
      fc.record({ temperature: fc.double({ min: 0, max: 2, noNaN: true }), providerOptions: jsonObject }),
    ),
  }),
)
const unique = <T extends { name: string }>(values: fc.Arbitrary<T>) =>
  fc.uniqueArray(values, { selector: (value) => value.name, maxLength: 4 })

it('every spec that is accepted reads its dump back, byte for byte', () => {
  fc.assert(
    fc.property(
      unique(reference),
      unique(tool),
      unique(agent),
      fc.dictionary(name, fc.constant({}), { maxKeys: 3 }),
      (references, tools, agents, providers) => {
        const type = references.map((definition) => defineReference(definition as never))[0]
        const held = tools.map((definition) =>
          defineTool({ ...definition, ...(type && { result: type, references: { a: type } }) } as never),
        )
        const spec = defineRuntime({
          tenant: acme,
          agents: agents.map((definition) => {
            const prompt =
              typeof definition.prompt === 'string' ? definition.prompt : layeredPrompt(definition.prompt as never)
            return defineSpecialist({ ...definition, prompt, tools: held } as never)
          }),
          references: references.slice(1).map((definition) => defineReference(definition as never)),
          providers,
        })
        const dump = JSON.stringify(spec)
        const again = runtimeSpecFromDump(JSON.parse(dump))
        expect(JSON.stringify(again)).toBe(dump)
        expect(topologyJson(again)).toBe(topologyJson(spec))
      },
    ),
    { numRuns: 300 },
  )
})

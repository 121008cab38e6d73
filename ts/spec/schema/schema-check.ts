import { type Issues, pathTo } from '../checks/issues.ts'
import { isPlainObject } from '../checks/plain-json.ts'
import { allSchemas, definitionLists, type Placed, type SchemaObject, schemasBelow, targetOf } from './json-schema.ts'

// Checks of a JSON Schema without the core, which has the whole validator: whether keywords hold what draft
// 2020-12 says, and whether references lead anywhere. Nothing is refused here that the core would take.

/** Requirement on a keyword's value, and its message. */
interface Kind {
  readonly is: (value: unknown) => boolean
  readonly said: string
}

const types: readonly unknown[] = ['array', 'boolean', 'integer', 'null', 'number', 'object', 'string']
const isSchema = (value: unknown) => typeof value === 'boolean' || isPlainObject(value)
const isCount = (value: unknown) => Number.isInteger(value) && (value as number) >= 0
const isTexts = (value: unknown) => isSet(value) && value.every((element) => typeof element === 'string')
const isSet = (value: unknown): value is unknown[] => Array.isArray(value) && new Set(value).size === value.length

const schema: Kind = { is: isSchema, said: 'a schema: an object, true or false' }
const items: Kind = { ...schema, said: `${schema.said} (a list of them is "prefixItems" now)` }
const schemas: Kind = {
  is: (value) => Array.isArray(value) && value.length > 0 && value.every(isSchema),
  said: 'a list of schemas that is not empty',
}
const named: Kind = {
  is: (value) => isPlainObject(value) && Object.values(value).every(isSchema),
  said: 'an object of schemas',
}
const text: Kind = { is: (value) => typeof value === 'string', said: 'a text' }
const flag: Kind = { is: (value) => typeof value === 'boolean', said: 'true or false' }
const number: Kind = { is: (value) => typeof value === 'number', said: 'a number' }
const count: Kind = { is: isCount, said: 'a whole number that is not negative' }
const texts: Kind = { is: isTexts, said: 'a list of different texts' }

const keywords: { readonly [keyword: string]: Kind } = {
  $id: text,
  $schema: text,
  $ref: text,
  $anchor: text,
  $dynamicRef: text,
  $dynamicAnchor: text,
  $comment: text,
  $defs: named,
  definitions: named,
  type: {
    is: (value) =>
      types.includes(value) || (isSet(value) && value.length > 0 && value.every((one) => types.includes(one))),
    said: `one of ${types.map((type) => `"${type}"`).join(', ')}, or a list of different ones`,
  },
  enum: { is: Array.isArray, said: 'a list' },
  multipleOf: { is: (value) => typeof value === 'number' && value > 0, said: 'a number above 0' },
  maximum: number,
  minimum: number,
  exclusiveMaximum: { ...number, said: 'a number (true and false are of draft 4)' },
  exclusiveMinimum: { ...number, said: 'a number (true and false are of draft 4)' },
  maxLength: count,
  minLength: count,
  pattern: text,
  maxItems: count,
  minItems: count,
  uniqueItems: flag,
  maxContains: count,
  minContains: count,
  maxProperties: count,
  minProperties: count,
  required: { ...texts, said: 'a list of different names (true and false are of draft 3)' },
  dependentRequired: {
    is: (value) => isPlainObject(value) && Object.values(value).every(isTexts),
    said: 'an object of lists of different names',
  },
  prefixItems: schemas,
  items,
  contains: schema,
  properties: named,
  patternProperties: named,
  additionalProperties: schema,
  propertyNames: schema,
  dependentSchemas: named,
  unevaluatedItems: schema,
  unevaluatedProperties: schema,
  contentSchema: schema,
  if: schema,
  // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON Schema; this table is never awaited
  then: schema,
  else: schema,
  allOf: schemas,
  anyOf: schemas,
  oneOf: schemas,
  not: schema,
  title: text,
  description: text,
  format: text,
}

const draft = 'https://json-schema.org/draft/2020-12/schema'
const advice =
  'JSON Schemas are read as draft 2020-12 unless "$schema" names another one (such as ' +
  '"http://json-schema.org/draft-07/schema#").'

/**
 * Adds what is wrong with a JSON Schema, as far as it can be known here.
 *
 * @param of whose schema it is: `the tool "search"`
 */
export function checkJsonSchema(root: SchemaObject, path: string, of: string, issues: Issues): void {
  const add = (pointer: string, keyword: string, reason: string) =>
    issues.add(
      pathBelow(path, pointer, keyword),
      `${reason} In the schema of ${of}, keyword "${keyword}" at "${pointer}/${keyword}".`,
    )
  if (root['$schema'] === undefined || String(root['$schema']).replace(/#$/, '') === draft) {
    for (const { schema, pointer } of allSchemas(root)) {
      for (const [keyword, value] of Object.entries(schema)) {
        const kind = Object.hasOwn(keywords, keyword) ? keywords[keyword] : undefined
        if (kind && !kind.is(value)) add(pointer, keyword, `Must be ${kind.said}. ${advice}`)
      }
    }
  }
  // With ids, what a reference means depends on where it stands: that is for the core to say.
  const ids = ['$id', 'id']
  if (Array.from(allSchemas(root)).some(({ schema }) => ids.some((key) => typeof schema[key] === 'string'))) return
  for (const { schema, pointer } of reached(root)) {
    const reference = schema['$ref']
    const problem = typeof reference === 'string' ? wrongReference(root, reference) : undefined
    if (problem !== undefined) add(pointer, '$ref', problem)
  }
}

/** The schemas that a check may come to: definitions only where something refers to them. */
function* reached(root: SchemaObject): Generator<Placed> {
  const seen = new Set<unknown>([root])
  const left: Placed[] = [{ schema: root, pointer: '' }]
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    yield next
    const { schema } = next
    for (const below of schemasBelow(next)) {
      const isDefinition = definitionLists.some((list) => below.pointer.startsWith(`${next.pointer}/${list}/`))
      if (!isDefinition && !seen.has(below.schema)) left.push(below)
      if (!isDefinition) seen.add(below.schema)
    }
    const target = typeof schema['$ref'] === 'string' ? targetOf(root, schema['$ref']) : undefined
    if (isPlainObject(target) && !seen.has(target)) {
      seen.add(target)
      left.push({ schema: target, pointer: schema['$ref'] as string })
    }
  }
}

function wrongReference(root: SchemaObject, reference: string): string | undefined {
  if (targetOf(root, reference) !== undefined) return undefined
  if (reference.startsWith('#')) return `Refers to ${JSON.stringify(reference)}, which is not in this schema.`
  // The drafts' own schemas are known to the core.
  if (/^https?:\/\/json-schema\.org\//.test(reference)) return undefined
  return (
    `Refers to ${JSON.stringify(reference)}, which is outside of this schema: nothing is fetched. ` +
    'Put it under "$defs" and refer to it there.'
  )
}

/** The path of a keyword: as the schema lies in its definition. */
function pathBelow(path: string, pointer: string, keyword: string): string {
  const tokens = pointer.replace(/^#/, '').split('/').slice(1)
  return [...tokens.map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~')), keyword].reduce(
    (parent, token) => (/^\d+$/.test(token) ? pathTo(parent, Number(token)) : pathTo(parent, token)),
    path,
  )
}

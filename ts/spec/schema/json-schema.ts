import { isPlainObject } from '../checks/plain-json.ts'

// Structure of JSON Schemas: nested schemas and references. Pure functions over
// plain objects; what a keyword's value must be is for `schema-check.ts`.

/** A JSON Schema that is an object. */
export type SchemaObject = Record<string, unknown>

/** Keywords whose values are schemas by name. */
const byName: readonly string[] = [
  'properties',
  'patternProperties',
  '$defs',
  'definitions',
  'dependentSchemas',
  'dependencies',
]
/** Keywords whose values are data, never schemas. */
const data: readonly string[] = ['const', 'enum', 'default', 'examples']
/** Keywords that hold definitions. */
export const definitionLists = ['$defs', 'definitions'] as const
/** Keywords that say nothing about what is valid: a reference may stand beside them. */
const quiet: readonly string[] = [
  '$schema',
  '$id',
  '$comment',
  ...definitionLists,
  'title',
  'description',
  'default',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
]

/** A schema and the JSON pointer to it. */
export interface Placed {
  readonly schema: SchemaObject
  readonly pointer: string
}

/** The schemas right below a schema. */
export function* schemasBelow({ schema, pointer }: Placed): Generator<Placed> {
  for (const [keyword, value] of Object.entries(schema)) {
    if (data.includes(keyword)) continue
    const at = `${pointer}/${escaped(keyword)}`
    if (Array.isArray(value)) {
      for (const [index, element] of value.entries()) {
        if (isPlainObject(element)) yield { schema: element, pointer: `${at}/${index}` }
      }
    } else if (isPlainObject(value) && byName.includes(keyword)) {
      for (const [name, named] of Object.entries(value)) {
        if (isPlainObject(named)) yield { schema: named, pointer: `${at}/${escaped(name)}` }
      }
    } else if (isPlainObject(value)) {
      yield { schema: value, pointer: at }
    }
  }
}

/** A schema and everything below it, each once: one that is written by hand may contain itself. */
export function* allSchemas(root: SchemaObject): Generator<Placed> {
  const seen = new Set<SchemaObject>()
  const left: Placed[] = [{ schema: root, pointer: '' }]
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if (seen.has(next.schema)) continue
    seen.add(next.schema)
    yield next
    left.push(...Array.from(schemasBelow(next)).reverse())
  }
}

/** Returns the target of a reference within its schema. `undefined`: no target there, or a target elsewhere. */
export function targetOf(root: SchemaObject, reference: string): unknown {
  // Both mean the schema itself.
  if (reference === '#' || reference === '') return root
  if (reference.startsWith('#/')) {
    // Libraries write names into references as they are, or percent-encoded as they should.
    return at(root, reference.slice(1)) ?? at(root, decoded(reference.slice(1)))
  }
  const anchor = reference.startsWith('#') ? decoded(reference.slice(1)) : undefined
  for (const { schema } of allSchemas(root)) {
    if (anchor === undefined ? schema['$id'] === reference : isAnchor(schema, anchor)) return schema
  }
  return undefined
}

function isAnchor(schema: SchemaObject, anchor: string): boolean {
  return schema['$anchor'] === anchor || schema['$dynamicAnchor'] === anchor
}

/** Returns the value at a JSON pointer. */
function at(root: unknown, pointer: string): unknown {
  return pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce<unknown>(
      (value, token) =>
        typeof value === 'object' && value !== null && Object.hasOwn(value, token)
          ? (value as Record<string, unknown>)[token]
          : undefined,
      root,
    )
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function escaped(token: string): string {
  return token.replaceAll('~', '~0').replaceAll('/', '~1')
}

/**
 * The same schema, whose root is no reference: what it refers to stands in its place, and the definitions stay. Schemas of
 * recursive or named types come as a reference; tools and providers want to see an object. What stands beside the
 * reference and says more than a title does cannot be put together with the target: then the reference stays, and its
 * type is said beside it.
 */
export function rootInPlace(root: SchemaObject): SchemaObject {
  const seen = new Set<unknown>()
  let schema = root
  while (typeof schema['$ref'] === 'string' && schema['type'] === undefined) {
    const { $ref: reference, ...beside } = schema
    const target = targetOf(schema, reference as string)
    if (!isPlainObject(target) || seen.has(target) || target === schema) return schema
    seen.add(target)
    const { $id: id, ...own } = target
    if (Object.keys(beside).some((keyword) => !quiet.includes(keyword)) || (id !== undefined && refersToItself(own))) {
      return own['type'] === 'object' ? { type: 'object', ...schema } : schema
    }
    schema = { ...beside, ...own, ...beside }
  }
  return schema
}

/** Whether a reference in it means a place of the resource that its `$id` makes of it. */
function refersToItself(resource: SchemaObject): boolean {
  return Array.from(allSchemas(resource)).some(({ schema }) => String(schema['$ref'] ?? '').startsWith('#'))
}

/**
 * The same schema, whose definitions with a counted name (`intersection219`) are counted anew, in the order in which they
 * are first used. Some libraries count them through a process, so that the same type has another name after a deploy, and
 * what hangs on the schema's hash, such as an approval, would not be recognised.
 */
export function countedAnew(root: SchemaObject, counted: RegExp): SchemaObject {
  const definitions = root['$defs']
  if (!isPlainObject(definitions)) return root
  const names = new Map<string, string>()
  const taken = new Set(Object.keys(definitions).filter((name) => !counted.test(name)))
  let count = 0
  for (const name of inOrderOfUse(root, definitions)) {
    const word = counted.exec(name)?.[1]
    if (word === undefined) continue
    let next: string
    do {
      count += 1
      next = `${word}${count}`
    } while (taken.has(next))
    names.set(name, next)
  }
  return renamed(root, names)
}

/** The names of the definitions, as a walk from the root comes upon them; keywords and properties in alphabetical order. */
function inOrderOfUse(root: SchemaObject, definitions: SchemaObject): Set<string> {
  const found = new Set<string>()
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) {
      for (const element of value) visit(element)
    } else if (isPlainObject(value)) {
      const name = definitionIn(value['$ref'])
      if (name !== undefined && Object.hasOwn(definitions, name) && !found.has(name)) {
        found.add(name)
        visit(definitions[name])
      }
      for (const keyword of Object.keys(value).sort()) if (keyword !== '$defs') visit(value[keyword])
    }
  }
  visit(root)
  for (const name of Object.keys(definitions)) found.add(name)
  return found
}

function definitionIn(reference: unknown): string | undefined {
  return typeof reference === 'string' ? /^#\/\$defs\/([^/]+)$/.exec(reference)?.[1] : undefined
}

/** A copy in which definitions have other names. Definitions come in the order of their new names' making. */
function renamed(root: SchemaObject, names: ReadonlyMap<string, string>): SchemaObject {
  const copy = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(copy)
    if (!isPlainObject(value)) return value
    return Object.fromEntries(
      Object.entries(value).map(([keyword, below]) => {
        const name = keyword === '$ref' ? names.get(definitionIn(below) ?? '') : undefined
        return [keyword, name === undefined ? copy(below) : `#/$defs/${name}`]
      }),
    )
  }
  const { $defs: definitions, ...rest } = root
  const entries = Object.entries(definitions as SchemaObject)
  const order = [...names.keys()]
  const sorted = entries.toSorted(([left], [right]) => order.indexOf(left) - order.indexOf(right))
  const defs = Object.fromEntries(sorted.map(([name, definition]) => [names.get(name) ?? name, copy(definition)]))
  return { ...(copy(rest) as SchemaObject), $defs: defs }
}

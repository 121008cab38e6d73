import { type Behind, behindOf } from '../definitions/definition.ts'
import { listOf } from './agent-and-tool-checks.ts'
import type { DefinitionLists } from './cross-references.ts'
import { Issues, pathTo } from './issues.ts'
import { messages } from './messages.ts'
import { copyJson } from './plain-json.ts'

/** Definitions given to `defineRuntime` and all that they hold, each once, as the dump lists them. */
export function collectDefinitions(given: DefinitionLists, issues: Issues): DefinitionLists {
  const agents = new Registry(given.agents, issues)
  const tools = new Registry(given.tools, issues)
  const references = new Registry(given.references, issues)
  const plans = new Registry(given.plans, issues)
  // The list grows meanwhile: agents hold agents that hold others.
  for (const [index, agent] of agents.list.entries()) {
    const path = pathTo('agents', index)
    for (const held of behindOf(agent).agents) {
      agents.add(held, (name) => {
        const key = listOf((agent as { routes?: unknown }).routes).includes(name) ? 'routes' : 'tools'
        return `${path}.${key}${placeIn(agent, key, name)}`
      })
    }
  }
  for (const [index, agent] of agents.list.entries()) {
    const behind = behindOf(agent)
    const path = pathTo('agents', index)
    for (const held of behind.agents) {
      const name = nameIn(held)
      const at = listOf((agent as { tools?: unknown }).tools).indexOf(name)
      // A name stands for the tool where there is one.
      if (at >= 0 && tools.has(name)) issues.add(pathTo(`${path}.tools`, at), messages.agentAndTool)
    }
    for (const tool of behind.tools) tools.add(tool, (name) => `${path}.tools${placeIn(agent, 'tools', name)}`)
    for (const plan of behind.plans) plans.add(plan, () => `${path}.plan`)
  }
  for (const [index, tool] of tools.list.entries()) {
    const path = pathTo('tools', index)
    for (const type of behindOf(tool).references) {
      references.add(type, (name) =>
        (tool as { result?: unknown }).result === name
          ? `${path}.result`
          : `${path}.references${placeIn(tool, 'references', name)}`,
      )
    }
  }
  return { agents: agents.list, tools: tools.list, references: references.list, plans: plans.list }
}

/** A list of definitions: the given ones first, then those that others hold and that are not in the list yet. */
class Registry {
  readonly list: unknown[]
  readonly #byName = new Map<unknown, unknown>()
  readonly #issues: Issues

  constructor(given: readonly unknown[], issues: Issues) {
    this.list = [...given]
    this.#issues = issues
    for (const definition of given) this.#byName.set(nameIn(definition), definition)
  }

  has(name: unknown): boolean {
    return this.#byName.has(name)
  }

  add(definition: unknown, placeOf: (name: unknown) => string): void {
    const name = nameIn(definition)
    const registered = this.#byName.get(name)
    if (registered === undefined) {
      this.#byName.set(name, definition)
      this.list.push(definition)
    } else if (!isSameDefinition(registered, definition)) {
      this.#issues.add(placeOf(name), messages.conflict)
    }
  }
}

function nameIn(definition: unknown): unknown {
  return (definition as { name?: unknown } | null)?.name
}

/** Place of a name in a definition: `[1]` in a list, `.property` in a record. */
function placeIn(holder: unknown, key: 'routes' | 'tools' | 'references', name: unknown): string {
  const names = (holder as Record<string, unknown>)[key]
  if (Array.isArray(names)) return pathTo('', names.indexOf(name))
  const property = Object.entries(names ?? {}).find(([, value]) => value === name)?.[0] ?? ''
  const place = pathTo('', property)
  return place.startsWith('[') ? place : `.${place}`
}

/** Two objects are one definition if they dump alike and validate with the same schemas. */
function isSameDefinition(left: unknown, right: unknown): boolean {
  if (left === right) return true
  return dumped(left) === dumped(right) && haveSameSchemas(behindOf(left), behindOf(right))
}

function dumped(definition: unknown): string {
  return JSON.stringify(copyJson(definition, '', new Issues(), 2))
}

function haveSameSchemas(left: Behind, right: Behind): boolean {
  const properties = new Set([...Object.keys(left.schemas), ...Object.keys(right.schemas)])
  return Array.from(properties).every((property) => left.schemas[property] === right.schemas[property])
}

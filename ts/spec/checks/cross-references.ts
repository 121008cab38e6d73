import { listOf } from './agent-and-tool-checks.ts'
import { type Issues, pathTo } from './issues.ts'
import { KnownNames } from './known-names.ts'
import { messages } from './messages.ts'
import { isPlainObject } from './plain-json.ts'

/** The lists of a dump, as they are: their elements may have been refused already. */
export interface DefinitionLists {
  readonly agents: readonly unknown[]
  readonly tools: readonly unknown[]
  readonly references: readonly unknown[]
  readonly plans: readonly unknown[]
}

/** Every name must be unique in its list and every name that is used must be there. */
export function checkCrossReferences(lists: DefinitionLists, issues: Issues): void {
  const agents = registered(lists.agents, 'agents', 'agent', issues)
  const tools = registered(lists.tools, 'tools', 'tool', issues)
  const references = registered(lists.references, 'references', 'reference type', issues)
  const plans = registered(lists.plans, 'plans', 'plan type', issues)
  checkCoordinators(lists.agents, issues)

  for (const [index, agent] of lists.agents.entries()) {
    if (!isPlainObject(agent)) continue
    const path = pathTo('agents', index)
    checkNames(agent['routes'], agents, `${path}.routes`, issues)
    checkTools(agent, tools, agents, `${path}.tools`, issues)
    checkName(agent['plan'], plans, `${path}.plan`, issues)
  }
  for (const [index, tool] of lists.tools.entries()) {
    if (!isPlainObject(tool)) continue
    const path = pathTo('tools', index)
    for (const [property, type] of Object.entries(isPlainObject(tool['references']) ? tool['references'] : {})) {
      checkName(type, references, pathTo(`${path}.references`, property), issues)
    }
    checkName(tool['result'], references, `${path}.result`, issues)
  }
}

function registered(list: readonly unknown[], path: string, kind: string, issues: Issues): KnownNames {
  const names = new KnownNames(kind)
  for (const [index, element] of list.entries()) {
    if (!isPlainObject(element) || typeof element['name'] !== 'string') continue
    if (!names.add(element['name'])) issues.add(`${pathTo(path, index)}.name`, messages.duplicateName)
  }
  return names
}

function checkCoordinators(agents: readonly unknown[], issues: Issues): void {
  let seen = false
  for (const [index, agent] of agents.entries()) {
    if (!isPlainObject(agent) || agent['role'] !== 'coordinator') continue
    if (seen) issues.add(`${pathTo('agents', index)}.role`, messages.secondCoordinator)
    seen = true
  }
}

function checkNames(names: unknown, known: KnownNames, path: string, issues: Issues): void {
  for (const [index, name] of listOf(names).entries()) checkName(name, known, pathTo(path, index), issues)
}

/** Checks the names of the tools of an agent, and of the agents that it calls as tools. */
function checkTools(
  agent: Record<string, unknown>,
  tools: KnownNames,
  agents: KnownNames,
  path: string,
  issues: Issues,
): void {
  for (const [index, name] of listOf(agent['tools']).entries()) {
    const place = pathTo(path, index)
    const isAgent = typeof name === 'string' && agents.has(name) && !tools.has(name)
    if (!isAgent) checkName(name, tools, place, issues)
    else if (name === agent['name']) issues.add(place, messages.selfCall)
  }
}

function checkName(name: unknown, known: KnownNames, path: string, issues: Issues): void {
  if (typeof name === 'string' && !known.has(name)) issues.add(path, known.without(name))
}

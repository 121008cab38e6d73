import { type Issues, pathTo } from './issues.ts'
import { messages } from './messages.ts'
import { isPlainObject } from './plain-json.ts'

/** Checks the rules of an agent's JSON that its shape cannot express. Accepts any JSON: the shape may have been rejected. */
export function checkAgent(agent: unknown, path: string, issues: Issues): void {
  if (!isPlainObject(agent)) return
  for (const key of ['model', 'routes', 'tools'] as const) {
    const seen = new Set<unknown>()
    for (const [index, element] of listOf(agent[key]).entries()) {
      const at = pathTo(pathTo(path, key), index)
      if (typeof element !== 'string') continue
      if (seen.has(element)) issues.add(at, messages.duplicate)
      if (key === 'routes' && element === agent['name']) issues.add(at, messages.selfCall)
      seen.add(element)
    }
  }
}

/** Checks the rules of a tool's JSON that its shape cannot express. Accepts any JSON: the shape may have been rejected. */
export function checkTool(tool: unknown, path: string, issues: Issues): void {
  if (!isPlainObject(tool) || !isPlainObject(tool['input']) || !isPlainObject(tool['references'])) return
  const { properties } = tool['input']
  if (!isPlainObject(properties)) return
  for (const property of Object.keys(tool['references'])) {
    if (!Object.hasOwn(properties, property)) {
      issues.add(pathTo(pathTo(path, 'references'), property), messages.unknownInputProperty)
    }
  }
}

/** The elements of a list, or none if it is none. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

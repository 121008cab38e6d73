import type { JsonObject, JsonValue } from '../../types/json.ts'
import { Issues } from '../checks/issues.ts'
import { promptShape } from '../checks/shapes.ts'
import { freezeDefinition, propertiesOf } from './definition.ts'

/** An example for a model: a text, or what comes in and what should come out. */
export type PromptExample = string | { readonly input: string; readonly output: string }

/** A prompt in layers. Frozen JSON. It has no place for a tenant: business vocabulary goes in `domainKnowledge`. */
export interface Prompt {
  /** Role of the agent: "You are …". */
  readonly role?: string
  /** Its task. */
  readonly instructions: string
  /** Vocabulary of its business, e.g. `{ entities: ['product'], metrics: ['revenue'] }`. */
  readonly domainKnowledge?: JsonObject
  readonly examples?: readonly PromptExample[]
  /** Style of its answers. */
  readonly style?: string
}

/** Argument of `layeredPrompt`. */
export interface PromptDefinition extends Omit<Prompt, 'domainKnowledge'> {
  readonly domainKnowledge?: { readonly [topic: string]: JsonValue }
}

/**
 * A prompt in layers, kept as data in the dump and rendered the same way for every tenant.
 *
 * @throws SpecError with every problem of the definition
 * @example
 * ```ts
 * layeredPrompt({
 *   role: 'You are an analyst.',
 *   instructions: 'Answer with numbers and say where they come from.',
 *   domainKnowledge: { entities: ['product', 'order'], metrics: ['revenue'] },
 * })
 * ```
 */
export function layeredPrompt(definition: PromptDefinition): Prompt {
  const issues = new Issues()
  return freezeDefinition(promptShape, propertiesOf(definition, issues), {}, issues) as Prompt
}

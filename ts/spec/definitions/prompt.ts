import type { Prompt } from '../../types/callbacks.ts'
import type { JsonValue } from '../../types/json.ts'
import { Issues } from '../checks/issues.ts'
import { promptShape } from '../checks/shapes.ts'
import { freezeDefinition, propertiesOf } from './definition.ts'

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

import { freezeDefinition, propertiesOf } from './definition.ts'
import { Issues } from './issues.ts'
import type { JsonObject, JsonValue } from './json-value.ts'
import { promptShape } from './shapes.ts'

/** An example for a model: a text, or what comes in and what should come out. */
export type PromptExample = string | { readonly input: string; readonly output: string }

/** A prompt in layers. Frozen JSON. It has no place for a tenant: business vocabulary goes in `domainKnowledge`. */
export interface Prompt {
  /** Who the agent is: "You are …". */
  readonly role?: string
  /** What it must do. */
  readonly instructions: string
  /** What its business is about, e.g. `{ entities: ['product'], metrics: ['revenue'] }`. */
  readonly domainKnowledge?: JsonObject
  readonly examples?: readonly PromptExample[]
  /** How it should write. */
  readonly style?: string
}

/** What `layeredPrompt` takes. */
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

/** The system text of a prompt: the layers in their fixed order, each under its heading. Equal prompts, equal texts. */
export function renderPrompt(prompt: string | Prompt): string {
  if (typeof prompt === 'string') return prompt
  const layers = [prompt.role, prompt.instructions]
  const knowledge = Object.entries(prompt.domainKnowledge ?? {})
  if (knowledge.length > 0) layers.push(`# Domain knowledge\n${knowledge.map(renderTopic).join('\n')}`)
  if (prompt.examples !== undefined && prompt.examples.length > 0) {
    layers.push(`# Examples\n${prompt.examples.map(renderExample).join('\n\n')}`)
  }
  if (prompt.style !== undefined) layers.push(`# Style\n${prompt.style}`)
  return layers.filter((layer) => layer !== undefined).join('\n\n')
}

function renderTopic([topic, value]: [string, JsonValue]): string {
  if (typeof value === 'string') return `${topic}: ${value}`
  if (Array.isArray(value) && value.every((element) => typeof element === 'string')) {
    return `${topic}: ${value.join(', ')}`
  }
  return `${topic}: ${JSON.stringify(value)}`
}

function renderExample(example: PromptExample): string {
  return typeof example === 'string' ? example : `Input: ${example.input}\nOutput: ${example.output}`
}

import { Issues } from '../checks/issues.ts'
import { isPlainObject } from '../checks/plain-json.ts'
import { toolShape } from '../checks/shapes.ts'
import {
  type Schema,
  type SchemaInput,
  type SchemaOutput,
  toJsonSchema,
  type UntypedArguments,
} from '../schema/schema.ts'
import { freezeDefinition, propertiesOf, standardSchemas } from './definition.ts'
import type { QuestionTool, WhileWaiting } from './tool.ts'

/** Argument of `defineQuestion`. */
export interface QuestionDefinition<N extends string, I extends Schema | undefined, A extends Schema> {
  /** `^[A-Za-z][A-Za-z0-9_-]{0,63}$` */
  readonly name: N
  /** Description for the model: when to ask, and whom it asks. */
  readonly description: string
  /** What the model says with the question, an object with a text `question`. Default: `question` alone. */
  readonly input?: I
  /** The answer. What its JSON Schema says is checked when the wait is settled. */
  readonly answer: A
  /** Milliseconds until the question expires: 7 days by default, at most 29. */
  readonly ttlMs?: number
  /** What the agent does until it is answered: see `whileWaiting` of `defineTool`. Default `suspend`. */
  readonly whileWaiting?: WhileWaiting
}

/** The longest wait, as in crates/runtime/src/waits/record.rs. */
const LONGEST_MS = 29 * 24 * 60 * 60 * 1000

/** What a model says with a question, unless its definition says otherwise. */
const questionAlone = {
  type: 'object',
  properties: { question: { type: 'string', description: 'The question, complete in itself.' } },
  required: ['question'],
  additionalProperties: false,
}

/**
 * A tool without handler: the model asks a person, the run waits, and the answer is the result. Nobody answered in time: the
 * call fails with WAIT_EXPIRED.
 *
 * @throws SpecError with every problem of the definition
 * @example
 * ```ts
 * const askCustomer = defineQuestion({
 *   name: 'ask_customer',
 *   description: 'Asks the customer something that only they know',
 *   answer: z.string(),
 * })
 * ```
 */
export function defineQuestion<
  const N extends string,
  const A extends Schema,
  const I extends Schema | undefined = undefined,
>(definition: QuestionDefinition<N, I, A>): QuestionTool<N, SchemaOutput<I, UntypedArguments>, SchemaInput<A>> {
  const issues = new Issues()
  const { answer, ttlMs, input, ...given } = propertiesOf(definition, issues)
  const shown = input === undefined ? questionAlone : toJsonSchema(input, 'input', issues, { rootInPlace: true })
  if (isPlainObject(shown) && !asksQuestion(shown)) {
    issues.add(
      'input',
      'Must be a schema of an object that requires a text "question": that is what the person is asked.',
    )
  }
  if (typeof ttlMs === 'number' && ttlMs > LONGEST_MS) issues.add('ttlMs', 'Must be at most 29 days, in milliseconds.')
  const question = { answer: toJsonSchema(answer, 'question.answer', issues), ...(ttlMs !== undefined && { ttlMs }) }
  const draft = { ...given, input: shown, effects: 'read', question }
  const behind = { references: [], schemas: standardSchemas({ input }, ['input']) }
  return freezeDefinition(toolShape, draft, { kind: 'tool', ...behind }, issues) as never
}

/** Whether every input has a text `question`, as far as its schema shows. */
function asksQuestion({ properties, required }: Record<string, unknown>): boolean {
  const question = isPlainObject(properties) ? properties['question'] : undefined
  return isPlainObject(question) && Array.isArray(required) && required.includes('question')
}

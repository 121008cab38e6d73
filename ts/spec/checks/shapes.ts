import * as z from 'zod/mini'
import { kinds } from '../../common/kinds.ts'
import type { Kind } from '../../types/tenant.ts'
import { messages } from './messages.ts'
import { must, once } from './shape.ts'

// The shapes of a dump's parts. The order of the keys is the order in the dump. Each shape is made when it is first
// needed: making them all (10 to 15 ms in a fresh process) would double the time that an import takes.

const text = once(() => z.string().check(z.minLength(1, { error: messages.text })))
const positive = once(() => z.int({ error: messages.positive }).check(z.positive({ error: messages.positive })))
const name = once(() => z.string().check(z.regex(/^[a-z][a-z0-9_-]{0,63}$/, { error: messages.name })))
const toolName = once(() => z.string().check(z.regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/, { error: messages.toolName })))
const variable = once(() =>
  z.string().check(
    z.regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, { error: messages.variable }),
    z.refine((value) => value !== 'BAILIWICK_ROOT_KEY', { error: messages.rootKeyVariable }),
  ),
)
const object = (message: string) => z.record(z.string(), z.unknown(), must(message))
const schema = once(() => object(messages.schema))
const objectSchema = once(() =>
  object(messages.schema).check(z.refine((value) => value['type'] === 'object', { error: messages.objectSchema })),
)

/** A record whose keys have no order of meaning, sorted so that equal records have equal dumps. */
function sorted<Value extends z.ZodMiniType>(key: z.ZodMiniType<string, string>, value: Value) {
  return z.pipe(
    z.record(key, value),
    z.transform((record) => {
      const entries = Object.entries(record as Record<string, z.output<Value>>)
      return Object.fromEntries(entries.sort(([left], [right]) => (left < right ? -1 : 1)))
    }),
  )
}

export const referenceShape = once(() =>
  z.strictObject({
    name: name(),
    description: z.optional(z.string()),
    schema: z.optional(schema()),
    mediaType: z.optional(
      z
        .string()
        .check(
          z.maxLength(255, { error: messages.mediaType }),
          z.regex(/^[A-Za-z0-9!#$&^_.+-]+\/[A-Za-z0-9!#$&^_.+-]+(;[ -~]+)?$/, { error: messages.mediaType }),
        ),
    ),
    ttlMs: z.optional(positive()),
    glimpse: z.optional(
      z.union(
        [
          z.boolean(),
          z.strictObject({
            rows: z
              .int(must(messages.glimpse))
              .check(z.nonnegative({ error: messages.glimpse }), z.lte(100, { error: messages.glimpse })),
          }),
        ],
        { error: messages.glimpse },
      ),
    ),
  }),
)

export const toolShape = once(() =>
  z.strictObject({
    name: toolName(),
    description: text(),
    input: objectSchema(),
    output: z.optional(schema()),
    approval: z._default(z.enum(['never', 'always', 'dynamic']), 'never'),
    effects: z._default(z.enum(['read', 'write']), 'write'),
    onInterrupted: z._default(z.enum(['ask', 'retry', 'fail']), 'ask'),
    timeoutMs: z.optional(positive()),
    references: z.optional(sorted(z.string(), z.string())),
    result: z.optional(z.string()),
    allowRepeats: z.optional(z.boolean()),
    whileWaiting: z.optional(z.enum(['suspend', 'continue'])),
    question: z.optional(z.strictObject({ answer: schema(), ttlMs: z.optional(positive()) })),
    retry: z.optional(
      z.strictObject({
        attempts: positive(),
        backoffMs: z.optional(positive()),
        maxBackoffMs: z.optional(positive()),
      }),
    ),
  }),
)

export const planShape = once(() =>
  z.strictObject({
    name: name(),
    description: z.optional(z.string()),
    details: z.optional(schema()),
  }),
)

const modelName = once(() =>
  z
    .string({ error: messages.model })
    .check(z.regex(/^[a-z][a-z0-9_-]{0,63}\/[!-~]{1,256}$/, { error: messages.model })),
)
const model = once(() =>
  z.union([modelName(), z.array(modelName()).check(z.minLength(1, { error: messages.model }))], must(messages.model)),
)

const modelSettings = once(() =>
  z.strictObject({
    temperature: z.optional(z.number().check(z.nonnegative({ error: messages.temperature }))),
    maxOutputTokens: z.optional(positive()),
    seed: z.optional(z.int({ error: messages.seed })),
    providerOptions: z.optional(object(messages.object)),
  }),
)

export const promptShape = once(() =>
  z.strictObject({
    role: z.optional(text()),
    instructions: text(),
    domainKnowledge: z.optional(object(messages.object)),
    examples: z.optional(
      z.array(z.union([text(), z.strictObject({ input: text(), output: text() })], { error: messages.example })),
    ),
    style: z.optional(text()),
  }),
)
const prompt = once(() =>
  z.union([z.string().check(z.minLength(1, { error: messages.prompt })), promptShape()], must(messages.prompt)),
)

const runLimits = once(() =>
  z.strictObject({
    maxSteps: z.optional(positive()),
    maxToolCalls: z.optional(positive()),
    maxTokens: z.optional(positive()),
    maxDurationMs: z.optional(positive()),
  }),
)
export const contextShape = once(() =>
  z.strictObject({
    maxTokens: z.optional(positive()),
    compact: z.optional(z.enum(['outline', 'summary'])),
    keepMessages: z.optional(positive()),
  }),
)
const tools = once(() => z.array(z.string()))
const asked = once(() => ({ model: model(), modelSettings: z.optional(modelSettings()), prompt: prompt() }))
const described = once(() => ({ name: name(), description: z.optional(z.string()) }))

/** The shape of an agent, by its role. */
export const agentShapes = {
  coordinator: once(() =>
    z.strictObject({
      role: z.literal('coordinator'),
      ...described(),
      ...asked(),
      routes: z.array(z.string()).check(z.minLength(1, { error: messages.routes })),
      tools: z._default(tools(), []),
      limits: z.optional(runLimits()),
      context: z.optional(contextShape()),
    }),
  ),
  planner: once(() =>
    z.strictObject({
      role: z.literal('planner'),
      ...described(),
      ...asked(),
      plan: z.string(),
      tools: z._default(tools(), []),
      limits: z.optional(runLimits()),
      context: z.optional(contextShape()),
    }),
  ),
  executor: once(() =>
    z.strictObject({
      role: z.literal('executor'),
      ...described(),
      model: z.optional(model()),
      modelSettings: z.optional(modelSettings()),
      prompt: z.optional(prompt()),
      tools: tools(),
      limits: z.optional(runLimits()),
      context: z.optional(contextShape()),
    }),
  ),
  specialist: once(() =>
    z.strictObject({
      role: z.literal('specialist'),
      ...described(),
      ...asked(),
      tools: z._default(tools(), []),
      output: z.optional(schema()),
      limits: z.optional(runLimits()),
      context: z.optional(contextShape()),
    }),
  ),
}

export const providersShape = once(() =>
  sorted(name(), z.strictObject({ apiKeyEnv: z.optional(variable()), baseUrlEnv: z.optional(variable()) })),
)

export const dataEnvironmentShape = once(() =>
  z.strictObject({
    tenantId: z.optional(z.string()),
    databases: z.optional(sorted(toolName(), z.strictObject({ urlEnv: variable() }))),
  }),
)

function perKind<Value extends z.ZodMiniType>(value: Value) {
  const optional = z.optional(value)
  const entries = kinds.map((kind) => [kind, optional] as const)
  return z.strictObject(Object.fromEntries(entries) as Record<Kind, typeof optional>)
}

export const limitsShape = once(() =>
  z.strictObject({
    items: z.optional(perKind(positive())),
    bytes: z.optional(positive()),
    valueBytes: z.optional(positive()),
    inFlightBytes: z.optional(positive()),
    pendingApprovals: z.optional(positive()),
    openWaits: z.optional(positive()),
    inlineResultBytes: z.optional(positive()),
    run: z.optional(runLimits()),
  }),
)

export const retentionShape = once(() =>
  perKind(
    z.strictObject({
      ttlMs: z.nullable(z.int(must(messages.lifetime)).check(z.positive({ error: messages.lifetime }))),
    }),
  ),
)

export const tenantShape = once(() => z.strictObject({ resourceId: z.string(), version: z.string() }))

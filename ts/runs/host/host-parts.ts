import { askedAgent } from '../../common/asked-agent.ts'
import { nearest } from '../../common/nearest.ts'
import { InvalidInputError, SpecError, type SpecIssue } from '../../errors/index.ts'
import type { Approval } from '../../ledger/index.ts'
import { messages } from '../../spec/checks/messages.ts'
import { standardSchemasOf } from '../../spec/definitions/handlers.ts'
import type { RuntimeSpec, Tool } from '../../spec/index.ts'
import { asStandardSchema, type StandardSchema } from '../../spec/schema/schema.ts'
import { isRootKey, withoutRootKeys } from '../../store/root-keys.ts'
import type { RunTracing } from '../../telemetry/index.ts'
import type { ApprovalNeed, ApproverAnswer } from '../../types/approvals.ts'
import type { Cache } from '../../types/cache.ts'
import type { Around, Model, ToolContext, ToolHandler } from '../../types/callbacks.ts'
import type { JsonValue } from '../../types/json.ts'
import type { References } from '../../types/references.ts'
import type { DataEnvironment, Tenant } from '../../types/tenant.ts'
import { type Redact, redactor } from './failures.ts'
import { guardedControllers } from './guarded-signal.ts'
import { type OnError, telling } from './host-errors.ts'
import { questionHandler } from './question.ts'

/** Host callbacks and values of a runtime that answer callback requests. */
export interface HostParts {
  readonly tenant: Tenant
  readonly references: References
  readonly cache: Cache
  readonly dataEnvironment: DataEnvironment | undefined
  readonly handler: (tool: string) => ToolHandler | undefined
  /** The schemas that validate more than JSON Schema can say. */
  readonly schemas: (tool: string) => { readonly input?: StandardSchema; readonly output?: StandardSchema }
  /** The same for what an agent answers. */
  readonly outputSchema: (agent: string) => StandardSchema | undefined
  /** The model of a provider. Throws what the host's factory throws. */
  readonly model: (provider: string) => Model
  readonly needsApproval:
    | ((call: { tool: string; input: JsonValue; context: ToolContext }) => ApprovalNeed | Promise<ApprovalNeed>)
    | undefined
  readonly approve: ((approval: Approval) => Promise<ApproverAnswer>) | undefined
  readonly around: Around
  /** Takes secrets out of a text. */
  readonly redact: Redact
  /** Tells the host of a failure that no caller gets. Never throws. */
  readonly tell: OnError
  /** Makes what cancels a callback. */
  readonly controller: () => AbortController
  readonly tracing: RunTracing
}

/** A model, or what makes one of the provider's key and address. */
export type ModelSource = Model | ((env: { apiKey?: string; baseUrl?: string }) => Model)

/** A tool call that `needsApproval` decides about. */
export interface ToolCallQuestion {
  readonly tool: string
  readonly input: JsonValue
  readonly context: ToolContext
}

/** Host callbacks given to `createRuntime`, for any spec. */
export interface Callbacks {
  readonly tools: { readonly [name: string]: unknown }
  readonly models: { readonly [provider: string]: ModelSource }
  readonly schemas: { readonly [tool: string]: unknown }
  readonly needsApproval: ((call: ToolCallQuestion) => ApprovalNeed | Promise<ApprovalNeed>) | undefined
  readonly approve: ((approval: Approval) => Promise<ApproverAnswer>) | undefined
  readonly around: Around
  readonly onError: OnError | undefined
  readonly env: { readonly [name: string]: string | undefined }
}

/** Rejects variables of the spec that hold a root key, and a spec with agents whose callbacks are incomplete. */
export function checkCallbacks(spec: RuntimeSpec, callbacks: Callbacks): void {
  const hidden = variablesOf(spec)
    .filter(({ name }) => isRootKey(name, own(callbacks.env, name)))
    .map(({ path }) => ({ path, message: messages.rootKeyVariable }))
  if (hidden.length > 0) throw new SpecError(hidden)
  if (spec.agents.length === 0) return
  const issues = [
    ...entryIssues(spec),
    ...toolIssues(spec, callbacks),
    ...modelIssues(spec, callbacks),
    ...functionIssues(spec, callbacks),
  ]
  if (issues.length > 0) throw new SpecError(issues)
}

function entryIssues({ agents }: RuntimeSpec): SpecIssue[] {
  if (askedAgent(agents) !== undefined) return []
  const message =
    'No agent handles `query`. Add a coordinator with routes, or have exactly one specialist that no other agent calls.'
  return [{ path: 'agents', message }]
}

function toolIssues({ tools }: RuntimeSpec, callbacks: Callbacks): SpecIssue[] {
  const names = tools.map(({ name }) => name)
  return tools.flatMap(({ name, question }) => {
    const schema = own(callbacks.schemas, name)
    const isWrong = schema !== undefined && asStandardSchema(schema) === undefined
    return [
      ...(question === undefined ? handlerIssues(name, callbacks, names) : []),
      ...(isWrong ? [{ path: `schemas.${name}`, message: 'Must be a Standard Schema, such as one of zod.' }] : []),
    ]
  })
}

function handlerIssues(name: string, { tools }: Callbacks, names: readonly string[]): SpecIssue[] {
  const handler = own(tools, name)
  if (typeof handler === 'function') return []
  const message =
    handler === undefined
      ? `The tool ${name} has no handler. ${givenFor(name, tools, names)}Pass one in createRuntime's tools.`
      : `What is given for the tool ${name} is no function. Pass its handler in createRuntime's tools.`
  return [{ path: `tools.${name}`, message }]
}

function modelIssues(spec: RuntimeSpec, { models }: Callbacks): SpecIssue[] {
  const providers = [...providersOf(spec)]
  return providers.flatMap((provider) => {
    const message = modelProblem(provider, own(models, provider), () => givenFor(provider, models, providers))
    return message === undefined ? [] : [{ path: `models.${provider}`, message }]
  })
}

function modelProblem(provider: string, source: ModelSource | undefined, given: () => string): string | undefined {
  if (source === undefined)
    return `The provider ${provider} has no model. ${given()}Pass one in createRuntime's models.`
  if (isOfAiSdk(source)) return wrapIt(provider)
  if (isModelSource(source)) return undefined
  return `models.${provider} is no model: it has no stream function. Pass a model, or a function that makes one.`
}

function functionIssues({ tools }: RuntimeSpec, callbacks: Callbacks): SpecIssue[] {
  const issues = (['needsApproval', 'approve', 'onError'] as const)
    .filter((name) => callbacks[name] !== undefined && typeof callbacks[name] !== 'function')
    .map((name): SpecIssue => ({ path: name, message: `${name} must be a function.` }))
  if (callbacks.needsApproval === undefined && tools.some(({ approval }) => approval === 'dynamic')) {
    const message = "A tool's approval is dynamic, so createRuntime needs a needsApproval that says when."
    issues.push({ path: 'needsApproval', message })
  }
  return issues
}

/**
 * The tools whose inputs and the agents whose outputs are validated here: a Standard Schema decides alone, and its JSON
 * Schema is what models are shown. `undefined`: none.
 */
export function validatedOf(
  spec: RuntimeSpec,
  callbacks: Callbacks,
): { readonly tools: string[]; readonly agents: string[] } | undefined {
  if (spec.agents.length === 0) return undefined
  const tools = spec.tools.filter((tool) => inputSchemaOf(tool, callbacks) !== undefined).map(({ name }) => name)
  const agents = spec.agents.filter((agent) => standardSchemasOf(agent)['output'] !== undefined).map(({ name }) => name)
  return tools.length + agents.length === 0 ? undefined : { tools, agents }
}

/** The schema that validates what a tool is called with. */
function inputSchemaOf(tool: Tool, { schemas }: Callbacks): StandardSchema | undefined {
  return asStandardSchema(own(schemas, tool.name)) ?? standardSchemasOf(tool)['input']
}

/** The same for a tool by its name. */
export function inputSchema(spec: RuntimeSpec, callbacks: Callbacks, name: string): StandardSchema | undefined {
  const tool = spec.tools.find((tool) => tool.name === name)
  return tool === undefined ? undefined : inputSchemaOf(tool, callbacks)
}

/** Returns the host callbacks of a runtime's runs. Secrets are read when they are used, and never stored. */
export function hostParts(
  spec: RuntimeSpec,
  callbacks: Callbacks,
  kept: Pick<HostParts, 'references' | 'cache' | 'tracing'>,
): HostParts {
  const models = new Map<string, Model>()
  const schemas = new Map<string, { readonly input?: StandardSchema; readonly output?: StandardSchema }>()
  const questions = new Map(spec.tools.map((tool) => [tool.name, questionHandler(tool)]))
  const outputs = new Map(spec.agents.map((agent) => [agent.name, standardSchemasOf(agent)['output']]))
  for (const tool of spec.tools) {
    const input = inputSchemaOf(tool, callbacks)
    const output = standardSchemasOf(tool)['output']
    schemas.set(tool.name, { ...(input && { input }), ...(output && { output }) })
  }
  const variables = variablesOf(spec)
  const secret = (name: string | undefined) => {
    if (name === undefined) return undefined
    const value = own(callbacks.env, name)
    // A store may have been opened by it since the runtime was made.
    if (!isRootKey(name, value)) return value
    throw new InvalidInputError(`${name} holds a root key, which no model is given. Name another variable in the spec.`)
  }
  const redact = redactor(() => variables.flatMap((variable) => secretsIn(variable, own(callbacks.env, variable.name))))
  const redactAll: Redact = (text) => withoutRootKeys(redact(text))
  return {
    tenant: spec.tenant,
    dataEnvironment: spec.dataEnvironment,
    ...kept,
    handler: (tool) => (own(callbacks.tools, tool) ?? questions.get(tool)) as ToolHandler | undefined,
    schemas: (tool) => schemas.get(tool) ?? {},
    outputSchema: (agent) => outputs.get(agent),
    model: (provider) => {
      const made = models.get(provider)
      if (made !== undefined) return made
      const source = own(callbacks.models, provider) as ModelSource
      const { apiKeyEnv, baseUrlEnv } = own(spec.providers, provider) ?? {}
      const apiKey = secret(apiKeyEnv)
      const baseUrl = secret(baseUrlEnv)
      const env = { ...(apiKey === undefined ? {} : { apiKey }), ...(baseUrl === undefined ? {} : { baseUrl }) }
      const model = typeof source === 'function' ? source(env) : source
      if (isOfAiSdk(model)) throw new InvalidInputError(wrapIt(provider))
      if (typeof model === 'function' || !isModelSource(model)) {
        throw new InvalidInputError(`What models.${provider} returned is no model: it has no stream function.`)
      }
      models.set(provider, model)
      return model
    },
    needsApproval: callbacks.needsApproval,
    approve: callbacks.approve,
    around: callbacks.around,
    redact: redactAll,
    tell: telling(callbacks.onError),
    controller: guardedControllers(redactAll),
  }
}

/** The environment by default: this process's, without root keys. */
export function defaultEnvironment(): { readonly [name: string]: string | undefined } {
  const isHidden = (name: string | symbol) => typeof name === 'string' && isRootKey(name)
  return new Proxy(process.env, {
    get: (env, name) => (isHidden(name) ? undefined : Reflect.get(env, name)),
    has: (env, name) => !isHidden(name) && Reflect.has(env, name),
    getOwnPropertyDescriptor: (env, name) => (isHidden(name) ? undefined : Reflect.getOwnPropertyDescriptor(env, name)),
  })
}

/** An environment variable that a spec names. */
interface Variable {
  readonly name: string
  readonly path: string
  /** Whether what it holds is a secret as a whole; of an address only the password is. */
  readonly isSecret: boolean
}

/** Every environment variable that a spec names: a new field of that sort belongs here. */
function variablesOf(spec: RuntimeSpec): Variable[] {
  const providers = Object.entries(spec.providers).flatMap(([provider, { apiKeyEnv, baseUrlEnv }]) => [
    ...(apiKeyEnv === undefined ? [] : [variable(apiKeyEnv, `providers.${provider}.apiKeyEnv`, true)]),
    ...(baseUrlEnv === undefined ? [] : [variable(baseUrlEnv, `providers.${provider}.baseUrlEnv`, false)]),
  ])
  const databases = Object.entries(spec.dataEnvironment?.databases ?? {}).map(([database, { urlEnv }]) =>
    variable(urlEnv, `dataEnvironment.databases.${database}.urlEnv`, true),
  )
  return [...providers, ...databases]
}

function variable(name: string, path: string, isSecret: boolean): Variable {
  return { name, path, isSecret }
}

/** Returns the secret parts of a variable's value: a whole secret, and the password of an address. */
function secretsIn({ isSecret }: Variable, value: string | undefined): string[] {
  if (value === undefined) return []
  const password = URL.canParse(value) ? new URL(value).password : ''
  return [...(isSecret ? [value] : []), ...(password === '' ? [] : [password])]
}

function providersOf(spec: RuntimeSpec): Set<string> {
  const models = spec.agents.flatMap((agent) => ('model' in agent ? agent.model : undefined) ?? [])
  return new Set(models.map((model) => model.slice(0, model.indexOf('/'))))
}

/** Says of a name that is not there under which one something was given that no other asks for. */
function givenFor(name: string, given: { readonly [name: string]: unknown }, asked: readonly string[]): string {
  const others = Object.keys(given).filter((other) => !asked.includes(other))
  const meant = nearest(name, others)
  return meant === undefined ? '' : `There is one for ${meant}, which is none of the spec's. `
}

/** Whether it is a provider or a language model of the AI SDK, which has another interface. */
function isOfAiSdk(source: unknown): boolean {
  if (source === null || (typeof source !== 'object' && typeof source !== 'function')) return false
  const { stream, languageModel, doStream } = source as { readonly [name: string]: unknown }
  return typeof stream !== 'function' && (typeof languageModel === 'function' || typeof doStream === 'function')
}

function wrapIt(provider: string): string {
  return `models.${provider} is a provider or a model of the AI SDK. Wrap it: fromAiSdk(…) of bailiwick/ai-sdk makes a model of it.`
}

function isModelSource(source: unknown): boolean {
  if (typeof source === 'function') return true
  return typeof source === 'object' && source !== null && typeof (source as Partial<Model>).stream === 'function'
}

/** A property of the object's own: a tool may have the name of one that every object has. */
function own<T>(record: { readonly [name: string]: T }, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined
}

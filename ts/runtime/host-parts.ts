import { SpecError, type SpecIssue } from '../errors/index.ts'
import type { Approval } from '../ledger/index.ts'
import type { Model, ToolContext, ToolHandler } from '../spec/callbacks.ts'
import { standardSchemasOf } from '../spec/handlers.ts'
import type { RuntimeSpec } from '../spec/index.ts'
import type { JsonValue } from '../spec/json-value.ts'
import { asStandardSchema, type StandardSchema } from '../spec/schema.ts'
import { redactor } from './failures.ts'
import type { ApproverAnswer, HostParts } from './run-host.ts'

/** A model, or what makes one of the provider's key and address. */
export type ModelSource = Model | ((env: { apiKey?: string; baseUrl?: string }) => Model)

/** A call of a tool about which a host is asked. */
export interface ToolCallQuestion {
  readonly tool: string
  readonly input: JsonValue
  readonly context: ToolContext
}

/** What a host gives to answer questions with, whatever its spec. */
export interface Callbacks {
  readonly tools: { readonly [name: string]: unknown }
  readonly models: { readonly [provider: string]: ModelSource }
  readonly schemas: { readonly [tool: string]: unknown }
  readonly needsApproval: ((call: ToolCallQuestion) => boolean | Promise<boolean>) | undefined
  readonly approve: ((approval: Approval) => Promise<ApproverAnswer>) | undefined
  readonly env: { readonly [name: string]: string | undefined }
}

/** With agents, everything that they call must be there from the start. */
export function checkCallbacks(spec: RuntimeSpec, callbacks: Callbacks): void {
  if (spec.agents.length === 0) return
  const issues: SpecIssue[] = []
  const roles = spec.agents.map(({ role }) => role)
  if (!roles.includes('coordinator') && roles.filter((role) => role === 'specialist').length !== 1) {
    const message = 'query has nobody to go to. Add a coordinator with routes, or have exactly one specialist.'
    issues.push({ path: 'agents', message })
  }
  for (const { name } of spec.tools) {
    if (typeof own(callbacks.tools, name) !== 'function') {
      issues.push({
        path: `tools.${name}`,
        message: `The tool ${name} has no handler. Pass one in createRuntime's tools.`,
      })
    }
    const schema = own(callbacks.schemas, name)
    if (schema !== undefined && asStandardSchema(schema) === undefined) {
      issues.push({ path: `schemas.${name}`, message: 'Must be a Standard Schema, such as one of zod.' })
    }
  }
  for (const provider of providersOf(spec)) {
    if (!isModelSource(own(callbacks.models, provider))) {
      const message = `The provider ${provider} has no model. Pass one in createRuntime's models.`
      issues.push({ path: `models.${provider}`, message })
    }
  }
  for (const name of ['needsApproval', 'approve'] as const) {
    if (callbacks[name] !== undefined && typeof callbacks[name] !== 'function') {
      issues.push({ path: name, message: `${name} must be a function.` })
    }
  }
  if (callbacks.needsApproval === undefined && spec.tools.some(({ approval }) => approval === 'dynamic')) {
    const message = "A tool's approval is dynamic, so createRuntime needs a needsApproval that says when."
    issues.push({ path: 'needsApproval', message })
  }
  if (issues.length > 0) throw new SpecError(issues)
}

/** What runs answer the core's questions with. Secrets are read when they are used, and never kept. */
export function hostParts(
  spec: RuntimeSpec,
  callbacks: Callbacks,
  kept: Pick<HostParts, 'references' | 'cache' | 'tracing'>,
): HostParts {
  const models = new Map<string, Model>()
  const schemas = new Map<string, { readonly input?: StandardSchema; readonly output?: StandardSchema }>()
  const outputs = new Map(spec.agents.map((agent) => [agent.name, standardSchemasOf(agent)['output']]))
  for (const tool of spec.tools) {
    const behind = standardSchemasOf(tool)
    const input = asStandardSchema(own(callbacks.schemas, tool.name)) ?? behind['input']
    const output = behind['output']
    schemas.set(tool.name, { ...(input && { input }), ...(output && { output }) })
  }
  const secret = (name: string | undefined) => (name === undefined ? undefined : own(callbacks.env, name))
  return {
    tenant: spec.tenant,
    dataEnvironment: spec.dataEnvironment,
    ...kept,
    handler: (tool) => own(callbacks.tools, tool) as ToolHandler | undefined,
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
      models.set(provider, model)
      return model
    },
    needsApproval: callbacks.needsApproval,
    approve: callbacks.approve,
    redact: redactor(() => secretNames(spec).flatMap((name) => secret(name) ?? [])),
  }
}

/** The environment by default: this process's, without the root key. */
export function defaultEnvironment(rootKeyEnv = 'BAILIWICK_ROOT_KEY'): { readonly [name: string]: string | undefined } {
  return new Proxy(process.env, {
    get: (env, name) => (name === rootKeyEnv ? undefined : Reflect.get(env, name)),
    has: (env, name) => name !== rootKeyEnv && Reflect.has(env, name),
    getOwnPropertyDescriptor: (env, name) =>
      name === rootKeyEnv ? undefined : Reflect.getOwnPropertyDescriptor(env, name),
  })
}

function secretNames(spec: RuntimeSpec): string[] {
  const databases = Object.values(spec.dataEnvironment?.databases ?? {}).map(({ urlEnv }) => urlEnv)
  const keys = Object.values(spec.providers).flatMap(({ apiKeyEnv }) => apiKeyEnv ?? [])
  return [...databases, ...keys, 'BAILIWICK_ROOT_KEY']
}

function providersOf(spec: RuntimeSpec): Set<string> {
  const models = spec.agents.flatMap((agent) => ('model' in agent ? agent.model : undefined) ?? [])
  return new Set(models.map((model) => model.slice(0, model.indexOf('/'))))
}

function isModelSource(source: unknown): boolean {
  if (typeof source === 'function') return true
  return typeof source === 'object' && source !== null && typeof (source as Partial<Model>).stream === 'function'
}

/** A property of the object's own: a tool may have the name of one that every object has. */
function own<T>(record: { readonly [name: string]: T }, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined
}

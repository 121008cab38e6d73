import { expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import {
  type AgentOutput,
  type AgentSpec,
  createRuntime,
  defineCoordinator,
  defineExecutor,
  definePlanner,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  defineTool,
  type JsonObject,
  type Model,
  type OpenCall,
  type OptionsFor,
  parseRuntimeSpec,
  type Reference,
  type RuntimeSpec,
  type SpecialistNames,
  type StandardJsonSchema,
  type Tool,
  type ToolContext,
  type ToolHandler,
  type ToolHandlers,
  withTenant,
} from '../../ts/index.ts'

const search = defineTool({
  name: 'search',
  description: 'Finds',
  input: z.object({
    text: z.string(),
    limit: z.number().default(10),
    at: z.string().transform((text) => new Date(text)),
  }),
  output: z.object({ hits: z.array(z.string()).default([]) }),
})
const plain = defineTool({ name: 'plain', description: 'Plain', input: { type: 'object' } })
const analyst = defineSpecialist({
  name: 'analyst',
  model: 'a/b',
  prompt: 'x',
  tools: [search, 'plain'],
  output: z.object({ answer: z.string().transform(Number) }),
})
const writer = defineSpecialist({ name: 'writer', model: ['a/b', 'c/d'], prompt: 'x' })
const executor = defineExecutor({ name: 'executor', tools: [search] })
const spec = defineRuntime({ tenant: defineTenant('acme', 'v1'), agents: [analyst, writer, executor], tools: [plain] })

type Handlers = ToolHandlers<typeof spec>

it('the handlers are typed by the tools of the spec, held ones included', () => {
  expectTypeOf<keyof Handlers>().toEqualTypeOf<'search' | 'plain'>()
  expectTypeOf<Parameters<Handlers['search']>>().toEqualTypeOf<
    [input: { text: string; limit: number; at: Date }, context: ToolContext]
  >()
  expectTypeOf<Awaited<ReturnType<Handlers['search']>>>().toEqualTypeOf<
    { hits?: string[] | undefined } | Reference | Uint8Array | OpenCall
  >()
  expectTypeOf<Parameters<Handlers['plain']>[0]>().toEqualTypeOf<JsonObject>()
  expectTypeOf(search).toExtend<Tool<'search', { text: string; limit: number; at: Date }>>()
})

it('a handler may be a generator, whose return is the result', () => {
  const more = { models: { a: {} as Model, c: {} as Model } }
  const plainly = () =>
    createRuntime(spec, { ...more, tools: { search: ({ text }) => ({ hits: [text] }), plain: () => 1 } })
  const stepwise = () =>
    createRuntime(spec, {
      ...more,
      tools: {
        async *search({ text }) {
          yield 'half'
          return { hits: [text] }
        },
        plain: () => 1,
      },
    })
  const wrongly = () =>
    createRuntime(spec, {
      ...more,
      tools: {
        // @ts-expect-error what it returns is not what the tool answers
        async *search({ text }) {
          yield { hits: [text] }
          return 5
        },
        plain: () => 1,
      },
    })
  expectTypeOf([plainly, stepwise, wrongly]).toBeArray()
})

it('an agent has the types of its name, role and answer', () => {
  expectTypeOf(analyst.name).toEqualTypeOf<'analyst'>()
  expectTypeOf(analyst.role).toEqualTypeOf<'specialist'>()
  expectTypeOf<SpecialistNames<typeof spec>>().toEqualTypeOf<'analyst' | 'writer'>()
  expectTypeOf<AgentOutput<typeof spec, 'analyst'>>().toEqualTypeOf<{ answer: number }>()
  expectTypeOf<AgentOutput<typeof spec, 'writer'>>().toEqualTypeOf<string>()
  expectTypeOf(analyst).toExtend<AgentSpec<'analyst', { answer: number }>>()
  expectTypeOf(analyst).not.toExtend<AgentSpec<'other'>>()
})

it('withTenant keeps the types', () => {
  const other = withTenant(spec, defineTenant('globex', 'v1'))
  expectTypeOf(other).toEqualTypeOf<typeof spec>()
  expectTypeOf(other).toExtend<RuntimeSpec>()
})

it('a spec without types has handlers of any name', () => {
  expectTypeOf<ToolHandlers<RuntimeSpec>[string]>().toEqualTypeOf<ToolHandler>()
  const empty = defineRuntime({ tenant: defineTenant('acme', 'v1') })
  expectTypeOf<keyof ToolHandlers<typeof empty>>().toEqualTypeOf<never>()
  expectTypeOf(empty).toExtend<RuntimeSpec>()
})

it('misspelt and missing properties are type errors', () => {
  // @ts-expect-error a coordinator's property
  const routes = () => defineSpecialist({ name: 'x', model: 'a/b', prompt: 'x', routes: ['y'] })
  // @ts-expect-error tools are needed
  const tools = () => defineExecutor({ name: 'x' })
  // @ts-expect-error no such policy
  const approval = () => defineTool({ name: 'x', description: 'x', input: {}, approval: 'sometimes' })
  // @ts-expect-error no such kind
  const limits = () => defineRuntime({ tenant: defineTenant('a', 'b'), limits: { items: { files: 1 } } })
  expectTypeOf([routes, tools, approval, limits]).toBeArray()
})

it('a route to an unknown agent is a type error, if the names are known', () => {
  const tenant = defineTenant('a', 'b')
  const asked = { model: 'a/b', prompt: 'x' } as const
  const front = defineCoordinator({ name: 'front', ...asked, routes: ['analyst', 'writer'] })
  expectTypeOf(front.routes).toEqualTypeOf<readonly ('analyst' | 'writer')[] & readonly string[]>()
  expectTypeOf(defineRuntime({ tenant, agents: [front, analyst, writer], tools: [plain] })).toExtend<RuntimeSpec>()
  const wrong = defineCoordinator({ name: 'front', ...asked, routes: ['anlyst', 'writer'] })
  // @ts-expect-error no agent has the name of this route: 'anlyst'
  const unknown = () => defineRuntime({ tenant, agents: [wrong, analyst, writer], tools: [plain] })
  // @ts-expect-error nor is there any other
  const none = () => defineRuntime({ tenant, agents: [front] })
  const loose = defineCoordinator({ name: 'front', ...asked, routes: ['anlyst'] as string[] })
  const open = () => defineRuntime({ tenant, agents: [loose, analyst as AgentSpec] })
  const list = () => defineRuntime({ tenant, agents: [wrong, ...([] as AgentSpec[])] })
  expectTypeOf([unknown, none, open, list]).toBeArray()
})

it('agents given as routes belong to the spec, with their tools and answers', () => {
  const front = defineCoordinator({ name: 'front', model: 'a/b', prompt: 'x', routes: [analyst, 'writer'] })
  const spec = defineRuntime({ tenant: defineTenant('a', 'b'), agents: [front, writer], tools: [plain] })
  expectTypeOf<SpecialistNames<typeof spec>>().toEqualTypeOf<'analyst' | 'writer'>()
  expectTypeOf<AgentOutput<typeof spec, 'analyst'>>().toEqualTypeOf<{ answer: number }>()
  expectTypeOf<keyof ToolHandlers<typeof spec>>().toEqualTypeOf<'search' | 'plain'>()
})

it('handlers and models are required where the agents are known', () => {
  const model: Model = { async *stream() {} }
  const tools: Handlers = { search: () => ({}), plain: () => 1 }
  const models = { a: model, c: () => model }
  const right = () => createRuntime(spec, { models, tools })
  const typed = () =>
    createRuntime(spec, { models, tools: { search: ({ limit }) => ({ hits: [limit.toFixed()] }), plain: () => 1 } })
  // @ts-expect-error nothing is given
  const nothing = () => createRuntime(spec, {})
  // @ts-expect-error not even options
  const less = () => createRuntime(spec)
  // @ts-expect-error the provider c has no model
  const provider = () => createRuntime(spec, { models: { a: model }, tools })
  // @ts-expect-error the tool plain has no handler
  const handler = () => createRuntime(spec, { models, tools: { search: () => ({}) } })
  const handlers = { search: (given: { limit: string }) => ({ hits: [given.limit] }), plain: () => 1 }
  // @ts-expect-error search takes what its schema says
  const input = () => createRuntime(spec, { models, tools: handlers })
  // @ts-expect-error other tenants' runtimes need them too
  const other = () => createRuntime(withTenant(spec, defineTenant('globex', 'v1')), {})
  const wrapped = <Spec extends RuntimeSpec>(own: Spec, ...options: OptionsFor<Spec>) => createRuntime(own, ...options)
  const through = () => wrapped(spec, { models, tools })
  // @ts-expect-error what wraps it asks for the same
  const lacking = () => wrapped(spec, { models })
  expectTypeOf([right, typed, nothing, less, provider, handler, input, other, through, lacking]).toBeArray()
})

it('unknown parts of a spec are optional', () => {
  const model: Model = { async *stream() {} }
  const tenant = defineTenant('acme', 'v1')
  const parsed = () => createRuntime(parseRuntimeSpec('{}'))
  const empty = () => createRuntime(defineRuntime({ tenant }))
  const tooled = () => createRuntime(defineRuntime({ tenant, tools: [plain] }), {})
  const planner = definePlanner({ name: 'planner', model: 'a/b' as string, prompt: 'x', plan: 'report' })
  const named = defineRuntime({ tenant, agents: [planner] })
  const any = () => createRuntime(named, { models: { whatever: model } })
  // @ts-expect-error an agent asks some model
  const without = () => createRuntime(named, {})
  expectTypeOf([parsed, empty, tooled, any, without]).toBeArray()
})

it('a Standard JSON Schema without validate has its input type', () => {
  const schema = {
    '~standard': { version: 1, vendor: 'made', jsonSchema: { input: () => ({ type: 'object' }) } },
  } as StandardJsonSchema<{ text: string }>
  const tool = defineTool({ name: 'plain', description: 'Plain', input: schema, output: schema })
  expectTypeOf(tool).toExtend<Tool<'plain', { text: string }, { text: string }>>()
})

import { expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import {
  type AgentOutput,
  type AgentSpec,
  defineExecutor,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  defineTool,
  type JsonObject,
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

it('M2: the handlers are typed by the tools of the spec, held ones included', () => {
  expectTypeOf<keyof Handlers>().toEqualTypeOf<'search' | 'plain'>()
  expectTypeOf<Parameters<Handlers['search']>>().toEqualTypeOf<
    [input: { text: string; limit: number; at: Date }, context: ToolContext]
  >()
  expectTypeOf<Awaited<ReturnType<Handlers['search']>>>().toEqualTypeOf<
    { hits?: string[] | undefined } | Reference | Uint8Array
  >()
  expectTypeOf<Parameters<Handlers['plain']>[0]>().toEqualTypeOf<JsonObject>()
  expectTypeOf(search).toExtend<Tool<'search', { text: string; limit: number; at: Date }>>()
})

it('M14: an agent carries its name, role and what it answers', () => {
  expectTypeOf(analyst.name).toEqualTypeOf<'analyst'>()
  expectTypeOf(analyst.role).toEqualTypeOf<'specialist'>()
  expectTypeOf<SpecialistNames<typeof spec>>().toEqualTypeOf<'analyst' | 'writer'>()
  expectTypeOf<AgentOutput<typeof spec, 'analyst'>>().toEqualTypeOf<{ answer: number }>()
  expectTypeOf<AgentOutput<typeof spec, 'writer'>>().toEqualTypeOf<string>()
  expectTypeOf(analyst).toExtend<AgentSpec<'analyst', { answer: number }>>()
  expectTypeOf(analyst).not.toExtend<AgentSpec<'other'>>()
})

it('M10: withTenant keeps the types', () => {
  const other = withTenant(spec, defineTenant('globex', 'v1'))
  expectTypeOf(other).toEqualTypeOf<typeof spec>()
  expectTypeOf(other).toExtend<RuntimeSpec>()
})

it('M2: a spec without types has handlers of any name', () => {
  expectTypeOf<ToolHandlers<RuntimeSpec>[string]>().toEqualTypeOf<ToolHandler>()
  const empty = defineRuntime({ tenant: defineTenant('acme', 'v1') })
  expectTypeOf<keyof ToolHandlers<typeof empty>>().toEqualTypeOf<never>()
  expectTypeOf(empty).toExtend<RuntimeSpec>()
})

it('M14: misspelt and missing properties are type errors', () => {
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

it('P9: a Standard JSON Schema without validate gives what may be given to it', () => {
  const schema = {
    '~standard': { version: 1, vendor: 'made', jsonSchema: { input: () => ({ type: 'object' }) } },
  } as StandardJsonSchema<{ text: string }>
  const tool = defineTool({ name: 'plain', description: 'Plain', input: schema, output: schema })
  expectTypeOf(tool).toExtend<Tool<'plain', { text: string }, { text: string }>>()
})

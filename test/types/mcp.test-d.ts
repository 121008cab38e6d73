import type { Client } from '@modelcontextprotocol/client'
import { type McpClient, type McpTools, mcpTools } from 'bailiwick/mcp'
import { expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import { defineRuntime, defineSpecialist, defineTenant, defineTool, type ToolHandlers } from '../../ts/index.ts'

const search = defineTool({ name: 'search', description: 'Finds', input: z.object({ text: z.string() }) })

it('a client of the SDK fits by its shape', () => {
  expectTypeOf<Client>().toExtend<McpClient>()
  const tools = (client: Client) => mcpTools(client, { prefix: 'x_' })
  expectTypeOf(tools).returns.resolves.toEqualTypeOf<McpTools>()
  // @ts-expect-error no client
  const wrong = () => mcpTools({ listTools: async () => ({ tools: [] }) })
  expectTypeOf(wrong).toBeFunction()
})

it('tools of a server go with tools of the spec, whose handlers keep their types', () => {
  const use = (server: McpTools) => {
    const agent = defineSpecialist({ name: 'helper', model: 'a/b', prompt: 'x', tools: [search, ...server.tools] })
    const spec = defineRuntime({ tenant: defineTenant('acme', 'v1'), agents: [agent] })
    const handlers: ToolHandlers<typeof spec> = { ...server.handlers, search: ({ text }) => text.length }
    // @ts-expect-error a handler of the spec's own tool takes what its schema says
    const wrong: ToolHandlers<typeof spec> = { ...server.handlers, search: (input: { text: number }) => input.text }
    return [handlers, wrong]
  }
  expectTypeOf(use).toBeFunction()
})

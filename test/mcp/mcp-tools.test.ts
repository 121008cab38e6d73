import { McpServer } from '@modelcontextprotocol/server'
import { type McpTools, mcpTools } from 'bailiwick/mcp'
import { testStore, testToolContext } from 'bailiwick/testing'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  defineRuntime,
  defineSpecialist,
  defineTenant,
  type JsonObject,
  type Reference,
  SpecError,
  type SpecIssue,
  type ToolContext,
} from '../../ts/index.ts'
import { codeOf, failureOf } from '../support/failures.ts'
import { runtimeFor } from '../support/stores.ts'
import { connected } from './support.ts'

type Content = Awaited<ReturnType<Parameters<McpServer['registerTool']>[2]>> & { content: unknown[] }

/** A server with one tool, which answers what it is told to. */
function serverAnswering(result: object): McpServer {
  const server = new McpServer({ name: 'shop', version: '1.0.0' })
  server.registerTool('answer', { description: 'Answers' }, async () => result as Content)
  return server
}

function call(
  tools: Pick<McpTools, 'handlers'>,
  name: string,
  input: JsonObject,
  context: ToolContext = testToolContext(),
): Promise<unknown> {
  return Promise.resolve(tools.handlers[name]?.(input, context))
}

/** What the handler answers for a result, and a runtime that keeps its references. */
async function answered(result: object) {
  const store = await testStore()
  const { references } = await runtimeFor(store)
  const { client } = await connected(serverAnswering(result))
  const tools = await mcpTools(client)
  return { references, answer: call(tools, 'answer', {}, testToolContext({ references })) }
}

async function issuesOf(promise: Promise<unknown>): Promise<readonly SpecIssue[]> {
  const error = await failureOf(() => promise)
  return SpecError.isInstance(error) ? error.issues : []
}

describe('tools of an MCP server', () => {
  test('become tools of a spec, with their schemas and effects', async () => {
    const server = new McpServer({ name: 'shop', version: '1.0.0' })
    server.registerTool(
      'search',
      {
        description: 'Finds products',
        inputSchema: z.object({ text: z.string() }),
        outputSchema: z.object({ found: z.number() }),
        annotations: { readOnlyHint: true },
      },
      async ({ text }) => ({ content: [{ type: 'text', text: 'x' }], structuredContent: { found: text.length } }),
    )
    server.registerTool('pay', { title: 'Pays' }, async () => ({ content: [{ type: 'text', text: 'paid' }] }))
    const { client } = await connected(server)
    const { tools, handlers } = await mcpTools(client, { prefix: 'shop_' })
    expect(tools).toMatchObject([
      {
        name: 'shop_search',
        description: 'Finds products',
        effects: 'read',
        approval: 'never',
        input: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
        output: { type: 'object', properties: { found: { type: 'number' } } },
      },
      { name: 'shop_pay', description: 'Pays', effects: 'write', onInterrupted: 'ask', input: { type: 'object' } },
    ])
    expect(await call({ handlers }, 'shop_search', { text: 'shoes' })).toEqual({ found: 5 })
    expect(await call({ handlers }, 'shop_pay', {})).toBe('paid')
    const { tools: careful } = await mcpTools(client, { approval: 'always', timeoutMs: 1000 })
    const helper = defineSpecialist({ name: 'helper', model: 'a/b', prompt: 'x', tools: careful })
    const spec = defineRuntime({ tenant: defineTenant('acme', 'v1'), agents: [helper] })
    expect(spec.tools.map(({ name, approval, timeoutMs }) => [name, approval, timeoutMs])).toEqual([
      ['search', 'always', 1000],
      ['pay', 'always', 1000],
    ])
  })

  test('all mistakes in the options are refused at once, before the server is asked', async () => {
    const { client, sent } = await connected(serverAnswering({ content: [] }))
    const before = sent.length
    expect(await issuesOf(mcpTools(client, { timeoutMs: 0, approval: 'maybe' as never }))).toHaveLength(2)
    for (const wrong of [{ prefix: '1' }, { prefix: 'a.' }, { prefix: 'x'.repeat(33) }, { skip: 'a' }, { rename: 1 }]) {
      expect(await codeOf(() => mcpTools(client, wrong as never))).toBe('INVALID_INPUT')
    }
    expect(await codeOf(() => mcpTools(client, { toolsChanged: 1 as never }))).toBe('INVALID_INPUT')
    expect(sent).toHaveLength(before)
    expect(await issuesOf(mcpTools(client, { rename: { answer: 'a.b' } }))).toEqual([
      { path: 'rename.answer', message: expect.stringMatching(/^Must be a tool name/) },
    ])
  })

  test('an invalid client or prefix is refused', async () => {
    for (const wrong of [undefined, null, {}, { listTools: () => {} }]) {
      expect(await codeOf(() => mcpTools(wrong as never))).toBe('INVALID_INPUT')
    }
    const { client } = await connected(serverAnswering({ content: [] }))
    expect(await codeOf(() => mcpTools(client, { prefix: 1 as never }))).toBe('INVALID_INPUT')
  })
})

describe('results of an MCP server', () => {
  test.each([
    ['one text', [{ type: 'text', text: 'three' }], 'three'],
    [
      'several texts',
      [
        { type: 'text', text: 'a' },
        { type: 'text', text: '' },
      ],
      ['a', ''],
    ],
    ['nothing', [], []],
    [
      'a link',
      [{ type: 'resource_link', uri: 'shop://1', name: 'one', _meta: { a: 1 } }],
      { type: 'resource_link', uri: 'shop://1', name: 'one' },
    ],
    [
      'a resource with text',
      [{ type: 'resource', resource: { uri: 'shop://1', mimeType: 'text/csv', text: 'a,b' } }],
      { type: 'resource', resource: { uri: 'shop://1', mimeType: 'text/csv', text: 'a,b' } },
    ],
  ])('converts %s', async (_, content, expected) => {
    const { answer } = await answered({ content })
    expect(await answer).toEqual(expected)
  })

  test.each([
    ['an image', { type: 'image', data: 'AQID', mimeType: 'image/png' }, 'image/png'],
    ['a sound', { type: 'audio', data: 'AQID', mimeType: 'audio/wav' }, 'audio/wav'],
    [
      'a binary resource',
      { type: 'resource', resource: { uri: 'shop://1', blob: 'AQID' } },
      'application/octet-stream',
    ],
  ])('%s is kept as a reference, alone and among others', async (_, item, mediaType) => {
    const alone = await answered({ content: [item] })
    const reference = (await alone.answer) as Reference
    expect(reference).toMatchObject({ type: 'mcp-content', mediaType, byteLength: 3 })
    expect((await alone.references.resolve(reference.id)).bytes).toEqual(Uint8Array.from([1, 2, 3]))
    const { id, type, byteLength, glimpse } = reference
    const among = await answered({ content: [{ type: 'text', text: 'Look:' }, item] })
    expect(await among.answer).toEqual(['Look:', { reference: id, type, mediaType, byteLength, glimpse }])
  })

  test('a result that reports a failure is a failed call, with its texts as the reason', async () => {
    const failing = async (content: object[]) => await (await answered({ content, isError: true })).answer
    await expect(
      failing([
        { type: 'text', text: 'No such' },
        { type: 'text', text: 'shelf.' },
      ]),
    ).rejects.toThrow(/^No such\nshelf\.$/)
    await expect(failing([])).rejects.toThrow('The MCP tool failed and gave no reason.')
    const cut = failing([{ type: 'text', text: `${'x'.repeat(4095)}\u{1f45f}` }])
    await expect(cut).rejects.toThrow(new Error(`${'x'.repeat(4095)}\ufffd`))
  })

  test('an answer of the first versions of the protocol is taken as it is', async () => {
    class FirstClient {
      async listTools() {
        return { tools: [{ name: 'answer', inputSchema: { type: 'object' } }] }
      }
      async callTool(_params: object) {
        return { toolResult: { found: 3 } }
      }
    }
    expect(await call(await mcpTools(new FirstClient()), 'answer', {})).toEqual({ found: 3 })
  })
})

describe('calls of an MCP server', () => {
  test('the server receives the arguments and nothing about the tenant, the run or the actor', async () => {
    const { client, sent } = await connected(serverAnswering({ content: [{ type: 'text', text: 'x' }] }))
    const tools = await mcpTools(client)
    const context = testToolContext({
      tenant: defineTenant('canary-tenant', 'v1'),
      runId: 'canary-run',
      threadId: 'canary-thread',
      callId: 'canary-call',
      actor: 'canary-actor',
      idempotencyKey: 'canary-key',
    })
    await call(tools, 'answer', { text: 'shoes' }, context)
    expect(sent.at(-1)).toMatchObject({
      method: 'tools/call',
      params: { name: 'answer', arguments: { text: 'shoes' } },
    })
    expect(JSON.stringify(sent)).not.toContain('canary')
  })

  test('an aborted call ends, and the server is notified', async () => {
    const server = new McpServer({ name: 'shop', version: '1.0.0' })
    const aborter = new AbortController()
    let told: Promise<unknown> | undefined
    server.registerTool('wait', {}, async (context) => {
      told = new Promise((resolve) => context.mcpReq.signal.addEventListener('abort', resolve))
      aborter.abort(new Error('cancelled'))
      await told
      return { content: [] }
    })
    const { client } = await connected(server)
    const waiting = call(await mcpTools(client), 'wait', {}, testToolContext({ signal: aborter.signal }))
    await expect(waiting).rejects.toThrow('cancelled')
    await told
  })

  test('a refusal by the server is a failed call', async () => {
    const server = serverAnswering({ content: [] })
    const { client } = await connected(server)
    const tools = await mcpTools(client)
    await server.close()
    await expect(call(tools, 'answer', {})).rejects.toThrow()
  })

  test('a client of version 1 is asked page by page, with its options in their place', async () => {
    const { client: real } = await connected(serverAnswering({ content: [{ type: 'text', text: 'x' }] }))
    const [answer] = (await real.listTools()).tools
    const asked: unknown[] = []
    class ClientOfVersion1 {
      async listTools(params?: { cursor?: string }) {
        asked.push(params)
        const page = Number(params?.cursor ?? 0)
        const tools = [{ name: `tool${page}`, inputSchema: answer?.inputSchema ?? {} }]
        return { tools, ...(page < 2 ? { nextCursor: String(page + 1) } : {}) }
      }
      async callTool(params: object, schema: object = z.object({}), options?: { signal: AbortSignal }) {
        asked.push(params, schema instanceof z.ZodObject, options?.signal)
        return await real.callTool({ name: 'answer' }, options)
      }
    }
    const tools = await mcpTools(new ClientOfVersion1())
    expect(tools.tools.map(({ name }) => name)).toEqual(['tool0', 'tool1', 'tool2'])
    const context = testToolContext()
    expect(await call(tools, 'tool2', { a: 1 }, context)).toBe('x')
    expect(asked).toEqual([
      undefined,
      { cursor: '1' },
      { cursor: '2' },
      { name: 'tool2', arguments: { a: 1 } },
      true,
      context.signal,
    ])
  })

  test('a server whose list never ends is refused', async () => {
    const client = (page: object) => ({ listTools: async () => page, callTool: async () => ({}) }) as never
    await expect(mcpTools(client({ tools: [], nextCursor: '0' }))).rejects.toThrow(/more than 1000 pages/)
  })
})

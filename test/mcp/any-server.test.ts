import { EventEmitter, once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { McpServer } from '@modelcontextprotocol/server'
import { mcpTools } from 'bailiwick/mcp'
import { scriptedModel, testToolContext } from 'bailiwick/testing'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { definableToolName } from '../../ts/common/tool-names.ts'
import { createRuntime, defineRuntime, defineSpecialist, defineTenant } from '../../ts/index.ts'
import { connected } from './support.ts'

/** A client of a server that has these tools now. */
function clientOf(tools: object[]) {
  const calls: unknown[] = []
  const client = {
    listTools: async () => ({ tools: [...tools] }),
    callTool: async (call: object, _options?: object) => {
      calls.push(call)
      return { content: [{ type: 'text', text: 'done' }] }
    },
  }
  return { client: client as never, calls, tools }
}

const named = (...names: string[]) => names.map((name) => ({ name, inputSchema: { type: 'object' } }))
const warnings: Error[] = []
const keep = (warning: Error) => void warnings.push(warning)

beforeEach(() => void process.on('warning', keep))
afterEach(() => {
  process.off('warning', keep)
  warnings.length = 0
})

describe('names of a server that are no tool names', () => {
  test('a name is kept, or made one by the rule, and the server is called by its own', async () => {
    const { client, calls } = clientOf(
      named('search', 'db.query', 'a/b', '9lives', 'x'.repeat(65), '', '__proto__', 'größe'),
    )
    const { tools, handlers, renamed, skipped } = await mcpTools(client)
    expect(tools.map(({ name }) => name)).toEqual([
      'search',
      expect.stringMatching(/^db_query_[0-9a-f]{12}$/),
      expect.stringMatching(/^a_b_[0-9a-f]{12}$/),
      expect.stringMatching(/^t_9lives_[0-9a-f]{12}$/),
      expect.stringMatching(/^x{51}_[0-9a-f]{12}$/),
      expect.stringMatching(/^t__[0-9a-f]{12}$/),
      expect.stringMatching(/^t___proto___[0-9a-f]{12}$/),
      expect.stringMatching(/^gr__e_[0-9a-f]{12}$/),
    ])
    expect(skipped).toEqual([])
    expect(renamed.map(({ name }) => name)).toEqual([
      'db.query',
      'a/b',
      '9lives',
      'x'.repeat(65),
      '',
      '__proto__',
      'größe',
    ])
    expect(renamed[0]?.tool).toBe(tools[1]?.name)
    for (const { tool } of renamed) await handlers[tool]?.({}, testToolContext())
    expect(calls).toEqual(renamed.map(({ name }) => ({ name, arguments: {} })))
    const prefixed = await mcpTools(client, { prefix: 'db_' })
    expect(prefixed.tools[0]?.name).toBe('db_search')
    expect(prefixed.tools[1]?.name).toMatch(/^db_db_query_[0-9a-f]{12}$/)
  })

  test('any names give valid and different ones, whatever their order and company', () => {
    const letters = fc.constantFrom('a', 'B', '7', '_', '-', '.', '/', ' ', 'ä', '\u{1f45f}', '\ud800', '\0')
    const text = fc.array(letters, { maxLength: 6 }).map((parts) => parts.join(''))
    const long = fc.tuple(text, fc.nat(70)).map(([end, length]) => 'x'.repeat(length) + end)
    const any = fc.oneof(
      text,
      long,
      fc.string({ unit: 'binary' }),
      text.map(definableToolName),
      text.map((name) => definableToolName(definableToolName(name))),
    )
    fc.assert(
      fc.property(fc.uniqueArray(any, { maxLength: 20 }), (names) => {
        const ours = names.map(definableToolName)
        expect(new Set(ours).size).toBe(names.length)
        expect(ours.filter((name) => !/^[A-Za-z][A-Za-z0-9_-]{0,63}$/.test(name))).toEqual([])
        expect(names.toReversed().map(definableToolName)).toEqual(ours.toReversed())
      }),
      { numRuns: 100 },
    )
  })

  test('a host can rename and skip tools', async () => {
    const { client } = clientOf(named('db.query', 'db.drop', 'search'))
    const named_ = await mcpTools(client, { prefix: 'p_', rename: { 'db.query': 'ask_database' }, skip: ['db.drop'] })
    expect(named_.tools.map(({ name }) => name)).toEqual(['ask_database', 'p_search'])
    expect(named_.renamed).toEqual([{ name: 'db.query', tool: 'ask_database' }])
    const chosen = await mcpTools(client, {
      rename: (name) => (name.startsWith('db.') ? name.replace('.', '-') : undefined),
      skip: (name) => name === 'search',
    })
    expect(chosen.tools.map(({ name }) => name)).toEqual(['db-query', 'db-drop'])
    await expect(mcpTools(client, { rename: () => 'same' })).rejects.toThrow(/same name/)
    expect(warnings).toEqual([])
  })
})

describe('tools of a server that cannot be used', () => {
  const property = (schema: unknown) => ({ type: 'object', properties: { a: schema } })
  const unusable: [string, object, RegExp][] = [
    ['remote', { inputSchema: property({ $ref: 'https://example.com/a.json' }) }, /\$ref.*example\.com/],
    ['draft4', { inputSchema: property({ type: 'number', exclusiveMinimum: true }) }, /exclusiveMinimum/],
    ['draft7', { inputSchema: property({ type: 'array', items: [{}] }) }, /items/],
    [
      'pattern',
      { inputSchema: property({ type: 'string', pattern: '\\k<n>' }) },
      /"pattern" at "\/properties\/a\/pattern"/,
    ],
    ['list', { inputSchema: { type: 'array' } }, /schema of an object/],
    ['none', {}, /input/],
    ['output', { inputSchema: { type: 'object' }, outputSchema: property({ type: 'any' }) }, /output.*type/],
    ['good', { inputSchema: { type: 'object' } }, /same name/],
  ]

  test('are left out by name, with the reason and a warning; the others work', async () => {
    const good = { name: 'good', inputSchema: property({ $ref: '#/$defs/Größe <v1>' }) }
    Object.assign(good.inputSchema, { $defs: { 'Größe <v1>': { type: 'number' } } })
    const { client } = clientOf([good, ...unusable.map(([name, said]) => ({ name, ...said }))])
    const { tools, handlers, skipped } = await mcpTools(client)
    expect(tools.map(({ name }) => name)).toEqual(['good'])
    expect(skipped.map(({ name }) => name).sort()).toEqual(unusable.map(([name]) => name).sort())
    for (const [name, , reason] of unusable) expect(skipped.find((left) => left.name === name)?.reason).toMatch(reason)
    await new Promise((resolve) => setImmediate(resolve))
    expect(warnings.map(({ message }) => /The tool "(\w+)"/.exec(message)?.[1]).sort()).toEqual(
      unusable.map(([name]) => name).sort(),
    )
    const agent = defineSpecialist({ name: 'one', model: 'test/any', prompt: 'x', tools })
    const spec = defineRuntime({ tenant: defineTenant('acme', 'v1'), agents: [agent] })
    const usage = { inputTokens: 1, outputTokens: 1 }
    const model = scriptedModel([
      [
        { type: 'tool.call', callId: '1', tool: 'good', input: '{"a":1}' },
        { type: 'finish', reason: 'tool-calls', usage },
      ],
      [
        { type: 'text.delta', id: 't', delta: 'Done' },
        { type: 'finish', reason: 'stop', usage },
      ],
    ])
    await using runtime = await createRuntime(spec, { store: 'memory:', models: { test: model }, tools: handlers })
    expect(await runtime.query('Go').result()).toMatchObject({ status: 'completed', text: 'Done' })
  })
})

describe('a server whose tools change', () => {
  const nothing = async () => ({ content: [{ type: 'text' as const, text: 'x' }] })

  test('the host is notified, a call of a removed tool fails with the reason, and a restored tool works', async () => {
    const server = new McpServer({ name: 'shop', version: '1.0.0' })
    server.registerTool('stays', { description: 'Stays' }, nothing)
    const goes = server.registerTool('goes', { description: 'Goes' }, nothing)
    const { client } = await connected(server)
    const heard: unknown[] = []
    const others: string[] = []
    client.fallbackNotificationHandler = async ({ method }) => void others.push(method)
    const told = new EventEmitter()
    const { handlers, refresh } = await mcpTools(client, {
      toolsChanged: (change) => {
        heard.push(change)
        told.emit('told')
      },
    })
    const waitFor = async (change: () => void) => {
      const next = once(told, 'told')
      change()
      await next
    }
    await waitFor(() => goes.disable())
    await expect(handlers['goes']?.({}, testToolContext())).rejects.toThrow('does not have the tool goes any more')
    expect(await handlers['stays']?.({}, testToolContext())).toBe('x')
    await waitFor(() => goes.enable())
    expect(await handlers['goes']?.({}, testToolContext())).toBe('x')
    await waitFor(() => goes.update({ description: 'Goes elsewhere' }))
    await waitFor(() => void server.registerTool('new', {}, nothing))
    expect(heard).toEqual([
      { added: [], removed: ['goes'], changed: [] },
      { added: ['goes'], removed: [], changed: [] },
      { added: [], removed: [], changed: ['goes'] },
      { added: ['new'], removed: [], changed: [] },
    ])
    // The host's own handler hears the same afterwards.
    expect(others.length).toBeGreaterThan(0)
    expect(await refresh()).toBeUndefined()
  })

  test('a host with its own notification can refresh; an error of its hook is a warning', async () => {
    const server = clientOf(named('one', 'two'))
    const { handlers, refresh } = await mcpTools(server.client, {
      toolsChanged: () => {
        throw new Error('no')
      },
    })
    expect(await refresh()).toBeUndefined()
    server.tools.splice(0, 1)
    expect(await refresh()).toEqual({ added: [], removed: ['one'], changed: [] })
    await expect(handlers['one']?.({}, testToolContext())).rejects.toThrow('any more')
    await new Promise((resolve) => setImmediate(resolve))
    expect(warnings.map(({ message }) => message)).toEqual(['toolsChanged failed: no'])
  })

  test('the client of version 1 hears of it in the same way', async () => {
    const sdk = fileURLToPath(new URL('./servers/node_modules/@modelcontextprotocol/sdk/dist/esm/', import.meta.url))
    const [{ McpServer: Server }, { Client }, { InMemoryTransport }] = await Promise.all([
      import(`${sdk}server/mcp.js`),
      import(`${sdk}client/index.js`),
      import(`${sdk}inMemory.js`),
    ])
    const server = new Server({ name: 'shop', version: '1.0.0' })
    const goes = server.registerTool('goes', { description: 'Goes' }, nothing)
    const client = new Client({ name: 'test', version: '1.0.0' })
    const [near, far] = InMemoryTransport.createLinkedPair()
    await Promise.all([server.connect(far), client.connect(near)])
    onTestFinished(() => client.close())
    const told = new EventEmitter()
    const { handlers } = await mcpTools(client, { toolsChanged: (change) => void told.emit('told', change) })
    const change = once(told, 'told')
    goes.disable()
    expect(await change).toEqual([{ added: [], removed: ['goes'], changed: [] }])
    await expect(handlers['goes']?.({}, testToolContext())).rejects.toThrow('any more')
  })
})

test('an invalid tool in a server’s list is left out, and an answer without a list is an error that says so', async () => {
  const { client } = clientOf([...named('one'), null, {}, { name: 7 }, 'x', ...named('two')] as object[])
  const { tools, skipped } = await mcpTools(client)
  expect(tools.map(({ name }) => name)).toEqual(['one', 'two'])
  expect(skipped.map(({ name }) => name)).toEqual(['tools[1]', 'tools[2]', 'tools[3]', 'tools[4]'])
  for (const answer of [{}, null, { tools: 'x' }, undefined]) {
    const wrong = { listTools: async () => answer, callTool: async () => ({}) } as never
    await expect(mcpTools(wrong)).rejects.toThrow('The MCP server answered tools/list without a list of tools.')
  }
})

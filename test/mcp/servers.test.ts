import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { type McpClient, mcpTools } from 'bailiwick/mcp'
import { scriptedModel } from 'bailiwick/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createRuntime, defineRuntime, defineSpecialist, defineTenant, type ModelEvent } from '../../ts/index.ts'

const here = fileURLToPath(new URL('./servers', import.meta.url))
const scope = join(here, 'node_modules', '@modelcontextprotocol')

/** A connected client, whichever it is. */
type Connect = (
  command: string,
  args: string[],
  env: Record<string, string>,
) => Promise<McpClient & { close(): Promise<void> }>

const clients: { readonly [name: string]: Connect } = {
  '@modelcontextprotocol/client 2.4.0': async (command, args, env) => {
    const client = new Client({ name: 'test', version: '1.0.0' })
    await client.connect(new StdioClientTransport({ command, args, env, stderr: 'ignore' }))
    return client
  },
  '@modelcontextprotocol/sdk 1.32.2': async (command, args, env) => {
    // By its file: it is installed beside the servers, and not where types are looked for.
    const sdk = join(scope, 'sdk', 'dist', 'esm', 'client')
    const { Client: OldClient } = await import(join(sdk, 'index.js'))
    const { StdioClientTransport: Transport } = await import(join(sdk, 'stdio.js'))
    const client = new OldClient({ name: 'test', version: '1.0.0' })
    await client.connect(new Transport({ command, args, env, stderr: 'ignore' }))
    return client
  },
}

/** A call, and what its result holds as JSON text. */
type Call = readonly [tool: string, input: object, expected: RegExp]

interface Server {
  readonly args: readonly string[]
  readonly tools: number
  readonly calls: readonly Call[]
}

const entity = { name: 'Ann', entityType: 'person', observations: ['tall'] }
const relation = { from: 'Ann', to: 'Ann', relationType: 'knows' }

/** `folder`: the server's own. What is not called reaches for the network, changes what the server sends, or takes long. */
function servers(folder: string): { readonly [name: string]: Server } {
  const path = join(folder, 'a.txt')
  return {
    everything: {
      args: ['stdio'],
      tools: 13,
      calls: [
        ['echo', { message: 'hello' }, /hello/],
        ['get-annotated-message', { messageType: 'success', includeImage: true }, /"reference":"ref_.*image\/png/],
        ['get-env', {}, /CANARY/],
        ['get-resource-links', { count: 2 }, /resource_link/],
        ['get-resource-reference', { resourceType: 'Text', resourceId: 1 }, /demo:\/\/resource/],
        ['get-structured-content', { location: 'Chicago' }, /"temperature"/],
        ['get-sum', { a: 2, b: 3 }, /5/],
        ['get-tiny-image', {}, /"mcp-content"/],
        ['trigger-long-running-operation', { duration: 0.01, steps: 1 }, /completed/],
      ],
    },
    filesystem: {
      args: [folder],
      tools: 14,
      calls: [
        ['read_file', { path }, /hello/],
        ['read_text_file', { path, head: 1 }, /hello/],
        ['read_media_file', { path: join(folder, 'a.png') }, /content/],
        ['read_multiple_files', { paths: [path] }, /hello/],
        ['write_file', { path: join(folder, 'b.txt'), content: 'b' }, /Successfully/],
        ['edit_file', { path, edits: [{ oldText: 'hello', newText: 'hello you' }] }, /hello you/],
        ['create_directory', { path: join(folder, 'c') }, /Successfully/],
        ['list_directory', { path: folder }, /a\.txt/],
        ['list_directory_with_sizes', { path: folder }, /a\.txt/],
        ['directory_tree', { path: folder }, /a\.txt/],
        ['move_file', { source: join(folder, 'b.txt'), destination: join(folder, 'd.txt') }, /Successfully/],
        ['search_files', { path: folder, pattern: '**/*.txt' }, /d\.txt/],
        ['get_file_info', { path }, /size/],
        ['list_allowed_directories', {}, /Allowed/],
      ],
    },
    memory: {
      args: [],
      tools: 9,
      calls: [
        ['create_entities', { entities: [entity] }, /Ann/],
        ['create_relations', { relations: [relation] }, /knows/],
        ['add_observations', { observations: [{ entityName: 'Ann', contents: ['kind'] }] }, /kind/],
        ['read_graph', {}, /kind/],
        ['search_nodes', { query: 'ann' }, /Ann/],
        ['open_nodes', { names: ['Ann'] }, /Ann/],
        ['delete_observations', { deletions: [{ entityName: 'Ann', observations: ['tall'] }] }, /success/],
        ['delete_relations', { relations: [relation] }, /success/],
        ['delete_entities', { entityNames: ['Ann'] }, /success/],
      ],
    },
    'sequential-thinking': {
      args: [],
      tools: 1,
      calls: [
        [
          'sequentialthinking',
          { thought: 'Think', nextThoughtNeeded: false, thoughtNumber: 1, totalThoughts: 1 },
          /"thoughtHistoryLength":1/,
        ],
      ],
    },
  }
}

const usage = { inputTokens: 1, outputTokens: 1 }
const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
/** What the table says, in its order. */
const table = JSON.parse(readFileSync(new URL('./compatibility.json', import.meta.url), 'utf8')) as {
  rows: unknown[][]
}

describe.each(Object.keys(servers('')))('the server %s', (name) => {
  test.each(Object.entries(clients))('its tools are taken and work through %s', async (clientName, connect) => {
    const folder = mkdtempSync(join(tmpdir(), 'bailiwick-mcp-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    writeFileSync(join(folder, 'a.txt'), 'hello')
    writeFileSync(join(folder, 'a.png'), Buffer.from(png, 'base64'))
    const { args, tools: count, calls } = servers(folder)[name] as Server
    const program = join(scope, `server-${name}`, 'dist', 'index.js')
    const env = { CANARY: 'yes', MEMORY_FILE_PATH: join(folder, 'memory.jsonl'), PATH: process.env['PATH'] ?? '' }
    const client = await connect(process.execPath, [program, ...args], env)
    onTestFinished(() => client.close())
    const { tools, handlers, skipped, renamed } = await mcpTools(client)
    expect([tools.length, skipped, renamed]).toEqual([count, [], []])

    const agent = defineSpecialist({ name: 'one', model: 'test/any', prompt: 'x', tools })
    const spec = defineRuntime({ tenant: defineTenant('acme', 'v1'), agents: [agent] })
    const turns = calls.map(([tool, input], at): ModelEvent[] => [
      { type: 'tool.call', callId: `call-${at}`, tool, input: JSON.stringify(input) },
      { type: 'finish', reason: 'tool-calls', usage },
    ])
    const end: ModelEvent[] = [
      { type: 'text.delta', id: 't', delta: 'Done' },
      { type: 'finish', reason: 'stop', usage },
    ]
    const models = { test: scriptedModel([...turns, end]) }
    await using runtime = await createRuntime(spec, { store: 'memory:', models, tools: handlers })
    const run = runtime.query('Go')
    const results = new Map<string, string>()
    for await (const event of run) {
      if (event.type === 'tool.failed') results.set(event.callId, JSON.stringify(event.error))
      if (event.type === 'tool.completed') results.set(event.callId, JSON.stringify(event))
    }
    expect(await run.result()).toMatchObject({ status: 'completed', text: 'Done' })
    for (const [at, [tool, , expected]] of calls.entries()) {
      expect(`${tool}: ${results.get(`call-${at}`)}`).toMatch(expected)
      expect(`${tool}: ${results.get(`call-${at}`)}`).not.toMatch(/"code":/)
    }
    const { version } = JSON.parse(readFileSync(join(scope, `server-${name}`, 'package.json'), 'utf8'))
    const row = [
      `@modelcontextprotocol/server-${name} ${version}`,
      clientName,
      `${count} of ${count}`,
      `${calls.length}`,
    ]
    expect(table.rows).toContainEqual(row)
  })
})

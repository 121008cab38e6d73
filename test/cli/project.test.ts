import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { minifySync, transformSync } from 'rolldown/utils'
import { describe, expect, onTestFinished, test } from 'vitest'
import { inRoot, root } from '../../scripts/lib/root.mjs'
import { type Language, toJavaScript } from '../../ts/cli/files/javascript.ts'
import { projectFiles } from '../../ts/cli/files/project.ts'
import { providerServer } from '../models/provider-server.ts'
import { anthropic } from '../providers/wires/anthropic.ts'
import { freshFolder } from '../support/stores.ts'

const execute = promisify(execFile)

/** A new project, with the built package and what is installed here, as `npm install` would put it there. */
function newProject(language: Language): string {
  const project = freshFolder()
  mkdirSync(join(project, 'src'))
  for (const [file, text] of projectFiles('project', language)) writeFileSync(join(project, file), text)
  const modules = join(project, 'node_modules')
  for (const folder of ['.bin', '@ai-sdk', '@types']) mkdirSync(join(modules, folder), { recursive: true })
  for (const name of ['zod', '@types/node']) symlinkSync(inRoot('node_modules', name), join(modules, name))
  symlinkSync(root, join(modules, 'bailiwick'))
  symlinkSync(inRoot('node_modules', '.bin', 'tsc'), join(modules, '.bin', 'tsc'))
  return project
}

/** Does what `npm start` of a project in JavaScript does, and gives what it printed however it ended. */
async function start(project: string, env: NodeJS.ProcessEnv): Promise<string> {
  const options = { cwd: project, env: { ...process.env, NODE_OPTIONS: undefined, ...env } }
  const { stdout, stderr } = await execute(process.execPath, ['src/main.js'], options).catch((failed) => failed)
  return `${stdout}${stderr}`
}

/** Starts the server of a project, in a group of processes that dies with `kill`. */
async function startServer(project: string) {
  const env = { ...process.env, NODE_OPTIONS: undefined, PORT: '0' }
  const child = spawn('npm', ['run', 'server', '--silent'], {
    cwd: project,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  const kill = async (signal: 'SIGKILL' | 'SIGTERM') => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-(child.pid ?? 0), signal)
    await ended
  }
  onTestFinished(() => kill('SIGKILL'))
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const { value = '' } = await lines.next()
  const url = /^listening on (http:\S+)$/.exec(value)?.[1] ?? ''
  /** Sends a request with a token, and a body if it has one. */
  const send = async (token: string, path: string, body?: unknown) => {
    const sent =
      body === undefined ? {} : { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) }
    const response = await fetch(url + path, { headers: { authorization: `Bearer ${token}` }, ...sent })
    return { status: response.status, text: await response.text() }
  }
  return { kill, send }
}

describe('the server of a project of init', () => {
  test('a chat is asked about, and goes on by itself once it is approved, after a kill in between', async () => {
    const project = newProject('typescript')
    const before = await startServer(project)
    const asked = await before.send('demo-lee', '/chat', { id: 'chat-1', message: 'Charge kim 42 euros' })
    expect(asked.status).toBe(200)
    expect(asked.text).toContain('"type":"tool-approval-request"')
    expect(asked.text).toMatch(/\ndata: \[DONE\]\n\n$/)
    await before.kill('SIGKILL')

    const after = await startServer(project)
    const [approval] = JSON.parse((await after.send('demo-lee', '/approvals')).text)
    expect(approval.subject).toEqual({ tool: 'charge', input: { customer: 'kim', euros: 42 } })
    const path = `/approvals/${approval.approvalId}`
    const decision = { decision: 'approve' }
    // Another tenant finds nothing, and no token is a person's.
    expect((await after.send('demo-ann', '/approvals')).text).toBe('[]\n')
    for (const denied of ['/chat/chat-1', path]) {
      const body = denied === path ? decision : undefined
      expect((await after.send('demo-ann', denied, body)).status).toBe(404)
      expect((await after.send('demo', denied, body)).status).toBe(401)
    }
    expect((await after.send('demo-ann', '/chat/chat-1/stream')).status).toBe(204)
    expect(readdirSync(project)).not.toContain('charges.txt')

    expect((await after.send('demo-lee', path, decision)).status).toBe(200)
    // What useChat asks for when it reconnects; it may have ended meanwhile.
    const resumed = await after.send('demo-lee', '/chat/chat-1/stream')
    if (resumed.status === 200) expect(resumed.text).toContain('"delta":"It is charged."')
    else expect(resumed.status).toBe(204)
    const messages = JSON.parse((await after.send('demo-lee', '/chat/chat-1')).text)
    expect(messages.map(({ role }: { role: string }) => role)).toEqual(['user', 'assistant'])
    expect(messages[1].parts.at(-1)).toMatchObject({ type: 'text', text: 'It is charged.' })
    expect(readFileSync(join(project, 'charges.txt'), 'utf8')).toMatch(/^[0-9a-f]{64} kim 42 euros\n$/)
    await after.kill('SIGTERM')
  })

  test('takes the messages of useChat, and refuses what it cannot use', async () => {
    const { send } = await startServer(newProject('javascript'))
    const messages = [{ id: 'm1', role: 'user', parts: [{ type: 'text', text: 'Hello' }] }]
    expect((await send('demo-lee', '/chat', { id: 'chat-1', messages })).text).toContain('Ask me to charge somebody')
    expect((await send('demo-lee', '/chat', { id: 'chat-1', message: 'Charge kim 1 euro' })).status).toBe(200)
    for (const [status, path, body] of [
      [409, '/chat', { id: 'chat-1', message: 'Hello' }],
      [400, '/chat', 'null'],
      [400, '/chat', '{'],
      [400, '/chat', {}],
      [400, '/chat', { message: 3 }],
      [413, '/chat', { message: 'x'.repeat(2_000_000) }],
      [404, '/approvals/approval_none', { decision: 'approve' }],
      [404, '/chat/chat-1', { message: 'Hello' }],
      [404, '/', undefined],
    ] as const) {
      const answer = await send('demo-lee', path, body)
      expect([answer.status, Object.keys(JSON.parse(answer.text))]).toEqual([status, ['error']])
    }
  })
})

describe('the model of a project of init', () => {
  test('is of the AI SDK if MODEL names one, and what is missing is said', async () => {
    const project = newProject('javascript')
    const MODEL = 'anthropic/claude-sonnet-4-5'
    const server = await providerServer(
      anthropic.answer({ calls: [{ id: 'toolu_1', name: 'charge', input: { customer: 'bob', euros: 7 } }] }),
    )
    const env = { MODEL, ANTHROPIC_API_KEY: '', ANTHROPIC_BASE_URL: `${server.url}/v1` }
    expect(await start(project, { MODEL: 'claude' })).toContain('Write it as anthropic/claude')
    expect(await start(project, { MODEL: 'other/model' })).toContain('one of anthropic, google, openai;')
    expect(await start(project, env)).toContain('Run: npm install @ai-sdk/anthropic')
    const installed = join('node_modules', '@ai-sdk', 'anthropic')
    symlinkSync(inRoot(installed), join(project, installed))
    expect(await start(project, env)).toContain('ANTHROPIC_API_KEY is not set')
    expect(server.asked).toEqual([])
    expect(await start(project, { ...env, ANTHROPIC_API_KEY: 'key' })).toBe(
      "suspended { tool: 'charge', input: { customer: 'bob', euros: 7 } }\n",
    )
    expect(server.asked[0]?.body.model).toBe('claude-sonnet-4-5')
    expect(server.asked[0]?.headers['x-api-key']).toBe('key')
  })

  test.each(['anthropic', 'google', 'openai'])('@ai-sdk/%s exports its provider under its name', async (name) => {
    const { [name]: provider } = await import(`@ai-sdk/${name}`)
    expect(typeof provider.languageModel).toBe('function')
  })
})

describe('a project of init --js', () => {
  test('passes its test', async () => {
    const { stdout } = await execute('npm', ['test'], { cwd: newProject('javascript') })
    expect(stdout).toMatch(/^. pass 2\n. fail 0$/m)
  })

  const folder = inRoot('examples', 'project', 'src')
  test.each(readdirSync(folder))('has of %s what a compiler makes of it', (name) => {
    const text = readFileSync(join(folder, name), 'utf8')
    // Without comments and spaces.
    const plain = (code: string) => minifySync(name, code, { compress: false, mangle: false }).code
    const renamed = (code: string) => code.replace(/((?:\.|src)\/[\w.-]+)\.ts\b/g, '$1.js')
    const written = toJavaScript(text)
    expect(plain(written)).toBe(plain(renamed(transformSync(name, text).code)))
    expect(written).not.toMatch(/[^\S\n]\n|\n{3}/)
  })
})

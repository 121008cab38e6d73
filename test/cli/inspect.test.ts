import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openStore } from '../../ts/index.ts'
import { request } from '../inspect/subject.ts'
import { freshFolder, runtimeFor } from '../support/stores.ts'
import { bailiwick, command, oneLine } from './command.ts'

async function filledStore(): Promise<string> {
  const directory = join(freshFolder(), 'store')
  await using store = await openStore(`sled:${directory}`)
  await (await runtimeFor(store, 'acme')).references.put('note', 'of acme')
  await (await runtimeFor(store, 'globex')).references.put('secret', 'of globex')
  return directory
}

/** Starts the built command and waits for the line with this text. */
async function startCommand(words: readonly string[], text: string): Promise<{ child: ChildProcess; line: string }> {
  const child = spawn(process.execPath, [command, ...words], {
    env: { ...process.env, NODE_OPTIONS: undefined },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  for await (const line of createInterface({ input: child.stdout })) if (line.includes(text)) return { child, line }
  throw new Error('It ended before it said where the page is.')
}

describe('inspect', () => {
  test('M3: serves one tenant of a store in a directory until it is ended', async () => {
    const directory = await filledStore()
    const { child, line } = await startCommand(['inspect', directory, '--tenant', 'acme'], '/enter?token=')
    const url = line.trim()
    const entered = await request(url)
    expect(entered.status).toBe(200)
    const cookie = entered.headers.get('set-cookie')?.split(';')[0] ?? ''
    const { text } = await request(new URL('/references', url).href, { headers: { cookie } })
    expect(text).toContain('of acme')
    expect(text).not.toContain('globex')
    const locked = await bailiwick(['inspect', directory, '--tenant', 'acme'])
    expect(locked).toEqual(oneLine)
    expect(locked.err).toContain('running host')
    child.kill('SIGINT')
    expect(await once(child, 'close')).toEqual([0, null])
    expect((await bailiwick(['doctor', directory])).code).toBe(0)
  })

  test('CLI: says the link as JSON', async () => {
    const directory = await filledStore()
    const { child, line } = await startCommand(['inspect', directory, '--tenant', 'acme', '--json'], '')
    expect(JSON.parse(line)).toEqual({ url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/enter\?token=/) })
    child.kill('SIGTERM')
    expect(await once(child, 'close')).toEqual([0, null])
  })

  test.each([
    [['inspect'], '<store> is missing'],
    [['inspect', '.'], '--tenant is missing'],
    [['inspect', '.', '--tenant', 'acme'], 'There is no store in .'],
    [['inspect', 'memory:', '--tenant', 'acme'], 'is no store in a directory'],
    [['inspect', '.', '--tenant', ''], '--tenant is no resourceId: Must be a text'],
    [['inspect', '.', '--tenant', 'acme', '--port', '65536'], '--port is no number'],
    [['inspect', '.', '--tenant', 'acme', '--port', '-1'], '--port'],
  ])('CLI: %j', async (words, message) => {
    const answer = await bailiwick(words)
    expect(answer).toEqual(oneLine)
    expect(answer.err).toContain(message)
  })

  test('CLI: a port that is taken', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const { port } = server.address() as { port: number }
    const answer = await bailiwick(['inspect', await filledStore(), '--tenant', 'acme', '--port', String(port)])
    expect(answer).toEqual(oneLine)
    expect(answer.err).toContain('EADDRINUSE')
  })
})

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openStore } from '../../ts/index.ts'
import { emptyNotice } from '../../ts/inspect/emptiness.ts'
import { formTokenOf, request } from '../inspect/subject.ts'
import { freshFolder, freshUrl, runtimeFor } from '../support/stores.ts'
import { bailiwick, command, oneLine } from './command.ts'

async function filledStore(): Promise<string> {
  const directory = join(freshFolder(), 'store')
  await fill(`sled:${directory}`)
  return directory
}

async function fill(url: string): Promise<void> {
  await using store = await openStore(url)
  await (await runtimeFor(store, 'acme')).references.put('note', 'of acme')
  await (await runtimeFor(store, 'globex')).references.put('secret', 'of globex')
}

/** Starts the built command and waits for the line with this text. */
async function startCommand(
  words: readonly string[],
  text: string,
  env: NodeJS.ProcessEnv = {},
): Promise<{ child: ChildProcess; line: string }> {
  const child = spawn(process.execPath, [command, ...words], {
    env: { ...process.env, NODE_OPTIONS: undefined, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  for await (const line of createInterface({ input: child.stdout })) if (line.includes(text)) return { child, line }
  throw new Error('It ended before it said where the page is.')
}

describe('inspect', () => {
  test('serves one tenant of a store in a directory until it is ended', async () => {
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

  test('decides an approval in a database while a host waits for it', async () => {
    const url = await freshUrl('postgres')
    await fill(url)
    await using store = await openStore(url)
    const acme = await runtimeFor(store, 'acme')
    const { approvalId } = await acme.approvals.request({ tool: 'refund', input: { order: 7 } })
    const words = ['inspect', 'env:THE_STORE', '--tenant', 'acme']
    const { child, line } = await startCommand(words, '/enter?token=', { THE_STORE: url })
    const { origin } = new URL(line.trim())
    const cookie = (await request(line.trim())).headers.get('set-cookie')?.split(';')[0] ?? ''
    const references = await request(`${origin}/references`, { headers: { cookie } })
    expect(references.text).toContain('of acme')
    expect(references.text).not.toContain('globex')
    const token = formTokenOf(await request(`${origin}/approvals`, { headers: { cookie } }))
    const decided = await request(`${origin}/approvals/${approvalId}`, {
      method: 'POST',
      headers: { cookie, origin, 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ token, actor: 'kim', reason: '', decision: 'approve' }).toString(),
    })
    expect(decided.status).toBe(303)
    expect(await acme.approvals.get(approvalId)).toMatchObject({ status: 'approved' })
    expect((await acme.approvals.history()).items).toMatchObject([{ approvalId, actor: 'kim' }])
    child.kill('SIGINT')
    expect(await once(child, 'close')).toEqual([0, null])
  })

  test('prints the link as JSON', async () => {
    const directory = await filledStore()
    const { child, line } = await startCommand(['inspect', directory, '--tenant', 'acme', '--json'], '')
    expect(JSON.parse(line)).toEqual({ url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/enter\?token=/) })
    child.kill('SIGTERM')
    expect(await once(child, 'close')).toEqual([0, null])
  })

  test('says that nothing is kept for a mistyped name, before the link and as JSON', async () => {
    const directory = await filledStore()
    const { child, line } = await startCommand(['inspect', directory, '--tenant', 'acmee'], '')
    expect(line).toBe(emptyNotice)
    child.kill('SIGINT')
    await once(child, 'close')
    const { child: other, line: json } = await startCommand(['inspect', directory, '--tenant', 'acmee', '--json'], '')
    expect(JSON.parse(json)).toEqual({ url: expect.any(String), empty: true })
    other.kill('SIGINT')
    expect(await once(other, 'close')).toEqual([0, null])
  })

  test.each([
    [['inspect'], '<store> is missing'],
    [['inspect', '.'], '--tenant is missing'],
    [['inspect', '.', '--tenant', 'acme'], 'There is no store in "."'],
    [['inspect', 'memory:', '--tenant', 'acme'], 'A store in memory is in its own process alone'],
    [['inspect', '.', '--tenant', ''], '--tenant is no resourceId: Must be a text'],
    [['inspect', '.', '--tenant', 'acme', '--port', '65536'], '--port is no number'],
    [['inspect', '.', '--tenant', 'acme', '--port', '-1'], '--port'],
  ])('refuses %j in one line', async (words, message) => {
    const answer = await bailiwick(words)
    expect(answer).toEqual(oneLine)
    expect(answer.err).toContain(message)
  })

  test('refuses a port that is taken', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const { port } = server.address() as { port: number }
    const answer = await bailiwick(['inspect', await filledStore(), '--tenant', 'acme', '--port', String(port)])
    expect(answer).toEqual(oneLine)
    expect(answer.err).toContain('EADDRINUSE')
  })
})

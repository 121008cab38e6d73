import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { openStore } from '../../ts/index.ts'
import { codeOf } from '../support/failures.ts'
import { startProgram } from '../support/programs.ts'
import { engines, freshUrl, runtimeFor } from '../support/stores.ts'

describe.each(engines)('the end of a process on %s', (engine) => {
  it.each([
    ['exit at once', 7],
    ['exit after the first answer', 7],
    ['exit while closing', 7],
    ['fail with work in flight', 1],
  ])('%s: the exit code is the one that was given', async (way, code) => {
    const url = await freshUrl(engine)
    for (let round = 0; round < 3; round += 1) {
      const ending = await startProgram('worker/ending', [way, url]).ended
      expect(ending).toMatchObject({ code, signal: null })
      if (code === 7) expect(ending.errors).toBe('')
    }
    await (await openStore(url)).close()
  })

  it('a process with nothing in flight ends by itself, without close', async () => {
    const url = await freshUrl(engine)
    const ending = await startProgram('worker/ending', ['nothing in flight', url]).ended
    expect(ending).toMatchObject({ code: 0, errors: '' })
    expect(ending.lines).toHaveLength(1)
    await using store = await openStore(url)
    const found = await (await runtimeFor(store)).references.resolveMany(ending.lines)
    expect(found.map((one) => one?.text())).toEqual([engine === 'memory' ? undefined : 'kept'])
  })

  it('a pending call keeps its process alive', async () => {
    const ending = await startProgram('worker/ending', ['one pending call', await freshUrl(engine)]).ended
    expect(ending).toMatchObject({ code: 0, lines: [expect.stringMatching(/^ref_/)], errors: '' })
  })
})

it('a second process gets StoreLockedError until the first has ended, even by a kill', async () => {
  const url = await freshUrl('sled')
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    const holder = startProgram('worker/ending', ['hold the store', url])
    await holder.printed('open')
    expect(await codeOf(() => openStore(url))).toBe('STORE_LOCKED')
    expect(await codeOf(() => openStore(url))).toBe('STORE_LOCKED')
    holder.child.kill(signal)
    expect((await holder.ended).signal).toBe(signal)
    await (await openStore(url)).close()
  }
})

it('importing the package does not load the addon; opening a store does', async () => {
  const script = `
    const { defineTenant, defineRuntime, openStore } = await import('bailiwick')
    const { testToolContext } = await import('bailiwick/testing')
    console.log(JSON.stringify(defineRuntime({ tenant: defineTenant('acme', 'v1') }).tenant), testToolContext().runId)
    await openStore('memory:').catch((error) => console.log(error.code, /BAILIWICK_NATIVE_PATH/.test(error.message)))
  `
  const cwd = fileURLToPath(new URL('../..', import.meta.url))
  const env = { ...process.env, NODE_OPTIONS: undefined, BAILIWICK_NATIVE_PATH: '/nowhere/bailiwick.node' }
  const options = { cwd, env }
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], options)
  expect(stdout.split('\n')).toEqual(['{"resourceId":"acme","version":"v1"} test-run', 'INTERNAL true', ''])
})

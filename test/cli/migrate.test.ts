import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { describe, expect, onTestFinished, test } from 'vitest'
import { run } from '../../ts/cli/run.ts'
import {
  createRuntime,
  defineRuntime,
  defineSpecialist,
  defineTool,
  InvalidInputError,
  type ModelEvent,
  openStore,
  type Store,
  verifyConsistency,
  verifyInclusion,
} from '../../ts/index.ts'
import { calls, says, script } from '../loop/models.ts'
import { freshDatabase } from '../support/databases.ts'
import { freshFolder, freshUrl, runtimeFor } from '../support/stores.ts'
import { acme } from '../unit/support.ts'
import { type Answer, bailiwick, oneLine, startBailiwick } from './command.ts'
import { damageValues } from './damage.ts'

const KILLS = process.env['BAILIWICK_LONG'] === '1' ? 100 : 5

/** No root key from elsewhere. */
const noKey = { BAILIWICK_ROOT_KEY: undefined }

const act = defineTool({ name: 'act', description: 'Acts', input: { type: 'object' }, approval: 'always' })
const spec = defineRuntime({
  tenant: acme,
  agents: [defineSpecialist({ name: 'clerk', model: 'test/m', prompt: 'Help.', tools: [act] })],
})

function clerk(store: Store, ...turns: ModelEvent[][]) {
  return createRuntime(spec, { store, models: { test: script(...turns) }, tools: { act: () => 'acted' } })
}

/** Leaves a run of acme's waiting for an approval. */
async function suspend(store: Store): Promise<string> {
  const query = (await clerk(store, calls(['act', {}]))).query('go')
  expect(await query.result()).toMatchObject({ status: 'suspended' })
  return query.runId
}

/** Approves what a run waits for, and lets it go on. */
async function finish(store: Store, runId: string): Promise<void> {
  const runtime = await clerk(store, says('Done.'))
  for (const { approvalId } of (await runtime.approvals.pending()).items) {
    await runtime.approvals.respond(approvalId, { decision: 'approve', actor: 'kim' })
  }
  expect(await runtime.runs.resume(runId).result()).toMatchObject({ status: 'completed', text: 'Done.' })
}

function rootKeyOf(directory: string): { key: string; rootKey: Uint8Array } {
  const rootKey = readFileSync(join(directory, 'root.key'))
  return { rootKey, key: rootKey.toString('base64') }
}

const moved = { code: 0, err: '' }

describe('migrate', () => {
  test('a directory moves to a database and back, with its runs, approvals, proofs and references', async () => {
    const folder = freshFolder()
    const [first, last] = [join(folder, 'first'), join(folder, 'last')]
    const store = await openStore(`sled:${first}`)
    const runtime = await runtimeFor(store, 'globex')
    const { id } = await runtime.references.put('note', new Uint8Array(3_000_000).fill(7))
    const runs = [await suspend(store), await suspend(store)]
    await finish(store, await suspend(store))
    const early = await clerk(store)
    const [checkpoint, proof] = [await early.approvals.checkpoint(), await early.approvals.prove(0)]
    await store.close()
    const { key, rootKey } = rootKeyOf(first)
    const { url } = await freshDatabase()

    const there = await bailiwick(['migrate', first, url], noKey)
    expect(there).toMatchObject(moved)
    expect(there.out).toMatch(
      /^moved: the store is in "postgres:\/\/[^:@"]+@[^"]+"\n {2}holds {2}\d+ rows of 2 tenants, \d+ bytes; (\d+) rows/,
    )
    expect(there.out).toContain('BAILIWICK_ROOT_KEY')
    for (const secret of [key, new URL(url).password]) expect(there.out).not.toContain(secret)
    await expect(openStore(`sled:${first}`)).rejects.toThrow(InvalidInputError)
    {
      await using database = await openStore(url, { rootKey })
      expect((await (await runtimeFor(database, 'globex')).references.resolve(id)).bytes).toHaveLength(3_000_000)
      await finish(database, runs[0] as string)
    }
    const back = await bailiwick(['migrate', url, `sled:${last}`, '--json'], { BAILIWICK_ROOT_KEY: key })
    expect(back).toMatchObject(moved)
    expect(JSON.parse(back.out)).toMatchObject({ to: `sled:${last}`, tenants: 2, hasKeyBeside: false })
    await expect(openStore(url, { rootKey })).rejects.toThrow(/was moved/)
    expect(existsSync(join(last, 'root.key'))).toBe(false)
    await using again = await openStore(`sled:${last}`, { rootKey })
    await finish(again, runs[1] as string)
    const { approvals } = await clerk(again)
    expect(verifyInclusion(proof, again.publicKey)).toBe(true)
    const consistency = await approvals.proveConsistency(checkpoint)
    expect([verifyConsistency(consistency, again.publicKey), consistency.to.size]).toEqual([true, 3])
    expect(await approvals.verify({ against: checkpoint })).toMatchObject({ ok: true, problems: [] })
  })

  test.each([
    ['sled', 'sled'],
    ['sled', 'postgres'],
    ['postgres', 'sled'],
  ] as const)(`from %s to %s, killed at ${KILLS} random moments`, async (old, next) => {
    const rootKey = Buffer.alloc(32, 5)
    const env = { BAILIWICK_ROOT_KEY: rootKey.toString('base64') }
    let wholeMs = 0
    // The first is not killed: it says how long one takes.
    for (let kill = 0; kill <= KILLS; kill += 1) {
      const [from, to] = [await freshUrl(old), await freshUrl(next)]
      const store = await openStore(from, { rootKey })
      const { references } = await runtimeFor(store)
      const items = Array.from({ length: 250 }, (_, index) => ({ type: 'note', value: `${index}`.repeat(900) }))
      const ids = (await references.putMany(items)).map(({ id }) => id)
      await store.close()
      const start = Date.now()
      const { child, answer } = startBailiwick(['migrate', from, to], env)
      if (kill > 0) setTimeout(() => child.kill('SIGKILL'), Math.random() * wholeMs)
      await answer
      if (kill === 0) wholeMs = Date.now() - start
      expect(await bailiwick(['migrate', from, to], env)).toMatchObject(moved)
      await expect(openStore(from, { rootKey })).rejects.toThrow(/was moved/)
      await using there = await openStore(to, { rootKey })
      const found = await (await runtimeFor(there)).references.resolveMany(ids)
      expect(found.every((one) => one !== undefined)).toBe(true)
    }
  })

  test('shows progress while a person waits', async () => {
    const folder = freshFolder()
    await (await openStore(`sled:${join(folder, 'from')}`)).close()
    const written: string[] = []
    const terminal = { print: () => {}, complain: (text: string) => void written.push(text), isInteractive: true }
    expect(await run(['migrate', join(folder, 'from'), join(folder, 'to')], terminal)).toBe(0)
    expect([written[0], written.at(-1)]).toEqual(['\rMoving … 0 s', '\r\u001b[K'])
  })

  test('what was moved is not moved to a second place, and nothing is made there', async () => {
    const folder = freshFolder()
    const [from, to, other] = [join(folder, 'from'), join(folder, 'to'), join(folder, 'other')]
    await (await openStore(`sled:${from}`)).close()
    const { key } = rootKeyOf(from)
    expect(await bailiwick(['migrate', from, to], { BAILIWICK_ROOT_KEY: key })).toMatchObject(moved)
    const again = await bailiwick(['migrate', from, other], { BAILIWICK_ROOT_KEY: key })
    expect(again).toEqual(oneLine)
    expect(again.err).toContain('was moved')
    expect(readdirSync(folder).sort()).toEqual(['from', 'to'])
  })

  test('a database that a host has open stays where it is', async () => {
    const { url } = await freshDatabase()
    const store = await openStore(url)
    onTestFinished(() => store.close())
    const runtime = await runtimeFor(store)
    await runtime.references.put('note', 'before')
    const to = join(freshFolder(), 'to')
    expect(await bailiwick(['migrate', url, to])).toEqual(oneLine)
    const { out } = await bailiwick(['migrate', url, to, '--json'])
    expect(JSON.parse(out)).toMatchObject({ error: { code: 'CONFLICT' } })
    await runtime.references.put('note', 'after')
  })

  test('a damaged store stays where it is', async () => {
    const from = join(freshFolder(), 'from')
    const store = await openStore(`sled:${from}`)
    await (await runtimeFor(store, 'tenant-canary')).references.put('note', 'x'.repeat(20_000))
    await store.close()
    damageValues(from)
    const { code, out, err } = await bailiwick(['migrate', from, join(freshFolder(), 'to')])
    expect([code, err]).toEqual([1, ''])
    expect(out).toMatch(/^damaged: /)
    expect(out).not.toContain('canary')
    await (await openStore(`sled:${from}`)).close()
  })

  test('a store that cannot be moved is refused in one line, and nothing is created', async () => {
    const folder = freshFolder()
    const [from, full, none] = [join(folder, 'from'), join(folder, 'full'), join(folder, 'none')]
    for (const place of [from, full]) await (await openStore(`sled:${place}`)).close()
    const { rootKey } = rootKeyOf(from)
    const { ownerUrl } = await freshDatabase('bare')
    const wrongKey = { BAILIWICK_ROOT_KEY: Buffer.alloc(32, 9).toString('base64') }
    const wrong: [readonly string[], NodeJS.ProcessEnv?][] = [
      [[none, join(folder, 'to')]],
      [[from, full]],
      [[from, from]],
      [[from, join(from, 'inside')]],
      [[from, folder]],
      [['memory:', join(folder, 'to')]],
      [[from, 'memory:']],
      [[from, 'postgres://nowhere']],
      [[from, ownerUrl]],
      [[from]],
      [[from, join(folder, 'to'), 'more']],
      [[from, join(folder, 'to'), '--root-key-env', 'NOT_SET_ANYWHERE']],
      [[from, join(folder, 'to')], wrongKey],
    ]
    for (const [words, env] of wrong) {
      const answer: Answer = await bailiwick(['migrate', ...words], env ?? noKey)
      expect(answer, words.join(' ')).toEqual(oneLine)
    }
    expect(readdirSync(folder).sort()).toEqual(['from', 'full'])
    await (await openStore(`sled:${from}`, { rootKey })).close()
  })
})

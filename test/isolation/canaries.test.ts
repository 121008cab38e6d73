import { Buffer } from 'node:buffer'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { kinds } from '../../ts/common/kinds.ts'
import { type NewMessage, openStore, type Runtime } from '../../ts/index.ts'
import { canary, searchFor } from '../support/canaries.ts'
import { failureOf } from '../support/failures.ts'
import { engines, freshFolder, openFresh, runtimeFor } from '../support/stores.ts'

/** Does something of every kind, with a canary wherever a tenant can put a text, and returns all of them. */
async function sing(runtime: Runtime, size: number): Promise<string[]> {
  const texts: string[] = []
  const text = () => {
    texts.push(canary())
    return texts.at(-1) as string
  }
  const long = () => `${text()} `.repeat(size)
  const { references, cache, plans, approvals, threads, traces } = runtime

  const kept = await references.put(text(), long(), { mediaType: `text/${text()}` })
  const rows = await references.put('rows', [{ [text()]: long() }])
  const removed = await references.put('thing', long())
  await references.delete(removed.id)
  texts.push(kept.id, rows.id, removed.id)

  await cache.set(text(), { [text()]: long() })
  await cache.set(text(), Buffer.from(long()))
  await cache.getOrCompute(text(), {}, long)

  const step = () => ({ id: text(), tool: text(), input: { [text()]: text() }, note: text() })
  const plan = { type: text(), planId: text(), goal: text(), steps: [step()], details: long() }
  await plans.save(plan)
  await plans.save({ ...plan, steps: [step(), step()] })
  const ofOurs = await plans.save({ ...plan, planId: undefined as never })
  texts.push(ofOurs.planId)

  const question = () => ({ tool: text(), input: { [text()]: long() } })
  const waiting = await approvals.request(question(), { requestedBy: text() })
  const decided = await approvals.request(question(), { requestedBy: text() })
  const ofPlan = await approvals.request({ planId: plan.planId })
  await approvals.respond(decided.approvalId, { decision: 'reject', actor: text(), reason: text() })
  await approvals.respond(ofPlan.approvalId, { decision: 'approve', actor: text(), reason: text() })
  texts.push(waiting.approvalId, decided.approvalId, ofPlan.approvalId)

  const messages = (): NewMessage[] => {
    const callId = text()
    const about = () => ({ createdAt: 1, runId: text(), actor: text() })
    const parts: NewMessage['parts'] = [
      { type: 'text', text: long(), metadata: { [text()]: text() } },
      { type: 'tool-call', callId, tool: text(), input: { [text()]: text() } },
      { type: 'file', reference: kept.id, mediaType: `text/${text()}` },
    ]
    return [
      { role: 'assistant', parts, ...about() },
      { role: 'tool', parts: [{ type: 'tool-result', callId, result: long() }], ...about() },
    ]
  }
  const threadId = text()
  const [appended] = await threads.append(threadId, [...messages(), ...messages()])
  const through = appended?.messageId as string
  await threads.fork(threadId, { through, threadId: text() })
  const ofOurOwn = await threads.fork(threadId, { through })
  const deleted = text()
  await threads.append(deleted, messages())
  await threads.delete(deleted)
  texts.push(through, ofOurOwn.threadId)

  expect((await traces.list()).items.length).toBeGreaterThan(3)
  return texts
}

describe('what lies on the disk', () => {
  it('nothing that a tenant wrote is in a file or a file name in clear, nor its name, nor the root key', async () => {
    const path = join(freshFolder(), 'store')
    const rootKey = Buffer.from(canary())
    const texts = [rootKey.toString()]
    const open = () => openStore(`sled:${path}`, { rootKey })
    const names = [canary(), canary()]
    {
      await using store = await open()
      for (const name of names) {
        const runtime = await runtimeFor(store, name, canary())
        texts.push(runtime.tenant.resourceId, runtime.tenant.version)
        for (const size of [1, 40, 1500]) texts.push(...(await sing(runtime, size)))
        const { storage } = await runtime.usage()
        // Whoever adds a kind lets it sing, too: traces count for nothing, and there are no runs yet, so no waits.
        const silent = kinds.filter((kind) => storage[kind].items === 0)
        expect(silent).toEqual(['runs', 'traces', 'waits'])
      }
      // What is under way is no other than what was closed.
      expect((await searchFor(texts, path)).found).toEqual([])
    }
    expect(texts.length).toBeGreaterThan(500)
    const { found, bytes } = await searchFor(texts, path)
    expect(found).toEqual([])
    expect(bytes).toBeGreaterThan(1_000_000)
    await using again = await open()
    const { references } = await runtimeFor(again, names[0])
    expect((await references.list()).items).toHaveLength(6)
  })

  it('the search finds a text in each of the ways in which it might be written', async () => {
    const text = canary()
    const base64 = (before: string) => Buffer.from(`${before}${text} and more`).toString('base64')
    const written = [
      text,
      Buffer.from(text, 'utf16le'),
      Buffer.from(text).toString('hex'),
      ...['', 'x', 'xx', 'xxx'].map(base64),
    ]
    for (const content of written) {
      const folder = freshFolder()
      writeFileSync(join(folder, 'file'), Buffer.concat([Buffer.from('before'), Buffer.from(content as string)]))
      expect((await searchFor([canary(), text], folder)).found).toEqual([`file: ${text}`])
    }
    const folder = freshFolder()
    mkdirSync(join(folder, `tenant-${text}`))
    expect((await searchFor([text], folder)).found).toEqual([`tenant-${text}: ${text}`])
  })
})

it.each(engines)("on %s, no error of a tenant holds another's name, key or content", async (engine) => {
  const store = await openFresh(engine)
  const foreign = await runtimeFor(store, canary())
  const texts = [foreign.tenant.resourceId, ...(await sing(foreign, 1))]
  const own = await runtimeFor(store, 'acme')
  const id = (await foreign.references.list()).items[0]?.id as string
  const { cursor } = await foreign.references.list({ limit: 1 })
  const { cursor: ledgerCursor } = await foreign.approvals.history({ limit: 1 })
  const [approval] = (await foreign.approvals.pending()).items
  const [plan] = (await foreign.plans.list()).items
  const [thread] = (await foreign.threads.list()).items
  const checkpoint = await foreign.approvals.checkpoint()
  const yes = { decision: 'approve', actor: 'kim' } as const
  const failures = [
    await failureOf(() => own.references.resolve(id)),
    await failureOf(() => own.references.describe(id)),
    await failureOf(() => own.references.list({ cursor: cursor as string })),
    await failureOf(() => own.plans.load(plan?.planId as string)),
    await failureOf(() => own.plans.history(plan?.planId as string)),
    await failureOf(() => own.approvals.get(approval?.approvalId as string)),
    await failureOf(() => own.approvals.respond(approval?.approvalId as string, yes)),
    await failureOf(() => own.approvals.history({ cursor: ledgerCursor as string })),
    await failureOf(() => own.approvals.verify({ against: checkpoint })),
    await failureOf(() => own.approvals.proveConsistency(checkpoint)),
    await failureOf(() => own.threads.messages(thread?.threadId as string)),
    await failureOf(() => own.query({ prompt: 'x', tenant: foreign.tenant }).result()),
  ]
  for (const failure of failures) {
    const text = `${failure.message} ${failure.stack} ${JSON.stringify(failure)} ${String(failure.cause)}`
    for (const secret of texts) expect(text).not.toContain(secret)
  }
})

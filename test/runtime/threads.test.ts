import { describe, expect, it } from 'vitest'
import { createRuntime, defineRuntime, type Message, type NewMessage } from '../../ts/index.ts'
import { codeOf } from '../support/failures.ts'
import { engines, noon, openFresh, runtimeFor } from '../support/stores.ts'
import { acme } from '../unit/support.ts'

function said(text: string, actor?: string): NewMessage {
  const message = { role: 'user', parts: [{ type: 'text', text }], createdAt: 1 } as const
  return actor === undefined ? message : { ...message, actor }
}

function texts(messages: readonly Message[]): unknown[] {
  return messages.flatMap((message) => message.parts.map((part) => ('text' in part ? part.text : part)))
}

/** What is no message, whatever TypeScript is told. */
const hostile: readonly unknown[] = [
  undefined,
  null,
  'text',
  {},
  { ...said('x'), messageId: 'msg_mine' },
  { ...said('x'), tenant: 'globex' },
  { ...said('x'), role: 'system' },
  { ...said('x'), createdAt: Number.NaN },
  { ...said('x'), createdAt: 1.5 },
  { ...said('x'), createdAt: '1' },
  { ...said('x'), actor: 7 },
  { ...said('x'), parts: 'x' },
  { ...said('x'), parts: [{ type: 'text', text: '\ud800' }] },
  { ...said('x'), parts: [{ type: 'tool-call', callId: 'c', tool: 't', input: JSON.parse('{"__proto__":1}') }] },
  { ...said('x'), parts: [{ type: 'text', text: 1n }] },
  { ...said('x'), parts: [{ type: 'file', reference: 'ref_x', mediaType: 'a/b' }] },
  // What could never be told to a model.
  { ...said('x'), role: 'tool' },
  { ...said('x'), parts: [{ type: 'tool-call', callId: 'c', tool: 't', input: {} }] },
  { role: 'tool', parts: [{ type: 'tool-result', callId: 'c', result: 1 }] },
  { ...said('x'), interrupted: 'yes' },
]

describe.each(engines)('threads on %s', (engine) => {
  it('keeps messages in their order, gives them ids, and pages through them oldest first', async () => {
    const store = await openFresh(engine, {}, { now: noon })
    const { threads } = await runtimeFor(store)
    const first = await threads.append('t', [said('1', 'ann'), said('2')])
    expect(first[0]).toEqual({ messageId: expect.stringMatching(/^msg_[a-z2-7]{32}$/), ...said('1', 'ann') })
    await store.advance(5)
    const [third] = await threads.append('t', [{ ...said('3'), runId: 'run_1', role: 'assistant' }], {
      expectedLength: 2,
    })
    const page = await threads.messages('t', { limit: 2 })
    expect(page.items).toEqual(first)
    const rest = await threads.messages('t', { limit: 2, cursor: page.cursor as string })
    expect(rest).toEqual({ items: [third] })
    expect(await threads.list()).toEqual({
      items: [{ threadId: 't', length: 3, actor: 'ann', createdAt: noon, updatedAt: noon + 5 }],
    })
  })

  it('keeps every part as it was given', async () => {
    const store = await openFresh(engine)
    const { threads, references } = await runtimeFor(store)
    const { id } = await references.put('file', new Uint8Array([1]))
    const parts = [
      { type: 'reasoning', text: '', metadata: { signature: 'é', z: [null, { a: 1.5 }] } },
      { type: 'file', reference: id, mediaType: 'application/pdf' },
      { type: 'opaque', provider: 'theirs', data: [null] },
      { type: 'tool-call', callId: 'c', tool: 'search', input: { text: '\u0000' } },
    ] as const
    const result = { type: 'tool-result', callId: 'c', result: null, isError: true } as const
    await threads.append('t', [{ role: 'assistant', parts, createdAt: 0, interrupted: true }])
    await threads.append('t', [{ role: 'tool', parts: [result], createdAt: 0 }])
    const { items } = await threads.messages('t')
    expect(items.map((message) => message.parts)).toEqual([parts, [result]])
    expect(items.map((message) => message.interrupted)).toEqual([true, undefined])
  })

  it('a message that does not say when it was written is of now', async () => {
    const { threads } = await runtimeFor(await openFresh(engine, {}, { now: noon }))
    const { createdAt: _, ...undated } = said('x')
    expect(await threads.append('t', [undated])).toEqual([
      { messageId: expect.any(String), ...undated, createdAt: noon },
    ])
  })

  it('a file with a missing reference is not found, whatever the reason', async () => {
    const store = await openFresh(engine)
    const [mine, other] = [await runtimeFor(store), await runtimeFor(store, 'globex', 'v1')]
    const [deleted, foreign] = [await mine.references.put('note', 'x'), await other.references.put('note', 'theirs')]
    await mine.references.delete(deleted.id)
    for (const reference of [deleted.id, foreign.id, `ref_${'a'.repeat(32)}`]) {
      const file = { type: 'file', reference, mediaType: 'text/plain' } as const
      const append = () => mine.threads.append('t', [said('x'), { role: 'user', parts: [file] }])
      expect(await codeOf(append)).toBe('NOT_FOUND')
    }
    expect(await mine.threads.list()).toEqual({ items: [] })
  })

  it('an expected length that does not hold is a conflict, and nothing is appended', async () => {
    const { threads } = await runtimeFor(await openFresh(engine))
    expect(await codeOf(() => threads.append('t', [said('x')], { expectedLength: 1 }))).toBe('CONFLICT')
    expect((await threads.list()).items).toEqual([])
    await threads.append('t', [said('x')], { expectedLength: 0 })
    expect(await codeOf(() => threads.append('t', [said('y')], { expectedLength: 0 }))).toBe('CONFLICT')
    expect(texts((await threads.messages('t')).items)).toEqual(['x'])
  })

  it('lists the threads created last first, all or those of one actor', async () => {
    const { threads } = await runtimeFor(await openFresh(engine))
    for (const [id, actor] of [
      ['a', 'ann'],
      ['b', 'bob'],
      ['c', 'ann'],
    ] as const) {
      await threads.append(id, [said('x', actor)])
    }
    await threads.append('a', [said('y', 'bob')])
    const ids = async (options: Parameters<typeof threads.list>[0]) =>
      (await threads.list(options)).items.map((thread) => thread.threadId)
    expect(await ids({})).toEqual(['c', 'b', 'a'])
    expect(await ids({ actor: 'ann' })).toEqual(['c', 'a'])
    expect(await ids({ actor: 'nobody' })).toEqual([])
    const { cursor } = await threads.list({ limit: 1 })
    expect(await ids({ cursor: cursor as string })).toEqual(['b', 'a'])
  })

  it('a fork begins like its source, and then differs', async () => {
    const { threads } = await runtimeFor(await openFresh(engine))
    const source = await threads.append('t', [said('1'), said('2'), said('3')])
    const through = source[1]?.messageId as string
    const fork = await threads.fork('t', { through })
    expect(fork.threadId).toMatch(/^thr_[a-z2-7]{32}$/)
    const [own] = await threads.append(fork.threadId, [said('other')])
    expect((await threads.messages(fork.threadId)).items).toEqual([source[0], source[1], own])
    expect((await threads.messages('t')).items).toEqual(source)
    expect(await threads.fork('t', { through, threadId: 'mine' })).toEqual({ threadId: 'mine' })
    expect(await codeOf(() => threads.fork('t', { through, threadId: 'mine' }))).toBe('CONFLICT')
    expect(await threads.delete('t')).toBe(true)
    expect(texts((await threads.messages('mine')).items)).toEqual(['1', '2'])
    expect(await codeOf(() => threads.fork('mine', { through: own?.messageId as string }))).toBe('NOT_FOUND')
  })

  it('a deleted thread is absent, and its id can be used again', async () => {
    const runtime = await runtimeFor(await openFresh(engine))
    const { threads } = runtime
    await threads.append('t', [said('old'), said('old')])
    expect((await runtime.usage()).storage.threads.items).toBe(1)
    expect(await threads.delete('t')).toBe(true)
    expect(await threads.delete('t')).toBe(false)
    expect(await codeOf(() => threads.messages('t'))).toBe('NOT_FOUND')
    expect((await runtime.usage()).storage.threads).toEqual({ items: 0, bytes: 0 })
    await threads.append('t', [said('new')], { expectedLength: 0 })
    expect(texts((await threads.messages('t')).items)).toEqual(['new'])
  })

  it('a thread lives for its retention from the last append on', async () => {
    const store = await openFresh(engine, {}, { now: noon })
    const spec = defineRuntime({ tenant: acme, retention: { threads: { ttlMs: 100 } } })
    const { threads } = await createRuntime(spec, { store })
    await threads.append('t', [said('1')])
    await store.advance(99)
    await threads.append('t', [said('2')])
    await store.advance(99)
    expect(texts((await threads.messages('t')).items)).toEqual(['1', '2'])
    expect((await threads.list()).items).toHaveLength(1)
    await store.advance(1)
    expect(await codeOf(() => threads.messages('t'))).toBe('NOT_FOUND')
    expect((await threads.list()).items).toEqual([])
  })

  it("another tenant's threads are as absent, and its cursors as malformed", async () => {
    const store = await openFresh(engine)
    const [mine, other] = [await runtimeFor(store, 'acme'), await runtimeFor(store, 'globex')]
    const [message] = await other.threads.append('t', [said('secret'), said('more')])
    const through = message?.messageId as string
    expect(await codeOf(() => mine.threads.messages('t'))).toBe('NOT_FOUND')
    expect(await codeOf(() => mine.threads.fork('t', { through }))).toBe('NOT_FOUND')
    expect(await mine.threads.delete('t')).toBe(false)
    expect(await mine.threads.list()).toEqual({ items: [] })
    await mine.threads.append('t', [said('own'), said('own')])
    expect(await codeOf(() => mine.threads.fork('t', { through }))).toBe('NOT_FOUND')
    const { cursor } = await other.threads.messages('t', { limit: 1 })
    expect(await codeOf(() => mine.threads.messages('t', { cursor: cursor as string }))).toBe('INVALID_INPUT')
    expect(texts((await other.threads.messages('t')).items)).toEqual(['secret', 'more'])
  })

  it('the next version of a tenant has its threads', async () => {
    const store = await openFresh(engine)
    await (await runtimeFor(store, 'acme', 'v1')).threads.append('t', [said('x')])
    expect(texts((await (await runtimeFor(store, 'acme', 'v2')).threads.messages('t')).items)).toEqual(['x'])
  })

  it('concurrent appends are all there, each once', async () => {
    const { threads } = await runtimeFor(await openFresh(engine))
    const append = async (text: string): Promise<void> => {
      const code = await threads.append('t', [said(text)]).then(
        () => undefined,
        (error: { code: string }) => error.code,
      )
      if (code === undefined) return
      expect(code).toBe('THREAD_BUSY')
      await append(text)
    }
    const wanted = Array.from({ length: 40 }, (_, index) => String(index))
    await Promise.all(wanted.map(append))
    expect(texts((await threads.messages('t')).items).sort()).toEqual([...wanted].sort())
  })
})

describe('arguments of threads', () => {
  it('an invalid message is refused, in every place', async () => {
    const { threads } = await runtimeFor(await openFresh('memory'))
    for (const message of hostile) {
      const messages = [said('fine'), message] as NewMessage[]
      expect(await codeOf(() => threads.append('t', messages)), String(message)).toBe('INVALID_INPUT')
    }
    for (const messages of [[], {}, undefined, Array.from({ length: 1001 }, () => said('x'))] as NewMessage[][]) {
      expect(await codeOf(() => threads.append('t', messages))).toBe('INVALID_INPUT')
    }
    expect(await threads.list()).toEqual({ items: [] })
  })

  it('an id that cannot be one is refused where a thread would be made, and not found elsewhere', async () => {
    const { threads } = await runtimeFor(await openFresh('memory'))
    const [message] = await threads.append('t', [said('x')])
    const through = message?.messageId as string
    for (const id of ['', '\ud800', 'x'.repeat(257), 7, undefined] as string[]) {
      expect(await codeOf(() => threads.append(id, [said('x')]))).toBe('INVALID_INPUT')
      expect(await codeOf(() => threads.messages(id))).toBe('NOT_FOUND')
      expect(await codeOf(() => threads.fork(id, { through }))).toBe('NOT_FOUND')
      expect(await codeOf(() => threads.fork('t', { through: id }))).toBe('NOT_FOUND')
      expect(await threads.delete(id)).toBe(false)
      if (id !== undefined) {
        expect(await codeOf(() => threads.fork('t', { through, threadId: id }))).toBe('INVALID_INPUT')
      }
    }
  })

  it('bad options are refused', async () => {
    const { threads } = await runtimeFor(await openFresh('memory'))
    await threads.append('t', [said('x')])
    for (const limit of [0, 1001, -1, 1.5, Number.NaN, '1'] as number[]) {
      expect(await codeOf(() => threads.list({ limit })), String(limit)).toBe('INVALID_INPUT')
      expect(await codeOf(() => threads.messages('t', { limit })), String(limit)).toBe('INVALID_INPUT')
    }
    for (const cursor of ['', 'x', '\ud800', 7] as string[]) {
      expect(await codeOf(() => threads.list({ cursor }))).toBe('INVALID_INPUT')
      expect(await codeOf(() => threads.messages('t', { cursor }))).toBe('INVALID_INPUT')
    }
    for (const actor of ['', '\ud800', 'x'.repeat(1025), 7] as string[]) {
      expect(await codeOf(() => threads.list({ actor }))).toBe('INVALID_INPUT')
    }
    for (const expectedLength of [-1, 0.5, '1', Number.NaN] as number[]) {
      expect(await codeOf(() => threads.append('t', [said('y')], { expectedLength }))).toBe('INVALID_INPUT')
    }
  })

  it('a closed runtime refuses every verb', async () => {
    const runtime = await runtimeFor(await openFresh('memory'))
    const { threads } = runtime
    await runtime.close()
    const calls = [
      () => threads.list(),
      () => threads.messages('t'),
      () => threads.append('t', [said('x')]),
      () => threads.fork('t', { through: 'x' }),
      () => threads.delete('t'),
    ]
    for (const call of calls) expect(await codeOf(call)).toBe('CLOSED')
  })
})

import type { UIMessage } from 'ai'
import { fromUIMessages, type GivenUIMessage, toUIMessages } from 'bailiwick/ai-sdk'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  createRuntime,
  defineRuntime,
  defineSpecialist,
  InvalidInputError,
  NotFoundError,
  type Runtime,
  withTenant,
} from '../../ts/index.ts'
import { noopModel } from '../../ts/testing/index.ts'
import { openFresh } from '../support/stores.ts'
import { acme, globex } from '../unit/support.ts'

const clerk = defineSpecialist({ name: 'clerk', model: 'test/m', prompt: 'Help.' })
const spec = defineRuntime({ tenant: acme, agents: [clerk] })

async function open(store = openFresh('memory'), of = spec): Promise<Runtime> {
  return (await createRuntime(of, { store: await store, models: { test: noopModel() } })) as unknown as Runtime
}

const dataUrl = (bytes: Uint8Array, mediaType: string) =>
  `data:${mediaType};base64,${Buffer.from(bytes).toString('base64')}`
const user = (id: string, ...parts: object[]): GivenUIMessage => ({ id, role: 'user', parts: parts as never })
const text = (words: string) => ({ type: 'text', text: words })
const file = (url: string, more: object = {}) => ({ type: 'file', mediaType: 'image/png', url, ...more })

/** What is wrong with these messages; fails if they are taken. */
async function refusal(messages: unknown, more: object = {}): Promise<string> {
  const putMany = () => Promise.reject(new Error('Nothing was to be stored.'))
  const prompt = fromUIMessages(messages as never, { references: { putMany }, ...more })
  const error = await prompt.then(
    (taken) => new Error(`It was taken: ${JSON.stringify(taken)}`),
    (told: Error) => told,
  )
  expect([error, InvalidInputError.isInstance(error)]).toEqual([error, true])
  return error.message
}

const id = fc.string({ minLength: 1, maxLength: 8, unit: 'grapheme' })
const textPart = fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme' }).filter((words) => words.trim() !== '')
const filePart = fc.record({
  bytes: fc.uint8Array({ maxLength: 40 }),
  mediaType: fc.constantFrom('image/png', 'application/pdf', 'text/plain'),
  filename: fc.option(fc.string({ minLength: 1, maxLength: 6 }), { nil: undefined }),
})
const conversation = fc.uniqueArray(
  fc.record({ id, parts: fc.array(fc.oneof(textPart, filePart), { minLength: 1, maxLength: 4 }) }),
  { minLength: 1, maxLength: 3, selector: ({ id: one }) => one },
)

describe('messages of useChat as a prompt', () => {
  it('the thread shows the messages again, with their ids, texts, names and files', async () => {
    const runtime = await open()
    await fc.assert(
      fc.asyncProperty(conversation, async (sent) => {
        const messages = sent.map((message) => {
          const parts = message.parts.map((part) => {
            if (typeof part === 'string') return text(part)
            const { bytes, mediaType, filename } = part
            return { type: 'file', mediaType, url: dataUrl(bytes, mediaType), ...(filename && { filename }) }
          })
          return user(message.id, ...parts)
        })
        const before = [user('old', { type: 'nonsense' }), { id: 'a', role: 'assistant', parts: [] } as const]
        const prompt = await fromUIMessages([...before, ...messages], { references: runtime.references })
        const run = runtime.query({ prompt })
        expect(await run.result()).toMatchObject({ status: 'completed' })
        const { items } = await runtime.threads.messages(run.threadId as string)
        const shown = toUIMessages(items).filter(({ role }) => role === 'user')
        const read = await Promise.all(
          shown.map(async (message) => {
            const parts = message.parts.map(async (part) => {
              if (part.type === 'text') return text(part.text)
              if (part.type !== 'file') throw new Error(part.type)
              const { bytes } = await runtime.references.resolve(part.url)
              return { ...part, url: dataUrl(bytes, part.mediaType) }
            })
            return user(message.id, ...(await Promise.all(parts)))
          }),
        )
        expect(read).toEqual(messages)
      }),
      { numRuns: 40 },
    )
  })

  it('a message that is sent again names its files by reference, and stores nothing anew', async () => {
    const runtime = await open()
    const { references } = runtime
    const sent = [user('m1', text('Look'), file(dataUrl(new Uint8Array([1, 2]), 'image/png'), { filename: 'a.png' }))]
    const first = await fromUIMessages(sent, { references })
    const run = runtime.query({ prompt: first })
    await run.result()
    const { items } = await runtime.threads.messages(run.threadId as string)
    const putMany = () => Promise.reject(new Error('Nothing was to be stored.'))
    const again = async (urlOf: (reference: string) => string, more: object) => {
      const [message] = toUIMessages(items, { fileUrl: urlOf })
      return await fromUIMessages([message as GivenUIMessage], { references: { putMany }, ...more })
    }
    expect(await again((reference) => reference, {})).toEqual(first)
    const referenceOf = (url: string) => /^\/files\/(ref_\w+)$/.exec(url)?.[1]
    expect(await again((reference) => `/files/${reference}`, { referenceOf })).toEqual(first)
    await expect(again((reference) => `https://elsewhere.example/${reference}`, { referenceOf })).rejects.toThrow(
      /messages\[0\]\.parts\[1\]\.url is neither/,
    )
  })

  it('a reference of another tenant is not found', async () => {
    const store = openFresh('memory')
    const [mine, theirs] = [await open(store), await open(store, withTenant(spec, globex) as typeof spec)]
    const { id: foreign } = await theirs.references.put('file', new Uint8Array([1]), { mediaType: 'image/png' })
    const prompt = await fromUIMessages([user('m1', file(foreign))], { references: mine.references })
    const error = await mine
      .query({ prompt })
      .result()
      .catch((told: unknown) => told)
    expect(NotFoundError.isInstance(error)).toBe(true)
  })

  it('messages of the real ai package fit, and its own parts for the page are left out', async () => {
    const messages: UIMessage[] = [
      { id: 's', role: 'system', parts: [{ type: 'text', text: 'Obey the browser.' }] },
      {
        id: 'm1',
        role: 'user',
        parts: [
          { type: 'text', text: ' ' },
          { type: 'data-draft', data: { a: 1 } },
        ],
      },
      { id: 'm2', role: 'user', parts: [{ type: 'text', text: 'Hi' }] },
    ]
    const { references } = await open()
    expect(await fromUIMessages(messages, { references })).toEqual([
      { type: 'text', text: 'Hi', metadata: { bailiwick: { messageId: 'm2' } } },
    ])
  })

  it('ids that are the same twice are told apart, and a thread that holds something else is shown', () => {
    const message = (messageId: string, metadata: unknown) =>
      ({ messageId, role: 'user', parts: [{ type: 'text', text: 'x', metadata }], createdAt: 0 }) as never
    const ids = toUIMessages([
      message('m1', { bailiwick: { messageId: 'a' } }),
      message('m2', { bailiwick: { messageId: 'a' } }),
      message('m3', { bailiwick: { messageId: 'm4' } }),
      message('m4', { bailiwick: { messageId: 'm4' } }),
      message('m5', { bailiwick: { messageId: 7 } }),
      message('m6', { bailiwick: 'x' }),
      message('m7', null),
    ]).map(({ id: shown }) => shown)
    expect(ids).toEqual(['a', 'm2', 'm4', 'm4-2', 'm5', 'm6', 'm7'])
  })
})

describe('messages that are no prompt', () => {
  it('each is refused with its place and with what to do, before anything is stored', async () => {
    const png = dataUrl(new Uint8Array([1]), 'image/png')
    expect(await refusal('x')).toMatch(/^messages must be the array of messages of useChat, not a string/)
    expect(await refusal([])).toMatch(/must end with a message of the user/)
    expect(await refusal([{ id: 'a', role: 'assistant', parts: [] }])).toMatch(/approvals\.respond or waits\.settle/)
    expect(await refusal([{ id: 's', role: 'system', parts: [text('x')] }])).toMatch(/must end with a message of/)
    expect(await refusal([user('m', text(' '), { type: 'data-x', data: 1 })])).toMatch(/^messages\[0\] is empty/)
    expect(await refusal([user('', text('x'))])).toMatch(/^messages\[0\]\.id must have 1 to 1024 characters/)
    expect(await refusal([{ role: 'user', parts: [] }])).toMatch(/^messages\[0\]\.id must be a string/)
    expect(await refusal([{ id: 'm', role: 'user', content: 'x' }])).toMatch(/send messages of AI SDK 5 or later/)
    expect(await refusal([user('m', text('x'), { type: 'reasoning', text: 'x' })])).toMatch(
      /^messages\[0\]\.parts\[1\] has the type "reasoning"/,
    )
    expect(await refusal([user('m', text('\ud800'))])).toMatch(/^messages\[0\]\.parts\[0\]\.text holds a lone surr/)
    expect(await refusal([user('m', file(png, { mediaType: 'png' }))])).toMatch(/mediaType must look like image\/png/)
    for (const url of ['data:,x', 'data:image/png;base64,a', 'data:image/png;base64,ab!d', 'data:image/png;base64']) {
      expect(await refusal([user('m', file(url))])).toMatch(/must be a base64 data: URL/)
    }
    for (const url of ['https://x.example/a.png', 'http://169.254.169.254/', 'file:///etc/passwd', 'blob:x', '']) {
      expect(await refusal([user('m', file(png), file(url))])).toMatch(/no other URL is fetched/)
    }
    expect(await refusal([user('m', ...Array.from({ length: 1025 }, () => text('x')))])).toMatch(/at most 1024/)
    expect(await refusal([user('m', text('x'))], { references: {} })).toMatch(/must be those of a runtime/)
    expect(await refusal([user('m', text('x'))], { reference: 1 })).toMatch(/there is no option "reference"/)
  })

  it('whatever a browser sends, it is a prompt or refused, and nothing else fails', async () => {
    const { references } = await open()
    const part = fc.oneof(
      fc.record({ type: fc.constantFrom('text', 'file', 'data-x', 'step-start'), text: fc.anything() }),
      fc.record({
        type: fc.constant('file'),
        mediaType: fc.oneof(fc.constant('image/png'), fc.string()),
        url: fc.oneof(
          fc.string(),
          fc.base64String().map((data) => `data:image/png;base64,${data}`),
          fc.webUrl(),
        ),
        filename: fc.anything(),
      }),
      fc.anything(),
    )
    const message = fc.oneof(
      fc.record({
        id: fc.oneof(fc.string(), fc.anything()),
        role: fc.constantFrom('user', 'assistant'),
        parts: fc.array(part),
      }),
      fc.anything(),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 4 }), async (messages) => {
        const told = await fromUIMessages(messages as never, { references }).catch((error: unknown) => error)
        expect([told, Array.isArray(told) || InvalidInputError.isInstance(told)]).toEqual([told, true])
      }),
      { numRuns: 400 },
    )
  })
})

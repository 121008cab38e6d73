import { Buffer } from 'node:buffer'
import { expect } from 'vitest'
import { NotFoundError } from '../../ts/errors/index.ts'
import type { ModelEvent, Part } from '../../ts/index.ts'
import { eventsOf, message, requestOf } from '../models/support.ts'
import type { Cell } from './cell.ts'
import type { Provider, Replayed } from './packages/provider.ts'
import { modelAt } from './world.ts'

const user = message('user', [{ type: 'text', text: 'Any shoes?' }])
const more = message('user', [{ type: 'text', text: 'And hats?' }])
const tools = [{ name: 'search', description: 'Finds products', inputSchema: { type: 'object' } }]

const picture = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
const table = Buffer.from('shoes;3')

async function resolve(id: string): Promise<never> {
  if (id === 'ref_gone') throw new NotFoundError('There is no reference of this id.')
  return { bytes: id === 'ref_picture' ? picture : table } as never
}

/** What an answer holds besides texts and calls, and what becomes of it in the next request. */
export function tryAnswers(provider: Provider, cell: Cell): void {
  const { wire, modelId } = provider

  const replay = async ({ answer, kept, sent }: Replayed, next = [more]): Promise<ModelEvent[]> => {
    const { model, server } = await modelAt(provider, [answer, wire.answer({ text: 'None.' })])
    const events = await eventsOf(model.stream(requestOf({ modelId, messages: [user], tools })))
    const parts = partsOf(events)
    expect(parts).toMatchObject(kept)
    expect(parts).toHaveLength(kept.length)
    const assistant = JSON.parse(JSON.stringify(message('assistant', parts)))
    await eventsOf(model.stream(requestOf({ modelId, messages: [user, assistant, ...next], tools })))
    const body = JSON.stringify(server.asked[1]?.body)
    for (const part of sent) expect(body).toContain(part)
    expect(body).not.toContain('bailiwick')
    return events
  }
  const replays = [
    ['tools that the provider runs', provider.ran],
    ['generated files', provider.file],
    ['sources', provider.source],
  ] as const
  for (const [feature, offered] of replays) {
    cell(feature, offered, async (replayed) => {
      expect((await replay(replayed)).at(-1)).toMatchObject({ type: 'finish', reason: 'stop' })
    })
  }
  cell('paused turns', provider.paused, async (paused) => {
    // The provider is asked to go on where it paused: nobody has said anything since.
    expect((await replay(paused, [])).at(-1)).toMatchObject({ type: 'finish', reason: 'pause' })
    // Once somebody has, it refuses its own call without an answer.
    expect((await replay({ ...paused, sent: [] })).at(-1)).toMatchObject({ type: 'finish', reason: 'pause' })
  })

  cell('files', true, async () => {
    const { model, server } = await modelAt(provider, wire.answer({ text: 'Three.' }))
    const file = (reference: string, mediaType: string) => ({ type: 'file', reference, mediaType }) as const
    const given = [
      message('user', [file('ref_picture', 'image/png'), file('ref_table', 'text/csv')]),
      message('user', [file('ref_gone', 'application/pdf'), file('ref_other', 'application/x-other')]),
      user,
    ]
    for (const messages of [given, given]) {
      const events = await eventsOf(model.stream(requestOf({ modelId, messages, tools, resolve })))
      expect(events.at(-1)).toMatchObject({ type: 'finish', reason: 'stop' })
      const body = JSON.stringify(server.asked.at(-1)?.body)
      expect(body).toContain(picture.toString('base64'))
      expect(body.includes('shoes;3') || body.includes(table.toString('base64'))).toBe(true)
      expect(body).toContain('A file of the type application/pdf was here.')
      expect(wire.problemsOf(server.asked.at(-1)?.body)).toEqual([])
    }
  })

  cell('usage before the end', provider.early, async (usage) => {
    const { model } = await modelAt(provider, [wire.answer({ text: 'Hello' })])
    const events = await eventsOf(model.stream(requestOf({ modelId })))
    const first = events.find(({ type }) => type === 'usage')
    expect(first).toMatchObject({ usage })
    expect(events.indexOf(first as ModelEvent)).toBeLessThan(events.findIndex(({ type }) => type === 'text.delta'))
  })

  cell('warnings', provider.warned, async ({ settings, warning }) => {
    const { model } = await modelAt(provider, [wire.answer({ text: 'Hello' })])
    const events = await eventsOf(model.stream(requestOf({ modelId, ...(settings === undefined ? {} : { settings }) })))
    expect(events).toContainEqual({ type: 'warning', message: expect.stringContaining(warning) })
  })
}

/** The parts that the events of an answer make, as a thread keeps them. */
function partsOf(events: readonly ModelEvent[]): Part[] {
  const parts = new Map<string, Part>()
  for (const [at, event] of events.entries()) {
    if (event.type === 'opaque') parts.set(`opaque ${at}`, event)
    if (event.type !== 'text.delta' && event.type !== 'reasoning.delta') continue
    const before = parts.get(event.id)
    const text = (before !== undefined && 'text' in before ? before.text : '') + event.delta
    const metadata = event.metadata ?? before?.metadata
    const type = event.type === 'text.delta' ? 'text' : 'reasoning'
    parts.set(event.id, { type, text, ...(metadata === undefined ? {} : { metadata }) })
  }
  return Array.from(parts.values())
}

import process from 'node:process'
import fc from 'fast-check'
import { expect } from 'vitest'
import { NotFoundError } from '../../ts/errors/index.ts'
import type { Message } from '../../ts/index.ts'
import { eventsOf, message, requestOf } from '../models/support.ts'
import { anyHistory } from '../prompt/histories.ts'
import type { Cell } from './cell.ts'
import type { Provider } from './packages/provider.ts'
import { modelAt } from './world.ts'

/** Enough for what has been found once; the long run looks further. */
const runs = process.env['BAILIWICK_LONG'] === '1' ? 3_000 : 60
const tools = [{ name: 'search', description: 'Finds products', inputSchema: { type: 'object' } }]
const question = message('user', [{ type: 'text', text: 'And hats?' }])

/** Whatever a thread holds, the provider's package takes it, and what it makes of it is what its service documents. */
export function tryHistories(provider: Provider, cell: Cell): void {
  cell('any history', true, async () => await tryAnyHistory(provider))
}

/** Sends generated histories, and fails for one that the package or its service would refuse. */
export async function tryAnyHistory(provider: Provider): Promise<void> {
  const { wire, modelId } = provider
  const { model, server } = await modelAt(provider, wire.answer({ text: 'None.' }))
  await fc.assert(
    fc.asyncProperty(anyHistory, fc.boolean(), async (history, withTools) => {
      const messages: Message[] = [...history, question]
      const request = requestOf({ modelId, messages, tools: withTools ? tools : [], resolve })
      const events = await eventsOf(model.stream(request))
      expect(events.at(-1)).toMatchObject({ type: 'finish', reason: 'stop' })
      expect(wire.problemsOf(server.asked.at(-1)?.body)).toEqual([])
    }),
    { numRuns: runs },
  )
}

async function resolve(id: string): Promise<never> {
  if (id === 'ref_gone') throw new NotFoundError('There is no reference of this id.')
  return { bytes: Uint8Array.from([0x89, 0x50, 0x4e, 0x47]) } as never
}

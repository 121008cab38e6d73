import { readUIMessageStream, type UIMessage } from 'ai'
import { toUIMessageStream } from 'bailiwick/ai-sdk'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { end, event, type GivenEvent, runOf } from './run-events.ts'
import { chunksOf, refusedChunks } from './ui-support.ts'

/** The run as `ai` shows it in the end; rejects if `ai` finds anything wrong with the stream. */
async function shown(events: readonly GivenEvent[]): Promise<UIMessage | undefined> {
  let last: UIMessage | undefined
  const stream = toUIMessageStream(runOf(events))
  for await (const message of readUIMessageStream({ stream, terminateOnError: true })) last = message
  return last
}

test('whatever the order of a run’s events, useChat can read them, and nothing that was written is lost', async () => {
  const runs = fc.array(event, { maxLength: 30 })
  await fc.assert(
    fc.asyncProperty(runs, fc.string(), async (events, answer) => {
      const message = await shown([...events, { type: 'run.completed', text: answer }])
      const written = (kind: 'text' | 'reasoning') =>
        events.flatMap((given) => (given.type === `${kind}.delta` && 'delta' in given ? [given.delta] : [])).join('')
      const parts = message?.parts ?? []
      const read = (kind: 'text' | 'reasoning') =>
        parts.flatMap((part) => (part.type === kind ? [part.text] : [])).join('')
      expect(read('reasoning').length).toBe(written('reasoning').length)
      expect(read('text').length).toBeGreaterThanOrEqual(written('text').length)
      expect(read('text').endsWith(answer)).toBe(true)
      expect(parts.every((part) => !('text' in part) || part.state === 'done')).toBe(true)
    }),
    { numRuns: 500 },
  )
})

test('every chunk is one that AI SDK 6 and 7 know, and AI SDK 5 with approvals as data', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 30 }), end, async (events, last) => {
      const run = [...events, last]
      const chunks = await chunksOf(runOf(run))
      expect(await refusedChunks(chunks, ['ai', 'ai-v7'])).toEqual([])
      const plain = await chunksOf(runOf(run), { approvals: 'data' })
      expect(await refusedChunks(plain, ['ai', 'ai-v5', 'ai-v7'])).toEqual([])
      // What has a sequence is shown up to it.
      const sequences = chunks.flatMap(({ type, data }) => (type === 'data-sequence' ? [data] : []))
      const told = sequences.map((data) => (data as { readonly sequence: number }).sequence)
      expect(told).toEqual(told.toSorted((a, b) => a - b))
      expect(new Set(told).size).toBe(told.length)
    }),
    { numRuns: 300 },
  )
})

import { expect, it } from 'vitest'
import type { Pool } from '../../ts/host/pool.ts'
import { WorkLoop } from '../../ts/host/work-loop.ts'
import { Operation } from '../../ts/native/operations.ts'
import type { Session } from '../../ts/session/session.ts'
import { gate } from '../loop/models.ts'

/** What the store names, one question after the other, each once the run before is worked at. */
function store(
  answers: readonly (readonly number[])[],
  { reason, dueAt }: { readonly reason: string; readonly dueAt: number },
  goOn: (asked: number) => Promise<void>,
) {
  let asked = 0
  const session = {
    closed: false,
    submit: async (operation: Operation) => {
      expect(operation).toBe(Operation.workTake)
      await goOn(asked)
      const rows = answers[asked++] ?? []
      const runs = (row: number) => [{ runId: 'run', dueAt, row, reason }]
      return { work: rows.map((row) => ({ tenant: 'acme', hasMore: false, runs: runs(row) })) }
    },
  }
  return session as unknown as Session
}

it.each([
  { named: [[1], [2]], taken: [1, 2], news: 2, says: 'another row is taken up after the first' },
  { named: [[1], [2]], taken: [1, 2], news: 0, reason: 'interrupted', says: 'a lost process is no wait that is due' },
  { named: [[1], [2]], taken: [1, 2], news: 0, dueAt: Date.now() + 3_600_000, says: 'what is early is not due' },
  { named: [[1], [1]], taken: [1], news: 1, says: 'the same row is taken up once' },
  { named: [[1], [2, 2]], taken: [1, 2], news: 2, says: 'another row is news once' },
  { named: [[1], [2, 3]], taken: [1, 3], news: 3, says: 'of two more rows one is taken up' },
])(
  'a run that is named again while it is worked at: $says',
  async ({ named, taken, news, reason = 'settled', dueAt = 0 }) => {
    const [began, over, quiet] = [gate(), gate(), gate()]
    const rows: number[] = []
    const events: string[] = []
    const takeUp = (_: string, row: number) => {
      rows.push(row)
      began.open()
      return { result: () => over.opened.then(() => ({ status: 'suspended' })) }
    }
    const pool = { entry: async () => ({ tenant: 'acme', starter: () => ({ takeUp }) }) } as unknown as Pool
    const asks = store(named, { reason, dueAt }, async (asked) => {
      if (asked === 1) await began.opened
      if (asked === 2) {
        over.open()
        await quiet.opened
      }
    })
    const loop = new WorkLoop(
      asks,
      pool,
      { concurrency: 4, concurrencyPerTenant: 4, onChanged: undefined },
      () => {},
      (event) => events.push(event.type),
    )
    loop.start()
    await expect.poll(() => loop.stats).toMatchObject({ working: 0, waiting: 0, ended: taken.length })
    expect(rows).toEqual(taken)
    expect(events.filter((type) => type === 'wait.due')).toHaveLength(news)
    const stopped = loop.stop()
    quiet.open()
    await stopped
  },
)

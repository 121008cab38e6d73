import { join } from 'node:path'
import process from 'node:process'
import { setTimeout } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { type Program, startProgram } from '../support/programs.ts'
import { freshFolder, freshUrl } from '../support/stores.ts'
import { judge, outcomeOf } from './kills/outcome.ts'
import type { StoreReport, ThreadReport } from './kills/report.ts'
import { callsOf, type Scenario, scenarioOf, tenants, toolNames } from './kills/scenarios.ts'
import { type CalledLine, type Line, World } from './kills/world.ts'

const isLong = process.env['BAILIWICK_LONG'] === '1'
/** Kills on each engine that outlives a process. */
const kills = { sled: isLong ? 1000 : 24, postgres: isLong ? 1000 : 12 }
type Durable = keyof typeof kills
/** Processes that work on the store at a time. */
const processes = { sled: 1, postgres: 2 }
/** After so many milliseconds a store whose processes live on has something that is stuck: then its rest is shown. */
const STUCK_MS = isLong ? 1_800_000 : 240_000

/** A store, and the world around it, with what processes do there. */
class Place {
  readonly #parameters: readonly string[]
  readonly #world = join(freshFolder(), 'world')

  constructor(url: string, seed: number) {
    this.#parameters = [url, this.#world, `${seed}`]
  }

  /** @param counts how many scenarios each tenant has, `endless` or `report` */
  start(counts: string): Program {
    return startProgram('hosts/worker', [...this.#parameters, counts])
  }

  lines(): readonly Line[] {
    const world = new World(this.#world)
    world.refresh()
    world.close()
    return world.lines
  }

  async report(): Promise<{ readonly threads: readonly ThreadReport[]; readonly store: StoreReport }> {
    const { code, errors, lines } = await this.start('report').ended
    expect([code, errors]).toEqual([0, ''])
    const all = lines.map((line) => JSON.parse(line))
    return { threads: all.slice(0, -1), store: all.at(-1) }
  }
}

/** A moment of the work of a process, of chance: in its beginning, or between, or a little after, two of its lines. */
async function randomMoment({ printedLines, lines }: Program): Promise<void> {
  if (Math.random() < 0.1) return await setTimeout(Math.random() * 600)
  await printedLines(1)
  const more = Math.floor(Math.random() ** 2 * 40)
  // The work may wait for the lease of a process that is gone.
  await Promise.race([printedLines(lines.length + more), setTimeout(1500)])
  await setTimeout(Math.random() * 20)
}

/** Kills processes at random moments, each replaced at once, and then lets the last ones do the rest. */
async function workWithKills(place: Place, engine: Durable, count: number): Promise<void> {
  const start = () => place.start('endless')
  const working = Array.from({ length: processes[engine] }, start)
  for (let left = count; left > 0; ) {
    const first = Math.floor(Math.random() * working.length)
    // Sometimes all at once.
    const victims = Math.random() < 0.1 ? working.splice(0, left) : working.splice(first, 1)
    await randomMoment(victims[0] as Program)
    for (const { child } of victims) child.kill('SIGKILL')
    for (const { ended } of victims) expect(await ended).toMatchObject({ signal: 'SIGKILL', errors: '' })
    working.push(...victims.map(start))
    left -= victims.length
  }
  await end(working)
}

/** Lets processes do the rest of their work. If something is stuck, they are killed: what is left is in the report. */
async function end(working: readonly Program[]): Promise<void> {
  for (const { child } of working) child.stdin?.end()
  const stuck = new AbortController()
  const late = setTimeout(STUCK_MS, 'stuck', { signal: stuck.signal }).catch(() => 'over')
  const ended = Promise.all(working.map((program) => program.ended))
  const outcome = await Promise.race([ended, late])
  stuck.abort()
  if (outcome === 'stuck') for (const { child } of working) child.kill('SIGKILL')
  else for (const { code, errors } of await ended) expect([code, errors]).toEqual([0, ''])
  await ended
}

it.each(Object.entries(kills) as [Durable, number][])(
  'on %s, everything whose process is killed at one of %i random moments ends as it does without, and no code resumes it',
  { timeout: 300_000 + kills.sled * 6_000 },
  async (engine, count) => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    const place = new Place(await freshUrl(engine), seed)
    await workWithKills(place, engine, count)
    const { threads, store } = await place.report()
    const scenarios = scenariosOf(seed, threads)
    const lines = place.lines()
    const { problems, ...figures } = judge(scenarios, threads, lines, processes[engine] === 1)
    const { unfinished } = store
    expect({ seed, problems, unfinished }).toEqual({ seed, problems: [], unfinished: [] })
    expect([store.isHealthy, store.threads]).toEqual([true, threads.length])
    expect(new Set(scenarios.flatMap(callsOf).map(({ tool }) => tool))).toEqual(new Set(toolNames))

    const undisturbed = new Place(await freshUrl('sled'), seed)
    await end([undisturbed.start(JSON.stringify(countsOf(threads)))])
    const calm = await undisturbed.report()
    const outcomes = (reports: readonly ThreadReport[]) =>
      scenarios.map((scenario, at) => [scenario.threadId, outcomeOf(scenario, reports[at] as ThreadReport)])
    expect({ seed, outcomes: outcomes(threads) }).toEqual({ seed, outcomes: outcomes(calm.threads) })
    const steered = threads.flatMap(({ runs }) => runs.filter(({ status }) => status === 'steered')).length
    if (isLong) console.log(JSON.stringify({ engine, kills: count, ...store, steered, ...figures, ...tally(lines) }))
  },
)

it('what is lost, doubled, or in another order is seen', async () => {
  const place = new Place(await freshUrl('sled'), 1)
  await end([place.start(JSON.stringify({ acme: 4 }))])
  const { threads } = await place.report()
  const lines = place.lines()
  const problems = (reports: readonly ThreadReport[], world = lines) =>
    judge(scenariosOf(1, threads), reports, world, true).problems
  expect(problems(threads)).toEqual([])
  /** Changes one thread. */
  const changed = (number: number, change: (thread: ThreadReport) => Partial<ThreadReport>) =>
    problems(threads.map((thread) => (thread.number === number ? { ...thread, ...change(thread) } : thread)))
  for (const number of [0, 1, 2, 3]) {
    expect(
      changed(number, ({ messages }) => ({ messages: messages.filter(({ role }) => role !== 'tool') })),
    ).not.toEqual([])
    expect(changed(number, ({ messages }) => ({ messages: messages.flatMap((one) => [one, one]) }))).not.toEqual([])
    expect(changed(number, ({ messages }) => ({ messages: messages.slice(0, -1) }))).not.toEqual([])
    expect(changed(number, ({ runs: [, ...runs] }) => ({ runs }))).not.toEqual([])
    const suspended = { status: 'suspended' } as const
    expect(changed(number, ({ runs }) => ({ runs: runs.map((run) => ({ ...run, ...suspended })) }))).not.toEqual([])
  }
  for (const number of [0, 1]) {
    expect(changed(number, ({ waits: [, ...waits] }) => ({ waits }))).not.toEqual([])
    expect(changed(number, ({ waits }) => ({ waits: [...waits, ...waits] }))).not.toEqual([])
    const open = { status: 'open' } as const
    expect(changed(number, ({ waits }) => ({ waits: waits.map((wait) => ({ ...wait, ...open })) }))).not.toEqual([])
  }
  expect(changed(2, ({ messages }) => ({ messages: [...messages.slice(-6), ...messages.slice(0, -6)] }))).not.toEqual(
    [],
  )
  const calls = lines.filter((line) => line.type === 'called')
  for (const tool of ['mail', 'pay', 'book', 'look', 'deliver'] as const) {
    const own = calls.filter((line) => line.tool === tool)
    expect(own.length).toBeGreaterThan(0)
    expect(
      problems(
        threads,
        lines.flatMap((line) => (line === own[0] ? [line, line] : [line])),
      ),
    ).not.toEqual([])
    expect(
      problems(
        threads,
        lines.filter((line) => line !== own[0]),
      ),
    ).not.toEqual([])
    expect(problems(threads, [...lines, { ...(own[0] as CalledLine), process: 'the next' }])).not.toEqual([])
  }
  const settled = lines.flatMap((line) => (line.type === 'settled' ? [{ ...line, outcome: '{"value":"else"}' }] : []))
  expect(problems(threads, [...lines, ...settled.slice(0, 1)])).not.toEqual([])
  const sent = lines.flatMap((line) => (line.type === 'sent' ? [{ ...line, runId: 'another' }] : []))
  expect(problems(threads, [...lines, ...sent.slice(0, 1)])).not.toEqual([])
})

function scenariosOf(seed: number, threads: readonly ThreadReport[]): Scenario[] {
  return threads.map(({ tenant, number }) => scenarioOf(seed, tenant, number))
}

/** How many scenarios each tenant has. */
function countsOf(threads: readonly ThreadReport[]): Record<string, number> {
  return Object.fromEntries(tenants.map((name) => [name, threads.filter(({ tenant }) => tenant === name).length]))
}

/** How often each thing happened. */
function tally(lines: readonly Line[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const line of lines) {
    const name = 'isAgain' in line && line.isAgain ? `${line.type} again` : line.type
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

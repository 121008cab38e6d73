import { expect, it } from 'vitest'
import { createRuntime, defineTenant, InvalidInputError, type Runtime, type Tenant } from '../../ts/index.ts'
import { refuses } from '../../ts/isolation/cells/names.ts'
import { IsolationError, isolationSuite, type OpenRuntime, runIsolation } from '../../ts/isolation/index.ts'
import { codeOf } from '../support/failures.ts'
import { engines, freshUrl, noon, openFresh } from '../support/stores.ts'
import { broken } from './broken.ts'

/** The names of the cells, of those that are tried, that do not hold when runtimes are opened by this. */
async function failing(
  open: (real: OpenRuntime) => OpenRuntime,
  isTried: (name: string) => boolean = () => true,
): Promise<Set<string>> {
  const store = await openFresh('memory', {}, { now: noon })
  const { cells } = isolationSuite({
    store,
    advance: (milliseconds) => store.advance(milliseconds),
    createRuntime: open(createRuntime),
  })
  const failed = new Set<string>()
  for (const { name, run } of cells.filter((cell) => isTried(cell.name))) {
    await run().catch((error: unknown) => {
      // What breaks on the way is not found out.
      if (error instanceof IsolationError) failed.add(name)
    })
  }
  return failed
}

/** A slow machine must not fail, and these try all cells. */
const ALL_CELLS_MS = 600_000

const names = isolationSuite({ url: 'memory:' }).cells.map(({ name }) => name)
const found = new Set<string>()

it.each(Object.entries(broken))(
  'the suite detects a runtime that %s',
  async (_, { open, finds }) => {
    const expected = names.filter((name) => finds.test(name))
    expect(expected.length).toBeGreaterThan(0)
    // The cells of callbacks are many and slow: they are tried on the one that they are there for, and on the harmless one.
    const failed = await failing(open(), (name) => finds.test(name) || !name.includes(': callback '))
    expect(expected.filter((name) => !failed.has(name))).toEqual([])
    for (const name of failed) found.add(name)
  },
  ALL_CELLS_MS,
)

it('every cell of the suite can fail', () => {
  // That one does not go through a runtime; see below.
  const asked = names.filter((name) => !name.includes('defineTenant'))
  expect(asked.filter((name) => !found.has(name))).toEqual([])
})

it('the suite does not mind a proxy that changes nothing', async () => {
  expect([
    ...(await failing((real) => async (spec, options) => new Proxy(await real(spec, options), faithful))),
  ]).toEqual([])
})

/** Private members are those of the real one. */
const faithful: ProxyHandler<Runtime> = {
  get: (target, key) => {
    const member: unknown = Reflect.get(target, key, target)
    return typeof member === 'function' ? member.bind(target) : member
  },
}

it.each([
  ['rewrites them', (resourceId: string, version: string) => defineTenant(tidy(resourceId), tidy(version))],
  ['takes anything', (resourceId: string, version: string): Tenant => ({ resourceId, version })],
])('the suite detects a runtime that %s instead of refusing ill-formed names', (_, define) => {
  expect(() => refuses(define)).toThrow(IsolationError)
  refuses(defineTenant)
})

function tidy(name: string): string {
  return name.toWellFormed().normalize('NFC')
}

it('a suite without a store, or with two, is refused, and so is an invalid time', async () => {
  const store = await openFresh('memory')
  const wrong = [
    {},
    { store, url: 'memory:' },
    { store, expiryMs: 0 },
    { store, expiryMs: 1.5 },
    { store, expiryMs: Number.NaN },
  ]
  for (const options of wrong) {
    expect(() => isolationSuite(options)).toThrow(InvalidInputError)
    expect(await codeOf(() => runIsolation(options))).toBe('INVALID_INPUT')
  }
})

it.each(engines)(
  'users can run it on %s, by the system’s clock, side by side',
  async (engine) => {
    const told: string[] = []
    const report = await runIsolation({ url: await freshUrl(engine) }, ({ name }) => told.push(name))
    expect(report.cells.filter(({ ok }) => !ok)).toEqual([])
    expect(report).toMatchObject({ ok: true, passed: names.length, failed: 0 })
    expect(told.sort()).toEqual([...names].sort())
  },
  ALL_CELLS_MS,
)

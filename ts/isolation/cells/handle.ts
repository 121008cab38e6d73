import { type Runtime, TenantMismatchError } from '../../index.ts'
import { assertHolds, assertSame, visible } from '../answers.ts'
import { type Fixture, withFixture } from '../environment.ts'
import type { CellPlan } from './cell.ts'

/** Cells about the handle itself. */
export function handleCells(): CellPlan[] {
  const cell = (row: string, verb: string, what: string, use: (fixture: Fixture) => Promise<void>): CellPlan => ({
    row,
    kind: 'runtime',
    verb,
    what,
    attempt: (environment) => withFixture(environment, use),
  })
  return [
    cell('M7', 'query', 'a request that names another tenant is refused before anything is written', mismatch),
    cell('B9', 'usage', 'what others keep does not count', usageIsOwn),
    cell('B7', 'erase', 'erasing takes a tenant’s own name and nothing else', eraseTakesOne),
  ]
}

async function mismatch({ own, foreign }: Fixture): Promise<void> {
  await own.query('hello').result()
  const before = await contents(own)
  const refusals: object[] = []
  for (const tenant of [foreign.tenant, foreign.tenant.resourceId, `${own.tenant.resourceId} `, '']) {
    const refusal = await own
      .query({ prompt: 'hello', tenant })
      .result()
      .then(
        () => undefined,
        (error: Error) => error,
      )
    assertHolds(TenantMismatchError.isInstance(refusal), 'A request that names another tenant was not refused as one.')
    refusals.push(visible(refusal as unknown as Error))
  }
  for (const refusal of refusals) assertSame('one tenant named', refusal, 'another', refusals[0])
  assertSame('kept afterwards', await contents(own), 'before', before)
  const events = JSON.stringify(await own.traces.list())
  assertHolds(!events.includes(foreign.tenant.resourceId), 'The name of another tenant is in a trace.')
}

/** Returns the storage without traces, which record the rejection. */
async function contents({ runs, threads, references }: Runtime): Promise<unknown> {
  return [await runs.list(), await threads.list(), await references.list()]
}

async function usageIsOwn({ own, foreign }: Fixture): Promise<void> {
  await own.references.put('thing', 'own')
  await own.traces.list()
  const before = await own.usage()
  await foreign.references.put('thing', 'of another'.repeat(1000))
  await foreign.query('hello').result()
  assertSame('used after others kept something', await own.usage(), 'used before', before)
}

async function eraseTakesOne({ own, foreign }: Fixture): Promise<void> {
  const { id } = await own.references.put('thing', 'own')
  await foreign.references.put('thing', 'foreign')
  let isRefused = false
  try {
    await foreign.erase({ confirm: own.tenant.resourceId })
  } catch {
    isRefused = true
  }
  assertHolds(isRefused, 'A tenant was erased under the name of another.')
  await foreign.erase({ confirm: foreign.tenant.resourceId })
  assertSame('its own after another was erased', (await own.references.resolve(id)).text(), 'what it put', 'own')
}

// The main job: several tenants of one topology in one store, real data, and checks that stop the job if isolation breaks.
import { resolve } from 'node:path'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import {
  BailiwickError,
  createRuntime,
  defineReference,
  defineRuntime,
  defineTenant,
  openStore,
  withTenant,
} from 'bailiwick'
import { analyse, type Result } from './analysis.ts'
import { checkIsolation, type Holding } from './checks.ts'
import { checkCrash, crashChildArguments, runCrashChild } from './crash.ts'
import { type DataSet, readDataSets } from './data-sets.ts'
import { decide } from './decisions.ts'
import { leave } from './leaving.ts'
import { load } from './load.ts'
import { sessionModel } from './model.ts'
import { type Options, readOptions } from './options.ts'
import { checkResume, runChild, runChildArguments } from './resuming.ts'
import { analystSession } from './session.ts'
import { megabytes, Progress, showSteps, step, table, tick, title } from './terminal.ts'
import { checkUnattended, hostChildArguments, runHostChild } from './unattended.ts'

const SHOWN_CHARACTERS = 96
const names = ['acme', 'globex', 'initech', 'umbrella', 'hooli', 'stark', 'wayne', 'wonka']

const loading = crashChildArguments()
const running = runChildArguments()
const hosting = hostChildArguments()
if (loading !== undefined) await runCrashChild(loading[0], await readDataSets(loading[1]))
else if (running !== undefined) await runChild(...running)
else if (hosting !== undefined) await runHostChild(...hosting)
else await main(readOptions()).catch(explain)

async function main(options: Options): Promise<void> {
  const began = performance.now()
  const model = sessionModel(options.model)
  const dataSets = await readDataSets(options.data)
  const rows = dataSets.reduce((sum, dataSet) => sum + dataSet.rows.length, 0)
  if (options.verbose) showSteps()
  title('Processes are killed')
  await checkResume()
  await checkCrash(options.data)

  title('Runs go on by themselves')
  await checkUnattended()

  title(
    `${dataSets.length} data sets with ${rows.toLocaleString('en')} rows, ${options.tenants} tenants, one store: ${options.store}`,
  )
  const store = await openStore(options.store)

  const topology = defineRuntime({
    tenant: defineTenant(tenantName(0), 'v1'),
    references: [
      defineReference({ name: 'file', description: 'A data set as it is published' }),
      defineReference({ name: 'rows', description: 'Some rows of a data set', schema: { type: 'array' } }),
      defineReference({ name: 'result', description: 'An answer that was computed from rows' }),
    ],
  })
  const holdings: Holding[] = []
  const report: (string | number)[][] = []
  let results: Result[] = []
  for (let index = 0; index < options.tenants; index += 1) {
    const spec = withTenant(topology, defineTenant(tenantName(index), 'v1'))
    const runtime = await createRuntime(spec, { store })
    const started = performance.now()
    const loaded = await loadAll(runtime, dataSets)
    results = await analyse(runtime, loaded)
    const { references } = (await runtime.usage()).storage
    const seconds = (performance.now() - started) / 1000
    const bytes = megabytes(references.bytes)
    report.push([runtime.tenant.resourceId, references.items, bytes, `${seconds.toFixed(2)} s`])
    tick(`${runtime.tenant.resourceId} has loaded and analysed them: ${references.items} references, ${bytes}`)
    holdings.push({ runtime, loaded })
  }

  for (const result of results) showResult(result)

  const [first] = holdings as [Holding]
  title('An analyst session')
  await analystSession(store, holdings, model)

  title('A decision, and its proof')
  await decide(store, first.runtime, results[0] as Result)

  title('A tenant leaves')
  await leave(store, first.runtime, dataSets[0] as DataSet)

  title('Isolation')
  await checkIsolation(store, holdings)

  step('\nWhat is kept\n')
  table(['tenant', 'references', 'bytes', 'time'], report)
  await store.close()
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  process.stdout.write(`\n  All checks held. ${where(options.store)} Took ${seconds} s.\n`)
}

function showResult({ title, rows, reference }: Result): void {
  const { answer } = reference.glimpse as { answer?: unknown }
  const shown = JSON.stringify(answer ?? reference.glimpse)
  const cut = shown.length > SHOWN_CHARACTERS ? `${shown.slice(0, SHOWN_CHARACTERS)}…` : shown
  step(`  ${title} (${rows.toLocaleString('en')} rows)\n    ${reference.id}  ${cut}\n`)
}

/** Prints one line for a wrong call; a failed check keeps its stack. */
function explain(error: unknown): void {
  const isAbsent = error instanceof Error && 'code' in error && error.code === 'ENOENT'
  if (!BailiwickError.isInstance(error) && !isAbsent) throw error
  process.stderr.write(`\n${(error as Error).message}\nTry: npm start -- --help\n`)
  process.exitCode = 1
}

async function loadAll(runtime: Holding['runtime'], dataSets: readonly DataSet[]): Promise<Holding['loaded']> {
  const loaded = []
  for (const dataSet of dataSets) {
    const rowBytes = dataSet.rows.reduce((sum, row) => sum + JSON.stringify(row).length + 1, 0)
    const progress = new Progress(dataSet.name, dataSet.file.byteLength + rowBytes)
    loaded.push(await load(runtime, dataSet, progress))
    progress.end()
  }
  return loaded
}

function tenantName(index: number): string {
  return names[index] ?? `tenant-${index}`
}

function where(url: string): string {
  return url.startsWith('sled:')
    ? `The data lies in ${resolve(url.slice('sled:'.length))}.`
    : 'The data is gone with the process.'
}

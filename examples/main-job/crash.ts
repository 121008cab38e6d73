import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { createRuntime, defineRuntime, defineTenant } from 'bailiwick'
import type { DataSet } from './data-sets.ts'
import { linesUntilKilled } from './killing.ts'
import { tick } from './terminal.ts'

const ACKNOWLEDGED_BEFORE_THE_KILL = 40
const CHILD = '--crash-child'

/** Kills a child process with SIGKILL during a load, then checks that everything it acknowledged is stored. */
export async function checkCrash(data: string): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'bailiwick-crash-'))
  try {
    const url = `sled:${join(directory, 'store')}`
    const acknowledged = await linesUntilKilled([CHILD, url, data], ACKNOWLEDGED_BEFORE_THE_KILL)
    const runtime = await createRuntime(spec(), { store: url })
    for (const id of acknowledged) await runtime.references.resolve(id)
    await runtime.close()
    tick(
      `a process was killed with SIGKILL while it loaded data; all ${acknowledged.length} values that it had reported as stored are there`,
    )
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Returns the child's parameters if this process is such a child. */
export function crashChildArguments(): [url: string, data: string] | undefined {
  const [, , flag, url, data] = process.argv
  return flag === CHILD && url !== undefined && data !== undefined ? [url, data] : undefined
}

/** Loads for ever, and prints each id after the store has acknowledged it as durable. */
export async function runCrashChild(url: string, dataSets: readonly DataSet[]): Promise<void> {
  const runtime = await createRuntime(spec(), { store: url })
  for (let round = 0; ; round += 1) {
    for (const { name, rows } of dataSets) {
      for (let start = 0; start < rows.length; start += 100) {
        const value = { name, round, rows: rows.slice(start, start + 100) }
        const { id } = await runtime.references.put('rows', value)
        process.stdout.write(`${id}\n`)
      }
    }
  }
}

function spec() {
  return defineRuntime({ tenant: defineTenant('crash-test', 'v1') })
}

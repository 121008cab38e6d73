import type { IsolationCell } from './cells/cell.ts'
import { type IsolationOptions, isolationSuite } from './suite.ts'

/** Cells that run side by side: a cell mostly waits for the disk or for an expiry. */
const SIDE_BY_SIDE = 16

/** Result of a cell. */
export interface IsolationResult extends Omit<IsolationCell, 'run'> {
  readonly ok: boolean
  /** Why it does not hold, in one line. */
  readonly problem?: string
}

/** Results of all cells. */
export interface IsolationReport {
  /** Whether every cell holds, and there was at least one. */
  readonly ok: boolean
  readonly passed: number
  readonly failed: number
  /** In the order of the suite. */
  readonly cells: readonly IsolationResult[]
}

/**
 * Runs the isolation suite without a test runner. Never rejects for a cell that does not hold.
 *
 * @param onCell is told of each cell as it ends
 * @throws InvalidInputError, StoreLockedError, … (rejected) if the store cannot be opened, as `openStore` does
 * @example
 * ```ts
 * const report = await runIsolation({ url: 'memory:' })
 * if (!report.ok) throw new Error(`${report.failed} cells do not hold`)
 * ```
 */
export async function runIsolation(
  options: IsolationOptions,
  onCell: (result: IsolationResult) => void = () => {},
): Promise<IsolationReport> {
  const suite = isolationSuite(options)
  try {
    await suite.open()
    const results: IsolationResult[] = []
    const waiting = suite.cells.entries()
    const work = async () => {
      // One iterator for all: each takes the next cell.
      for (const [index, cell] of waiting) {
        const result = await resultOf(cell)
        results[index] = result
        onCell(result)
      }
    }
    await Promise.all(Array.from({ length: SIDE_BY_SIDE }, work))
    const failed = results.filter(({ ok }) => !ok).length
    const passed = results.length - failed
    return { ok: failed === 0 && passed > 0, passed, failed, cells: results }
  } finally {
    await suite.close()
  }
}

async function resultOf({ row, kind, verb, name, run }: IsolationCell): Promise<IsolationResult> {
  const cell = { row, kind, verb, name }
  try {
    await run()
    return { ...cell, ok: true }
  } catch (error) {
    return { ...cell, ok: false, problem: String(error).replaceAll('\n', ' ') }
  }
}

import type { Kind } from '../../index.ts'
import type { Environment } from '../environment.ts'

/** One thing that must hold, of one verb. */
export interface IsolationCell {
  /** The row of what is promised: `B1`, `M11`, … */
  readonly row: string
  /** The kind that it is about; `runtime`: the handle itself. */
  readonly kind: Kind | 'runtime'
  /** The verb, as `kind.verb`, and what is special about the call. */
  readonly verb: string
  /** The row, the verb and what holds, in one line: a title for a test. No two cells have the same. */
  readonly name: string
  /**
   * Tries it on tenants of its own, which it erases afterwards. Cells may run side by side.
   *
   * @throws IsolationError (rejected) if it does not hold, and whatever the store fails with
   */
  run(): Promise<void>
}

/** A cell before it is given the environment on which it is tried. */
export interface CellPlan extends Omit<IsolationCell, 'name' | 'run'> {
  /** The promise that the cell checks. */
  readonly what: string
  readonly attempt: (environment: Environment) => Promise<void>
}

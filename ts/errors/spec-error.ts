import { BailiwickError, hasCode } from './bailiwick-error.ts'

/** One problem of a spec. */
export interface SpecIssue {
  /** Where: `agents[0].routes[1]`, or the empty string for the whole. */
  readonly path: string
  /** The problem and its remedy. */
  readonly message: string
}

/** A spec, or a part of one, is wrong. `issues` lists every problem at once. */
export class SpecError extends BailiwickError {
  override readonly name = 'SpecError'
  readonly code = 'SPEC_INVALID'
  /** Every problem, frozen, in the order of the spec. */
  readonly issues: readonly SpecIssue[]

  constructor(issues: readonly SpecIssue[], options?: ErrorOptions) {
    super(describe(issues), options)
    this.issues = Object.freeze(issues.map(({ path, message }) => Object.freeze({ path, message })))
  }

  /** Whether `value` is this error, of whichever installed copy of bailiwick. Never throws. */
  static override isInstance(value: unknown): value is SpecError {
    return hasCode(value, 'SPEC_INVALID')
  }
}

function describe(issues: readonly SpecIssue[]): string {
  const lines = issues.map(({ path, message }) => (path === '' ? `\n- ${message}` : `\n- ${path}: ${message}`))
  return `The spec has ${issues.length} problem${issues.length === 1 ? '' : 's'}:${lines.join('')}`
}

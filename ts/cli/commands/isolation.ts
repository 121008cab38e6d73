import type { IsolationReport, IsolationResult } from '../../isolation/report.ts'
import { type Command, Exit, InputError, type Outcome, type Terminal } from '../command.ts'
import { existingUrlOf, placeOf, rootKeyOf, rootKeyOption, urlOf } from '../place.ts'
import { printable } from '../printable.ts'
import { withProgress } from '../progress.ts'

/** Runs the isolation suite. */
export const isolation: Command = {
  summary: 'Runs the tenant-isolation suite against a store.',
  operands: ['url'],
  options: {
    ...rootKeyOption,
    verbose: { help: 'a line for every cell, not for every verb' },
    'empty-store': {
      help: 'the store holds no other data: tenants may also be called *, .. or __proto__ and nothing else',
    },
  },
  notes: [
    'The suite needs a store that it can write to: memory:, a directory in which a store is, or a database, postgres://…. Only',
    'sled:<path> makes one that is not there; a database must be set up. env:NAME reads the URL from the environment variable NAME.',
    'Every tenant of the suite has a name that begins with isolation- and something random, and is erased when its cell is over;',
    'yours are not touched. It writes for about a minute; what is cut off leaves its last tenants behind. The same suite is',
    'bailiwick/isolation for a test runner of yours.',
    'It prints a line for every verb with the number of its cells, and every cell that does not hold.',
    '',
    'Exit codes: 0 every cell passes, 1 a cell fails, 2 the store cannot be used.',
  ].join('\n'),
  run: async (words, terminal) => {
    const url = await writableUrlOf(words.operands[0] ?? '')
    // Loaded here, so that what needs no store needs no addon.
    const { runIsolation } = await import('../../isolation/report.ts')
    const options = { url, emptyStore: words.options['empty-store'] === true, ...rootKeyOf(words.options) }
    const isVerbose = words.options['verbose'] === true
    const work = runIsolation(options, words.json ? () => {} : teller(terminal, isVerbose))
    const report = isVerbose ? await work : await withProgress('Trying', terminal, words, work)
    return outcomeOf(report, isVerbose)
  },
}

/**
 * Returns the URL of a store for the suite to write to. `sled:` asks for a new store; a mistyped path does not.
 *
 * @throws InputError if there is none
 */
async function writableUrlOf(operand: string): Promise<string> {
  const place = placeOf(operand)
  if (place.kind === 'memory' || (place.kind === 'directory' && place.isExplicit)) return await urlOf(operand)
  try {
    return await existingUrlOf(operand)
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    const made = place.kind === 'bare' ? ' sled:./isolation-test' : ` sled: before the path`
    throw new InputError(
      `${error.message} The suite needs a store to write to: write memory: for one that is gone afterwards, or${made} for one that is made.`,
    )
  }
}

/** Returns the final report: a line for each verb, unless each cell was printed already. */
export function outcomeOf(report: IsolationReport, isVerbose: boolean): Outcome {
  const { ok, passed, failed } = report
  const verdict = ok
    ? `isolated: all ${passed} cells hold`
    : `not isolated: ${failed} of ${passed + failed} cells do not hold`
  return {
    exit: ok ? Exit.holds : Exit.doesNotHold,
    lines: [...(isVerbose ? [] : verbLines(report.cells)), verdict],
    json: report,
  }
}

/** Prints cells as they end: each, or those alone that do not hold. */
export function teller(terminal: Terminal, isVerbose: boolean): (result: IsolationResult) => void {
  return ({ ok, name, problem }) => {
    if (!ok) terminal.print(`FAIL  ${name}\n      ${printable(problem ?? '')}\n`)
    else if (isVerbose) terminal.print(`ok    ${name}\n`)
  }
}

/** A line for every verb that was tried, in the order of the cells. */
export function verbLines(cells: IsolationReport['cells']): string[] {
  const verbs = new Map<string, { cells: number; failed: number }>()
  for (const { verb, ok } of cells) {
    // The case follows the name of the verb: `plans.save, expecting one`.
    const [name] = /^(?:[a-z]+\.\w+|callback)/.exec(verb) ?? [verb]
    const counts = verbs.get(name) ?? { cells: 0, failed: 0 }
    verbs.set(name, { cells: counts.cells + 1, failed: counts.failed + (ok ? 0 : 1) })
  }
  return Array.from(verbs, ([name, { cells, failed }]) => {
    const all = cells === 1 ? '1 cell' : `${cells} cells`
    return failed === 0 ? `ok    ${name}: ${all}` : `FAIL  ${name}: ${failed} of ${all}`
  })
}

import type { IsolationReport, IsolationResult } from '../isolation/report.ts'
import { type Command, Exit, type Outcome, type Terminal, type Words } from './command.ts'
import { rootKeyOf, rootKeyOption, urlOf } from './place.ts'
import { printable } from './printable.ts'

/** Runs the isolation suite. */
export const isolation: Command = {
  summary: 'Tries on a store, cell by cell, that no tenant is told of another.',
  operands: ['url'],
  options: {
    ...rootKeyOption,
    'empty-store': {
      help: 'the store holds nobody’s data: tenants may also be called *, .. or __proto__ and nothing else',
    },
  },
  notes: [
    'The store is a URL, such as sled:./isolation-test, memory: or postgres://…, or a directory; env:NAME reads it from the',
    'environment variable NAME. One that is not there is made; a database must be set up. Every tenant of the suite has a name that',
    'begins with isolation- and something random, and is erased when its cell is over; yours are not touched. It writes for about',
    'a minute; what is cut off leaves its last tenants behind. The same suite is bailiwick/isolation for a test runner of yours.',
    '',
    'Exit codes: 0 every cell holds, 1 one does not, 2 the store cannot be used.',
  ].join('\n'),
  run: async (words, terminal) => {
    const url = urlOf(words.operands[0] ?? '')
    // Loaded here, so that what needs no store needs no addon.
    const { runIsolation } = await import('../isolation/report.ts')
    const options = { url, emptyStore: words.options['empty-store'] === true, ...rootKeyOf(words.options) }
    return outcomeOf(await runIsolation(options, teller(terminal, words)))
  },
}

/** What is said at the end. */
export function outcomeOf(report: IsolationReport): Outcome {
  const { ok, passed, failed } = report
  const verdict = ok
    ? `isolated: all ${passed} cells hold`
    : `not isolated: ${failed} of ${passed + failed} cells do not hold`
  return { exit: ok ? Exit.holds : Exit.doesNotHold, lines: [verdict], json: report }
}

/** Prints each cell as it ends. */
export function teller(terminal: Terminal, { json }: Pick<Words, 'json'>): (result: IsolationResult) => void {
  return ({ ok, name, problem }) => {
    if (json) return
    terminal.print(ok ? `ok    ${name}\n` : `FAIL  ${name}\n      ${printable(problem ?? '')}\n`)
  }
}

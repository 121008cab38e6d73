import { isDeepStrictEqual } from 'node:util'
import type { Kind } from '../../index.ts'
import { answerOf, assertHolds, assertSame } from '../answers.ts'
import { type Environment, withFixture } from '../environment.ts'
import { verbsByKind } from '../resources.ts'
import type { Situation, Verb } from '../situations.ts'
import type { CellPlan } from './cell.ts'

/**
 * For every verb of every kind: what is not there is not there in one way, however it comes that it is not; and what is
 * there is answered the same, whatever others do and whichever version of the tenant asks.
 */
export function oneAnswerCells(): CellPlan[] {
  return Object.entries(verbsByKind).flatMap(([kind, verbs]) =>
    Object.entries(verbs).flatMap(([verb, situations]) => cellsOf(kind as Kind, verb, situations)),
  )
}

function cellsOf(kind: Kind, verb: string, { missing, present, tells }: Verb): CellPlan[] {
  const [absent, ...others] = missing
  const [own, ...beside] = present
  if (absent === undefined || own === undefined) return []
  const nothing = once((environment) => answerIn(environment, absent))
  const something = once((environment) => answerIn(environment, own))
  const cell = (row: string, what: string, attempt: CellPlan['attempt']): CellPlan => ({
    row,
    kind,
    verb,
    what,
    attempt,
  })
  const alike = (row: string, situation: Situation, plain: typeof nothing, plainly: string) =>
    cell(row, `${situation.situation} is answered like ${plainly}`, async (environment) =>
      assertSame(situation.situation, await answerIn(environment, situation), plainly, await plain(environment)),
    )
  return [
    cell(
      'B1',
      tells ? 'what is there is another answer than nothing' : 'the answer is the same whatever is there',
      (environment) => compare(tells, nothing(environment), something(environment)),
    ),
    ...others.map((situation) => alike('B1', situation, nothing, absent.situation)),
    ...beside.map((situation) =>
      alike(situation.situation.includes('version') ? 'M11' : 'M4', situation, something, own.situation),
    ),
  ]
}

async function compare(tells: boolean, nothing: Promise<object>, something: Promise<object>): Promise<void> {
  const [without, having] = await Promise.all([nothing, something])
  if (!tells) return assertSame('its own', having, 'absent', without)
  const otherwise = 'What is there was answered like what is absent: so nothing is found out by this verb.'
  assertHolds(!isDeepStrictEqual(without, having), otherwise)
}

function answerIn(environment: Environment, { arrange }: Situation): Promise<object> {
  return withFixture(environment, async (fixture) => {
    const ask = await arrange(fixture)
    return await answerOf(fixture.own, ask)
  })
}

/** Computes an answer once, for the many cells that are compared with it. */
function once(ask: (environment: Environment) => Promise<object>): (environment: Environment) => Promise<object> {
  const answers = new WeakMap<Environment, Promise<object>>()
  return (environment) => {
    const answer = answers.get(environment) ?? ask(environment)
    answers.set(environment, answer)
    return answer
  }
}

import { isDeepStrictEqual } from 'node:util'
import type { Kind } from '../../index.ts'
import { answerOf, assertHolds, assertSame } from '../answers.ts'
import { type Ground, onStage } from '../ground.ts'
import type { Situation, Verb } from '../situations.ts'
import { verbsByKind } from '../things.ts'
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
  const nothing = once((ground) => answerIn(ground, absent))
  const something = once((ground) => answerIn(ground, own))
  const cell = (row: string, what: string, attempt: CellPlan['attempt']): CellPlan => ({
    row,
    kind,
    verb,
    what,
    attempt,
  })
  const alike = (row: string, situation: Situation, plain: typeof nothing, plainly: string) =>
    cell(row, `${situation.situation} is answered like ${plainly}`, async (ground) =>
      assertSame(situation.situation, await answerIn(ground, situation), plainly, await plain(ground)),
    )
  return [
    cell(
      'B1',
      tells ? 'what is there is another answer than nothing' : 'the answer is the same whatever is there',
      (ground) => compare(tells, nothing(ground), something(ground)),
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

function answerIn(ground: Ground, { arrange }: Situation): Promise<object> {
  return onStage(ground, async (stage) => {
    const ask = await arrange(stage)
    return await answerOf(stage.own, ask)
  })
}

/** What many cells are compared with is asked for once. */
function once(ask: (ground: Ground) => Promise<object>): (ground: Ground) => Promise<object> {
  const answers = new WeakMap<Ground, Promise<object>>()
  return (ground) => {
    const answer = answers.get(ground) ?? ask(ground)
    answers.set(ground, answer)
    return answer
  }
}

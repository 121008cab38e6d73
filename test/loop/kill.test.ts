import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { expect, it } from 'vitest'
import { startProgram } from '../support/programs.ts'
import { freshFolder } from '../support/stores.ts'

const ROUNDS = process.env['BAILIWICK_LONG'] === '1' ? 3000 : 8
/** About so many lines does the program print. */
const LINES = 75

/** How often each call was executed: by tool and idempotency key. */
function executions(file: string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const line of existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []) {
    counts.set(line, (counts.get(line) ?? 0) + 1)
  }
  return counts
}

it(`B6: a run that is killed at ${ROUNDS * 2} random moments ends as one that was not`, async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const folder = freshFolder()
    const world = join(folder, 'world')
    const parameters = [`sled:${join(folder, 'store')}`, world]
    let kills = 0
    for (; kills < 2; kills += 1) {
      const program = startProgram('loop/analyst', parameters)
      await program.printedLines(Math.floor(Math.random() * LINES))
      program.child.kill('SIGKILL')
      if ((await program.ended).signal !== 'SIGKILL') break
    }
    const last = await startProgram('loop/analyst', parameters).ended
    expect([last.code, last.errors]).toEqual([0, ''])
    expect(JSON.parse(last.lines.at(-1) as string)).toEqual({
      status: 'completed',
      text: 'Done.',
      messages: ['user', 'assistant', 'tool', 'assistant', 'tool', 'assistant'],
      plans: ['completed'],
      ok: true,
    })
    const counts = executions(world)
    expect([...counts.keys()].map((line) => line.split(' ')[0]).sort()).toEqual(
      [...(counts.size === 6 ? ['mail'] : []), 'book', 'book', 'search', 'search', 'send'].sort(),
    )
    for (const [line, count] of counts) {
      // Each process may have died once between a call and its result; what must not be repeated is not.
      expect(count).toBeLessThanOrEqual(line.startsWith('mail') ? 1 : kills + 1)
    }
  }
})

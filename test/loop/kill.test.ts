import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { expect, it } from 'vitest'
import { startProgram } from '../support/programs.ts'
import { freshFolder, freshUrl } from '../support/stores.ts'

const isLong = process.env['BAILIWICK_LONG'] === '1'
/** How many kills on each engine that outlives a process. A run takes longer on a server. */
const kills = { sled: isLong ? 10_000 : 300, postgres: isLong ? 2_000 : 60 }
type Durable = keyof typeof kills
/** So many stores at once. */
const STORES = 2
/** A little more than a run's lines. */
const LINES = 90

interface Summary {
  readonly ends: readonly { readonly runId: string; readonly status: string; readonly roles: string }[]
  readonly plans: readonly string[]
  readonly ok: boolean
  readonly pending: number
}

/** What tools did, and what journals know of it, by run and call; a kill is in between where it happened. */
function history(file: string): Map<string, string[]> {
  const calls = new Map<string, string[]>()
  for (const line of readFileSync(file, 'utf8').split('\n').slice(0, -1)) {
    const [what, runId, callId, name] = line.split(' ') as [string, string, string, string]
    const key = `${runId} ${callId}`
    calls.set(key, [...(calls.get(key) ?? []), what === 'calls' ? name : what])
  }
  return calls
}

/** Kills whoever works on a store again and again, and lets the last one end. */
async function killed(engine: Durable, kills: number): Promise<void> {
  const world = join(freshFolder(), 'world')
  const parameters = [await freshUrl(engine), world]
  for (let kill = 0; kill < kills; kill += 1) {
    const program = startProgram('loop/analyst', parameters)
    await program.printedLines(Math.floor(Math.random() * LINES))
    program.child.kill('SIGKILL')
    expect((await program.ended).signal).toBe('SIGKILL')
  }
  const program = startProgram('loop/analyst', parameters)
  program.child.stdin?.end()
  const last = await program.ended
  expect([last.code, last.errors]).toEqual([0, ''])
  const { ends, plans, ok, pending } = JSON.parse(last.lines.at(-1) as string) as Summary
  expect([ok, pending]).toEqual([true, 0])
  expect(plans).toEqual(ends.map(() => 'completed'))
  const calls = history(world)
  for (const { runId, status, roles } of ends) {
    // As it is when nobody is killed, but that a run which waited for a person has told some results of a turn before others.
    expect([status, roles.replaceAll(/tool(,tool)+/g, 'tool')]).toEqual([
      'completed',
      'user,assistant,tool,assistant,tool,assistant',
    ])
    const own = [...calls].filter(([key]) => key.startsWith(runId)).map(([, steps]) => steps)
    const tools = own.map((steps) => steps[0]).sort()
    // Every tool was called; one that fails when it is interrupted may have been called and not known.
    expect(tools.filter((name) => name !== 'mail' && name !== 'knows')).toEqual([
      'book',
      'book',
      'search',
      'search',
      'send',
    ])
    for (const steps of own) {
      const first = steps.indexOf('knows')
      // Once a journal knows a result, the tool does not run again.
      if (first >= 0) expect(new Set(steps.slice(first)), steps.join()).toEqual(new Set(['knows']))
      if (steps[0] === 'mail') expect(steps.filter((step) => step === 'mail').length).toBe(1)
    }
  }
}

it.each(Object.entries(kills) as [Durable, number][])(
  'on %s, runs whose process is killed at %i random moments end as those that were not',
  {
    timeout: kills.sled * 4_000,
  },
  async (engine, count) => {
    await Promise.all(Array.from({ length: STORES }, () => killed(engine, count / STORES)))
  },
)

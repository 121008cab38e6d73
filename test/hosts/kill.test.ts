import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { expect, it } from 'vitest'
import { type Program, startProgram } from '../support/programs.ts'
import { freshFolder, freshUrl } from '../support/stores.ts'

const isLong = process.env['BAILIWICK_LONG'] === '1'
/** Kills on each engine that outlives a process. */
const kills = { sled: isLong ? 1000 : 24, postgres: isLong ? 1000 : 12 }
type Durable = keyof typeof kills
/** Processes that work on the store at a time. */
const processes = { sled: 1, postgres: 2 }
/** A little more than the lines that a process prints in a second. */
const LINES = 60

interface Summary {
  readonly ends: readonly { readonly runId: string; readonly status: string; readonly roles: string }[]
  readonly ok: boolean
}

it.each(Object.entries(kills) as [Durable, number][])(
  'on %s, every run whose process is killed at one of %i random moments ends, though no code resumes it',
  { timeout: 120_000 + kills.sled * 5_000 },
  async (engine, count) => {
    const world = join(freshFolder(), 'world')
    const parameters = [await freshUrl(engine), world]
    const start = () => startProgram('hosts/worker', parameters)
    const working: Program[] = Array.from({ length: processes[engine] }, start)
    for (let kill = 0; kill < count; kill += 1) {
      const victim = working.shift() as Program
      await victim.printedLines(Math.floor(Math.random() * LINES))
      victim.child.kill('SIGKILL')
      expect(await victim.ended).toMatchObject({ signal: 'SIGKILL', errors: '' })
      working.push(start())
    }
    for (const { child } of working) child.stdin?.end()
    const [last] = await Promise.all(working.map(({ ended }) => ended))
    expect([last?.code, last?.errors]).toEqual([0, ''])
    const { ends, ok } = JSON.parse(last?.lines.at(-1) as string) as Summary
    expect(ok).toBe(true)
    expect(ends.length).toBeGreaterThan(0)
    const calls = readFileSync(world, 'utf8').split('\n').slice(0, -1)
    for (const { runId, status, roles } of ends) {
      // As it is when no process is killed, but that a run which waited has told some results of a turn before others.
      expect([status, roles.replaceAll(/tool(,tool)+/g, 'tool')]).toEqual([
        'completed',
        'user,assistant,tool,assistant,tool,assistant,tool,assistant',
      ])
      const own = calls.filter((line) => line.startsWith(runId)).map((line) => line.split(' ')[2])
      expect(new Set(own.filter((tool) => tool !== 'mail'))).toEqual(new Set(['search', 'book', 'send']))
      // It may have been called and not known, or known and not called.
      expect(own.filter((tool) => tool === 'mail').length).toBeLessThanOrEqual(1)
    }
  },
)

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startProgram } from '../support/programs.ts'
import { freshFolder, freshUrl } from '../support/stores.ts'

/** So many lines are printed before a process is killed: a few runs. */
const LINES = 40

interface Ended {
  readonly runId: string
  readonly threadId: string
  readonly status: string
}

it.each([2, 8])('%i processes on one database: the others resume a killed one’s runs, each once', async (count) => {
  const url = await freshUrl('postgres')
  const world = join(freshFolder(), 'world')
  const programs = Array.from({ length: count }, () => startProgram('fault/sharing', [url, world]))
  const [dying, living] = [programs.slice(0, count / 2), programs.slice(count / 2)]
  for (const program of dying) {
    await program.printedLines(LINES)
    program.child.kill('SIGKILL')
    const { signal, code, errors } = await program.ended
    expect({ signal, code, errors }).toMatchObject({ signal: 'SIGKILL' })
  }
  const summaries: Ended[][] = []
  for (const program of living) {
    await program.printedLines(LINES)
    program.child.stdin?.end()
  }
  for (const program of living) {
    const { code, errors, lines } = await program.ended
    expect([code, errors]).toEqual([0, ''])
    summaries.push(JSON.parse(lines.at(-1) as string) as Ended[])
  }
  const runs = summaries.at(-1) as Ended[]
  expect(runs.length).toBeGreaterThan(count)
  expect(new Set(runs.map(({ status }) => status))).toEqual(new Set(['completed']))
  const lines = readFileSync(world, 'utf8').split('\n').slice(0, -1)
  const steps = lines.map((line) => line.split(' ') as [string, string, string, string])
  // A thread is one run's until that is over, whoever works at it.
  for (const thread of new Set(steps.map(([, threadId]) => threadId))) {
    const called = steps.filter(([what, threadId]) => what !== 'knows' && threadId === thread)
    const owners = called.map(([, , runId]) => runId)
    const turns = owners.filter((runId, index) => runId !== owners[index - 1])
    expect(turns).toEqual([...new Set(turns)])
  }
  const calls = new Map<string, string[]>()
  for (const [what, , runId, callId] of steps) {
    calls.set(`${runId} ${callId}`, [...(calls.get(`${runId} ${callId}`) ?? []), what])
  }
  for (const [call, history] of calls) {
    // Once a journal knows a result, the tool does not run again; one that is not to be repeated never does.
    const known = history.indexOf('knows')
    expect([call, history.slice(known).every((step) => known < 0 || step === 'knows')]).toEqual([call, true])
    expect([call, history.filter((step) => step === 'mail').length <= 1]).toEqual([call, true])
  }
  // Each run called both of its tools.
  expect(calls.size).toBe(runs.length * 2)
})

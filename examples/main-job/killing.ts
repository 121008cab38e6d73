import { spawn } from 'node:child_process'
import process from 'node:process'
import { createInterface } from 'node:readline'

/** Starts this program with other words, kills it with SIGKILL when it has printed so many lines, and returns these. */
export async function linesUntilKilled(words: readonly string[], lines: number): Promise<string[]> {
  const program = process.argv[1] ?? ''
  const child = spawn(process.execPath, [program, ...words], { stdio: ['ignore', 'pipe', 'inherit'] })
  const printed: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    printed.push(line)
    if (printed.length === lines) child.kill('SIGKILL')
  }
  if (child.exitCode === null && child.signalCode === null) await new Promise((done) => child.once('exit', done))
  if (child.signalCode !== 'SIGKILL') throw new Error('The child ended before it could be killed.')
  return printed
}

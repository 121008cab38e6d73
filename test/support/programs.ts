import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

/** Where the build of a `*.program.ts` below `test/` lies. They run on what is built, as a user's code would. */
export function programFile(name: string): string {
  const file = fileURLToPath(new URL(`../../build/programs/test/${name}.program.js`, import.meta.url))
  if (!existsSync(file)) throw new Error(`There is no ${file}. Run npm run build.`)
  return file
}

/** How a child process ended. */
export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** All lines that it printed. */
  readonly lines: readonly string[]
  readonly errors: string
}

/** A program that runs in a process of its own. */
export interface Program {
  readonly child: ChildProcess
  /** The lines that it has printed so far. */
  readonly lines: readonly string[]
  /** Resolves once it has printed this line; rejects if it ends before. */
  printed(line: string): Promise<void>
  /** Resolves once it has printed so many lines, or ended. */
  printedLines(count: number): Promise<void>
  readonly ended: Promise<Ending>
}

/** Starts a program. It is killed when the test is over. */
export function startProgram(name: string, parameters: readonly string[], env: NodeJS.ProcessEnv = {}): Program {
  const child = spawn(process.execPath, [programFile(name), ...parameters], {
    env: { ...process.env, NODE_OPTIONS: undefined, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const lines: string[] = []
  const watchers = new Set<() => void>()
  let errors = ''
  const notify = () => {
    for (const watcher of watchers) watcher()
  }
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line)
    notify()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
  })
  let isOver = false
  const ended = new Promise<Ending>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      isOver = true
      resolve({ code, signal, lines, errors })
      notify()
    })
  })
  const until = (met: () => boolean) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (!met() && !isOver) return
        watchers.delete(look)
        resolve()
      }
      watchers.add(look)
      look()
    })
  return {
    child,
    lines,
    ended,
    printedLines: (count) => until(() => lines.length >= count),
    async printed(line) {
      await until(() => lines.includes(line))
      if (!lines.includes(line)) throw new Error(`It ended before it printed ${line}:\n${lines.join('\n')}\n${errors}`)
    },
  }
}

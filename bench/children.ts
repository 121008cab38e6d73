import { spawn } from 'node:child_process'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

/** How a program is run. */
export interface ChildOptions {
  /** Whether it is killed by SIGKILL when it has printed. */
  readonly kill?: boolean
  /** Another Node than this one. */
  readonly node?: string
}

/**
 * Runs one of the benchmark's programs in a process of its own, so that its memory is its own, and returns the JSON that
 * it prints last.
 */
export async function inChild<T>(
  program: string,
  parameters: readonly string[],
  { kill = false, node = process.execPath }: ChildOptions = {},
): Promise<T> {
  const file = fileURLToPath(new URL(`./${program}.program.js`, import.meta.url))
  const child = spawn(node, ['--expose-gc', file, ...parameters], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
    if (kill && output.endsWith('\n')) child.kill('SIGKILL')
  })
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve))
  if (code !== 0 && !kill) throw new Error(`${program} ended with ${code}`)
  return JSON.parse(output.trimEnd().split('\n').at(-1) ?? '') as T
}

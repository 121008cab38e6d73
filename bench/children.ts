import { spawn } from 'node:child_process'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

/**
 * Runs one of the benchmark's programs in a process of its own, so that its memory is its own, and returns the JSON that
 * it prints last.
 *
 * @param kill SIGKILL it when it has printed
 */
export async function inChild<T>(program: string, parameters: readonly string[], kill = false): Promise<T> {
  const file = fileURLToPath(new URL(`./${program}.program.js`, import.meta.url))
  const child = spawn(process.execPath, ['--expose-gc', file, ...parameters], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
    if (kill && output.endsWith('\n')) child.kill('SIGKILL')
  })
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve))
  if (code !== 0 && !kill) throw new Error(`${program} ended with ${code}`)
  return JSON.parse(output) as T
}

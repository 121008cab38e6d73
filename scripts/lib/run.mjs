import { spawn } from 'node:child_process'
import process from 'node:process'
import { inRoot, root } from './root.mjs'

/**
 * Runs a program to its end, shows what it prints and gives it back.
 *
 * Standard input is closed: nothing in this project may wait for an answer.
 *
 * @param {string} command
 * @param {readonly string[]} parameters
 * @param {{ env?: Record<string, string>, cwd?: string, quiet?: boolean }} [options] quiet: show only what goes to the
 *   standard error
 * @returns {Promise<{ code: number, output: string }>} output: the standard output
 */
export function run(command, parameters, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, parameters, {
      cwd: options.cwd ?? root,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    /** @type {Buffer[]} */
    const chunks = []
    child.stdout.on('data', (chunk) => {
      chunks.push(chunk)
      if (options.quiet !== true) process.stdout.write(chunk)
    })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      const output = Buffer.concat(chunks).toString('utf8')
      resolve({ code: code ?? (signal === null ? 1 : 128), output })
    })
  })
}

/**
 * Like `run`, but a failure ends this process with the program's exit code.
 *
 * @param {string} command
 * @param {readonly string[]} parameters
 * @param {Parameters<typeof run>[2]} [options]
 */
export async function mustRun(command, parameters, options) {
  const result = await run(command, parameters, options)
  if (result.code === 0) return result.output
  console.error(`failed with exit code ${result.code}: ${command} ${parameters.join(' ')}`)
  process.exit(result.code)
}

/**
 * The script behind a tool of node_modules, to be run with `process.execPath`: no shell, no search path.
 *
 * @param {'tsc' | 'vitest' | 'biome'} name
 */
export function tool(name) {
  const scripts = {
    biome: '@biomejs/biome/bin/biome',
    tsc: 'typescript/bin/tsc',
    vitest: 'vitest/vitest.mjs',
  }
  return inRoot('node_modules', scripts[name])
}

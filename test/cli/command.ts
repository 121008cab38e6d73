import { type ChildProcess, spawn } from 'node:child_process'
import process from 'node:process'
import { expect } from 'vitest'
import { inRoot } from '../../scripts/lib/root.mjs'

/** How the command ended and what it wrote. */
export interface Answer {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** The built command. */
export const command = inRoot('dist', 'cli', 'main.js')

/** Runs the built command in a process of its own. */
export function bailiwick(words: readonly string[], env: NodeJS.ProcessEnv = {}, cwd?: string): Promise<Answer> {
  return startBailiwick(words, env, cwd).answer
}

/** The same, for whoever does something to that process. */
export function startBailiwick(
  words: readonly string[],
  env: NodeJS.ProcessEnv = {},
  cwd?: string,
): { readonly child: ChildProcess; readonly answer: Promise<Answer> } {
  const child = spawn(process.execPath, [command, ...words], {
    env: { ...process.env, NODE_OPTIONS: undefined, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd,
  })
  let [out, err] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
  })
  const answer = new Promise<Answer>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, out, err }))
  })
  return { child, answer }
}

/** What a wrong call must look like: one line, no stack, nothing on standard output. */
export const oneLine = { code: 2, out: '', err: expect.stringMatching(/^bailiwick: [^\n]+\n$/) }

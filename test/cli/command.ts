import { spawn } from 'node:child_process'
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
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, out, err }))
  })
}

/** What a wrong call must look like: one line, no stack, nothing on standard output. */
export const oneLine = { code: 2, out: '', err: expect.stringMatching(/^bailiwick: [^\n]+\n$/) }

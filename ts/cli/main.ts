#!/usr/bin/env node
import process from 'node:process'
import { Exit } from './command.ts'
import { run } from './run.ts'

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // A closed pipe is no failure, as in `bailiwick … | head`. A full disk is one.
  if (error.code === 'EPIPE') return
  process.stderr.write(`bailiwick: the answer cannot be written: ${error.code}.\n`)
  process.exit(Exit.unusable)
})
/** Asks beside the results, which may go elsewhere. */
async function ask(question: string): Promise<string> {
  const { createInterface } = await import('node:readline/promises')
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await lines.question(question)
  } finally {
    lines.close()
  }
}

// Removes the command line from the list of processes as far as the system allows: it may hold a password.
const words = process.argv.slice(2)
process.title = 'bailiwick'
process.exitCode = await run(words, {
  print: (text) => process.stdout.write(text),
  complain: (text) => process.stderr.write(text),
  isInteractive: process.stderr.isTTY === true,
  ...(process.stdin.isTTY === true && process.stderr.isTTY === true ? { ask } : {}),
})

#!/usr/bin/env node
import process from 'node:process'
import { Exit } from './command.ts'
import { run } from './run.ts'

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Whoever reads our output may stop reading: `bailiwick … | head` is no failure. A full disk is one.
  if (error.code === 'EPIPE') return
  process.stderr.write(`bailiwick: the answer cannot be written: ${error.code}.\n`)
  process.exit(Exit.unusable)
})
process.exitCode = await run(process.argv.slice(2), {
  print: (text) => process.stdout.write(text),
  complain: (text) => process.stderr.write(text),
  isInteractive: process.stderr.isTTY === true,
})

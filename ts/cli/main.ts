#!/usr/bin/env node
import process from 'node:process'
import { run } from './run.ts'

// Whoever reads our output may stop reading: `bailiwick … | head` is no failure.
process.stdout.on('error', () => {})
process.exitCode = await run(process.argv.slice(2), {
  print: (text) => process.stdout.write(text),
  complain: (text) => process.stderr.write(text),
})

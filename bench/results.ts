import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import type { Rivals } from './contenders/rivals.ts'
import { type Finding, isMet } from './finding.ts'
import { machine } from './print.ts'

/** Writes the results as JSON and returns the file's path in the repository. */
export function writeResults(name: string, rivals: Rivals, findings: readonly Finding[]): string {
  const folder = join('bench', 'results')
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${name}.json`)
  const rows = findings.map(({ ratios, ...finding }) => ({
    ...finding,
    ratios: ratios.map((ratio) => ({ ...ratio, met: isMet(ratio) })),
  }))
  const versions = { node: process.version, ...rivals.versions }
  const on = `${process.platform} ${process.arch}, ${machine()}`
  writeFileSync(file, `${JSON.stringify({ on, versions, rows }, rounded, 2)}\n`)
  return file
}

/** Rounds to four digits. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value
}

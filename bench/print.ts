import { cpus } from 'node:os'
import process from 'node:process'
import type { Rivals } from './contenders/rivals.ts'
import { type Finding, isMet, type Ratio } from './finding.ts'

/** Prints the versions and the machine. */
export function printVersions(rivals: Rivals): void {
  console.log(`node ${process.version}, ${process.platform} ${process.arch}, ${machine()}`)
  for (const [name, version] of Object.entries(rivals.versions)) console.log(`${name} ${version}`)
}

/** The processors of this machine. */
export function machine(): string {
  return `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}`
}

/** Prints the results of a row. */
export function printFinding({ row, load, figures, ratios }: Finding): void {
  console.log(`\n${row}\n  ${load}`)
  const width = Math.max(...figures.map(({ contender }) => contender.length))
  for (const { contender, what, value } of figures) {
    console.log(`  ${contender.padEnd(width)}  ${number(value).padStart(10)}  ${what}`)
  }
  for (const ratio of ratios) console.log(`  ${line(ratio)}`)
}

/** Prints all ratios with their targets. */
export function printSummary(findings: readonly Finding[]): void {
  console.log('\nsummary')
  for (const { row, ratios } of findings) {
    for (const ratio of ratios) console.log(`  ${row.padEnd(50)}  ${line(ratio)}`)
  }
}

function line(ratio: Ratio): string {
  const { of, value, target } = ratio
  const goal = 'atMost' in target ? `at most ${target.atMost}` : `at least ${target.atLeast}`
  return `${number(value).padStart(9)}  ${goal.padEnd(14)}  ${isMet(ratio) ? 'met   ' : 'MISSED'}  ${of}`
}

function number(value: number): string {
  return value >= 1000 ? value.toFixed(0) : value.toPrecision(3)
}

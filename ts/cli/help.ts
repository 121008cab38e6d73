import { VERSION } from '../common/version.ts'
import type { Command } from './command.ts'
import { commands } from './commands.ts'

/** The help of the whole command. */
export function helpOfAll(): string {
  const rows = [...commands].map(([name, command]) => [usageOf(name, command), command.summary] as const)
  return [
    `bailiwick ${VERSION}: the tenant-isolated, crash-proof agent runtime for Node.`,
    '',
    'Commands:',
    ...columns([...rows, ['--version', 'Prints the version.'], ['--help', 'Prints this text.']]),
    '',
    'Options of every command:',
    ...columns([
      ['--json', 'answer as one line of JSON, errors included'],
      ['-h, --help', 'what the command does, in full'],
    ]),
    '',
  ].join('\n')
}

export function helpOf(name: string, command: Command): string {
  const options = Object.entries(command.options).map(
    ([option, { help, value }]) => [value === undefined ? `--${option}` : `--${option} <${value}>`, help] as const,
  )
  return [
    command.summary,
    '',
    `  bailiwick ${usageOf(name, command)} [options]`,
    '',
    ...columns([...options, ['--json', 'answer as one line of JSON, errors included'], ['-h, --help', 'this text']]),
    '',
    command.notes,
    '',
  ].join('\n')
}

function usageOf(name: string, { operands, optional = [] }: Command): string {
  const required = operands.map((operand) => `<${operand}>`)
  return [name, ...required, ...optional.map((operand) => `[${operand}]`)].join(' ')
}

function columns(rows: readonly (readonly [left: string, right: string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)
}

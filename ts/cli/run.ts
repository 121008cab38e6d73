import { parseArgs } from 'node:util'
import { nearest } from '../common/nearest.ts'
import { VERSION } from '../common/version.ts'
import { visibleJson } from '../common/visible.ts'
import { BailiwickError } from '../errors/index.ts'
import { maySayPassword } from '../store/store-word.ts'
import {
  type Command,
  Exit,
  type ExitCode,
  InputError,
  parseOptions,
  type Terminal,
  UsageError,
  type Words,
} from './command.ts'
import { commands } from './commands.ts'
import { helpOf, helpOfAll } from './help.ts'
import { nameAlone, printable } from './printable.ts'

/** Does what the words of a command line say, and returns the exit code. Never throws for what a user did. */
export async function run(words: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const [first, ...rest] = words
  if (first === '--version' || first === '-v') return print(terminal, `${VERSION}\n`)
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    const command = commands.get(rest[0] ?? '')
    return print(terminal, command === undefined ? helpOfAll() : helpOf(rest[0] ?? '', command))
  }
  const command = commands.get(first)
  if (command !== undefined) return await runCommand(first, command, rest, terminal)
  const message = `There is no command ${printable(nameAlone(first))}.${meant(first, [...commands.keys()])} The commands are: ${[...commands.keys()].join(', ')}.`
  return complain(terminal, new UsageError(message), '--help', rest.includes('--json'))
}

async function runCommand(
  name: string,
  command: Command,
  words: readonly string[],
  terminal: Terminal,
): Promise<ExitCode> {
  try {
    const parsed = parse(command, words)
    if (parsed === 'help') return print(terminal, helpOf(name, command))
    const { exit, lines, json } = await command.run(parsed, terminal)
    terminal.print(parsed.json ? `${visibleJson(json)}\n` : lines.map((line) => `${line}\n`).join(''))
    return exit
  } catch (error) {
    return complain(terminal, error, `${name} --help`, words.includes('--json'))
  }
}

/** @throws UsageError */
function parse(command: Command, words: readonly string[]): Words | 'help' {
  const { values, positionals } = parseStrictly(command, words)
  const { help, json, ...options } = values
  if (help === true) return 'help'
  const missing = command.operands[positionals.length]
  if (missing !== undefined) throw new UsageError(`<${missing}> is missing.`)
  const surplus = positionals[command.operands.length + (command.optional?.length ?? 0)]
  if (surplus !== undefined) throw new UsageError(`Unexpected argument: ${printable(nameAlone(surplus))}.`)
  return { operands: positionals, options, json: json === true }
}

function parseStrictly(command: Command, words: readonly string[]) {
  try {
    const config = { args: [...words], options: parseOptions(command), allowPositionals: true, tokens: true } as const
    const { values, positionals, tokens } = parseArgs(config)
    const names = tokens.flatMap((token) => (token.kind === 'option' ? [token.name] : []))
    const twice = names.find((name, index) => names.indexOf(name) !== index)
    // Of two keys or origins, silently only one would be checked.
    if (twice !== undefined) throw new UsageError(`--${twice} was given twice.`)
    return { values: values as Words['options'], positionals }
  } catch (error) {
    if (error instanceof UsageError) throw error
    // It explains how to escape a leading dash after the first sentence, in several lines.
    const [sentence = ''] = (error as Error).message.split(/(?<=')\. |\n/)
    const known = Object.keys(parseOptions(command)).map((name) => `--${name}`)
    const [, unknown = ''] = /^Unknown option '(-.*)'$/s.exec(sentence.replace(/\.$/, '')) ?? []
    if (maySayPassword(sentence) || nameAlone(unknown || '-') !== (unknown || '-')) {
      throw new UsageError('There is an option that is unknown, or lacks its argument.')
    }
    throw new UsageError(`${printable(sentence.replace(/\.$/, ''))}.${meant(unknown, known)}`)
  }
}

/** A question that names the word that was meant, or nothing. */
function meant(word: string, known: readonly string[]): string {
  const name = nearest(word, known)
  return name === undefined ? '' : ` Did you mean ${name}?`
}

function print(terminal: Terminal, text: string): ExitCode {
  terminal.print(text)
  return Exit.holds
}

/** Prints the error in one line. An internal error is printed with its stack. */
function complain(terminal: Terminal, error: unknown, help: string, json: boolean): ExitCode {
  const code = codeOf(error)
  if (code === undefined) {
    terminal.complain(`bailiwick: internal error, please report it.\n${error instanceof Error ? error.stack : error}\n`)
    return Exit.defect
  }
  const { message } = error as Error
  if (json) terminal.print(`${visibleJson({ error: { code, message } })}\n`)
  else terminal.complain(`bailiwick: ${message}${code === 'USAGE' ? ` Try: bailiwick ${help}` : ''}\n`)
  return Exit.unusable
}

/** The code of an error that a user can do something about. */
function codeOf(error: unknown): string | undefined {
  if (error instanceof UsageError) return 'USAGE'
  if (error instanceof InputError) return 'INPUT'
  return BailiwickError.isInstance(error) ? error.code : undefined
}

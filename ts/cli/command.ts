import type { ParseArgsConfig } from 'node:util'

/** Exit codes: the check passed, it failed, the input cannot be used, internal error. */
export const Exit = { holds: 0, doesNotHold: 1, unusable: 2, defect: 70 } as const

/** A way in which the command ends. */
export type ExitCode = (typeof Exit)[keyof typeof Exit]

/** Output of a command: results to one stream, messages to another. */
export interface Terminal {
  /** Writes to standard output. */
  print(text: string): void
  /** Writes to standard error. */
  complain(text: string): void
  /** Whether a person sees standard error as it is written. */
  readonly isInteractive: boolean
  /** Asks the user and returns the typed line; absent without a terminal. */
  readonly ask?: (question: string) => Promise<string>
}

/** The words of a call, parsed. */
export interface Words {
  /** The operands in the order of the command's usage; all required ones are present. */
  readonly operands: readonly string[]
  /** The options that were given. */
  readonly options: { readonly [name: string]: string | boolean | undefined }
  /** Whether the answer is to be JSON. */
  readonly json: boolean
}

/** Result of a command: the same for people and for machines. */
export interface Outcome {
  readonly exit: ExitCode
  /** Lines for people. */
  readonly lines: readonly string[]
  /** The same as one JSON value. */
  readonly json: unknown
}

/** One verb of the command. */
export interface Command {
  /** One line that says what it does. */
  readonly summary: string
  /** The names of its operands, in order. All are required. */
  readonly operands: readonly string[]
  /** The names of the operands that may follow them. */
  readonly optional?: readonly string[]
  /** Its options beside `--help` and `--json`, each with a line of help; `value` names the value of those that take one. */
  readonly options: { readonly [name: string]: OptionHelp }
  /** Help below the options: examples, exit codes. */
  readonly notes: string
  /**
   * Does it.
   *
   * @throws UsageError, InputError, or an error of this package; their messages are shown to the user
   */
  run(words: Words, terminal: Terminal): Promise<Outcome>
}

/** An option and its help. */
export interface OptionHelp {
  readonly help: string
  readonly value?: string
}

/** The call itself is wrong. Its message is one sentence for the user, who is shown where the help is. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** A store or file named by the call cannot be used. The message is one sentence for the user. */
export class InputError extends Error {
  override readonly name = 'InputError'
}

/** A command's options as `parseArgs` takes them. */
export function parseOptions(command: Command): NonNullable<ParseArgsConfig['options']> {
  const own = Object.entries(command.options).map(
    ([name, { value }]) => [name, { type: value === undefined ? 'boolean' : 'string' }] as const,
  )
  return { ...Object.fromEntries(own), help: { type: 'boolean', short: 'h' }, json: { type: 'boolean' } }
}

import type { ParseArgsConfig } from 'node:util'

/** How the command ends: what was asked for holds, does not hold, could not be looked at, or we made a mistake. */
export const Exit = { holds: 0, doesNotHold: 1, unusable: 2, defect: 70 } as const

/** A way in which the command ends. */
export type ExitCode = (typeof Exit)[keyof typeof Exit]

/** Where the command writes: results to one place, remarks about the call to another. */
export interface Terminal {
  /** Writes to standard output. */
  print(text: string): void
  /** Writes to standard error. */
  complain(text: string): void
  /** Whether a person sees standard error as it is written. */
  readonly isInteractive: boolean
  /** Asks whoever sits there and gives the line that is typed; absent where nobody does. */
  readonly ask?: (question: string) => Promise<string>
}

/** The words of a call, parsed. */
export interface Words {
  /** What stands for the names in the command's usage, in that order; all that are required are there. */
  readonly operands: readonly string[]
  /** The options that were given. */
  readonly options: { readonly [name: string]: string | boolean | undefined }
  /** Whether the answer is to be JSON. */
  readonly json: boolean
}

/** What a command answers: the same for people and for machines. */
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
  /** What the help says below the options: examples, exit codes. */
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

/** What the call names cannot be used. Its message is one sentence for the user. */
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

import { BailiwickError } from '../../errors/index.ts'

/** Takes secrets out of a text. */
export type Redact = (text: string) => string

/** A secret shorter than this would be found where it is none. */
const SHORTEST_SECRET = 6
/** Characters of a message that are passed on. The core cuts it to its own limit and marks the cut. */
const READ_CHARACTERS = 64 << 10
/** Most errors reported behind one: its cause, its members, and theirs. */
const ERRORS = 16

/** Returns a function that removes these secrets from texts. */
export function redactor(secrets: () => readonly string[]): Redact {
  return (text) =>
    secrets()
      .filter((secret) => secret.length >= SHORTEST_SECRET)
      .reduce((redacted, secret) => redacted.replaceAll(secret, '[redacted]'), text)
}

/** Returns the failure for the core, as JSON, for anything that a callback threw. Never throws. */
export function failureText(error: unknown, redact: Redact): string {
  const told: { message: string; code?: string; retryable?: boolean; retryAfterMs?: number } = {
    message: redactedMessage(error, redact),
  }
  try {
    const { retryable, retryAfterMs } = error as { retryable?: unknown; retryAfterMs?: unknown }
    if (BailiwickError.isInstance(error)) told.code = error.code
    if (error instanceof CallFailure) told.code = error.code
    if (typeof retryable === 'boolean') told.retryable = retryable
    if (typeof retryAfterMs === 'number' && Number.isFinite(retryAfterMs) && retryAfterMs >= 0) {
      told.retryAfterMs = Math.ceil(retryAfterMs)
    }
  } catch {
    // A getter of the error's own: the message is all there is.
  }
  return JSON.stringify(told)
}

/** Without its secrets, or nothing of it where they cannot be taken out: they may be read from where the host says. */
function redactedMessage(error: unknown, redact: Redact): string {
  try {
    return redact(messageOf(error).slice(0, READ_CHARACTERS)).toWellFormed()
  } catch {
    return 'It failed, and its message cannot be told.'
  }
}

/** The message of an error, and those of what is behind it. */
function messageOf(error: unknown): string {
  const lines: string[] = []
  const seen = new Set<unknown>()
  const tell = (told: unknown, introduction: string) => {
    if (lines.length >= ERRORS || seen.has(told)) return
    seen.add(told)
    lines.push(`${introduction}${ownMessageOf(told)}`)
    const { members, cause } = behind(told)
    for (const member of members) tell(member, 'One of its errors: ')
    if (cause !== undefined && cause !== null) tell(cause, 'Its cause: ')
  }
  tell(error, '')
  return lines.join('\n')
}

function ownMessageOf(error: unknown): string {
  if (typeof error === 'string' && error !== '') return error
  if (typeof error === 'number' || typeof error === 'bigint' || typeof error === 'boolean') return String(error)
  try {
    const { message, name, code } = error as { message?: unknown; name?: unknown; code?: unknown }
    if (typeof message === 'string' && message !== '') return message
    const known = [name, code].filter((word) => typeof word === 'string' && word !== '' && word !== 'Error')
    if (known.length > 0) return `It failed without a message: ${known.join(' ')}.`
  } catch {
    // As below.
  }
  return 'It failed without a message.'
}

/**
 * What an error says is behind it. An error of this package, and one that says whether the same may be tried again, were made to
 * be told as they are: what is behind them may be what they leave out, such as a key that a provider quotes.
 */
function behind(error: unknown): { readonly members: readonly unknown[]; readonly cause?: unknown } {
  if (typeof error !== 'object' || error === null) return { members: [] }
  try {
    const { errors, cause, retryable } = error as { errors?: unknown; cause?: unknown; retryable?: unknown }
    if (BailiwickError.isInstance(error) || typeof retryable === 'boolean') return { members: [] }
    return { members: Array.isArray(errors) ? errors.slice(0, ERRORS) : [], cause }
  } catch {
    return { members: [] }
  }
}

/** Failure of a call outside its handler. */
export class CallFailure extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

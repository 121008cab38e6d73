import { BailiwickError } from '../errors/index.ts'

/** Takes secrets out of a text. */
export type Redact = (text: string) => string

/** A secret shorter than this would be found where it is none. */
const SHORTEST_SECRET = 6
const MESSAGE_CHARACTERS = 2000
/** So much of a message is looked at. */
const READ_CHARACTERS = 64 << 10

/** What takes these secrets out of texts. */
export function redactor(secrets: () => readonly string[]): Redact {
  return (text) =>
    secrets()
      .filter((secret) => secret.length >= SHORTEST_SECRET)
      .reduce((redacted, secret) => redacted.replaceAll(secret, '[redacted]'), text)
}

/** What the core is told of something that a callback threw, whatever that is: JSON. Never throws. */
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
    const message = redact(messageOf(error).slice(0, READ_CHARACTERS))
    return message.slice(0, MESSAGE_CHARACTERS).toWellFormed()
  } catch {
    return 'It failed, and its message cannot be told.'
  }
}

function messageOf(error: unknown): string {
  try {
    if (error instanceof Error && error.message !== '') return String(error.message)
    const { message } = error as { message?: unknown }
    if (typeof message === 'string' && message !== '') return message
  } catch {
    // As below.
  }
  return 'It failed without a message.'
}

/** What a call failed with before or after its handler. */
export class CallFailure extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

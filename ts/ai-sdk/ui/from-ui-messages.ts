import { Buffer } from 'node:buffer'
import { assertObject, assertText } from '../../arguments/checks.ts'
import { isId } from '../../arguments/ids.ts'
import { type Checks, option, readOptions } from '../../arguments/options.ts'
import { kindOf, wordOf } from '../../common/shown-values.ts'
import { InvalidInputError } from '../../errors/index.ts'
import type { JsonValue } from '../../types/json.ts'
import type { References } from '../../types/references.ts'
import { type Marks, marked } from './own-marks.ts'

/** Options of `fromUIMessages`. */
export interface FromUIMessagesOptions {
  /** The references of the tenant's runtime: files are stored there. */
  readonly references: Pick<References, 'putMany'>
  /**
   * Returns the id of the reference that the host serves at a URL: the inverse of `fileUrl` of `toUIMessages`, for messages that are sent
   * again. `undefined`: the URL is none of the host's. Default: only an id of a reference is taken for one.
   */
  readonly referenceOf?: (url: string) => string | undefined
}

/** A message of `useChat`, as a browser sends it. Nothing in it is trusted. */
export interface GivenUIMessage {
  readonly id: string
  readonly role: 'system' | 'user' | 'assistant'
  readonly parts: readonly { readonly type: string }[]
}

/** A part of a prompt: a text or a file. */
export type PromptPart = { readonly metadata?: JsonValue } & (
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'file'; readonly reference: string; readonly mediaType: string }
)

const checks: Checks<FromUIMessagesOptions> = { references: option.object, referenceOf: option.function }

/** The type of the references that files are stored under. */
const FILE_TYPE = 'file'
/** The longest id of a message and the longest name of a file, in characters. Longer names are cut. */
const MOST_CHARACTERS = 1024
/** Most parts of a prompt; `crates/runtime` has the same number. */
const MOST_PARTS = 1024
const mediaTypes = /^[A-Za-z0-9!#$&^_.+-]+\/[A-Za-z0-9!#$&^_.+-]+(;[ -~]+)?$/

/** A file that is to be stored. */
interface NewFile {
  readonly bytes: Uint8Array
  readonly mediaType: string
}

/** A part of the prompt, as long as its file is not stored. */
type Written = { readonly marks: Marks } & (
  | { readonly text: string }
  | { readonly mediaType: string; readonly reference: string }
  | { readonly file: NewFile }
)

/**
 * Returns the prompt for `query` that the messages of `useChat` (AI SDK 5 and later) end with: the texts and files of the user's messages
 * after the last message of another role. All messages before them are in the thread, and are not read: a browser cannot change what was
 * said, nor send a system message.
 *
 * Files are stored as references of the type `file` in one commit (250 files each); no URL is ever fetched. A file is a base64 `data:` URL,
 * as `useChat` makes it, or a reference that the tenant has: its id, or a URL that `referenceOf` knows. Blank texts and parts `data-…` are
 * left out. The thread keeps the ids of the messages and the names of files, so that `toUIMessages` shows them again.
 *
 * Rejects with InvalidInputError for messages that do not end with one of the user, an empty prompt, another URL, and anything that is no
 * message (it names the place), and with the errors of `references.putMany`. Limit the size of requests before: a file is decoded in memory.
 *
 * @example
 * ```ts
 * const { id, messages } = await request.json()
 * const prompt = await fromUIMessages(messages, { references: runtime.references })
 * const run = runtime.query({ prompt, threadId: id })
 * ```
 */
export async function fromUIMessages(
  messages: readonly GivenUIMessage[],
  options: FromUIMessagesOptions,
): Promise<PromptPart[]> {
  const { references, referenceOf } = readOptions(options, checks)
  if (typeof references?.putMany !== 'function') {
    throw new InvalidInputError('references must be those of a runtime: pass { references: runtime.references }.')
  }
  const written = writtenOf(messages, referenceOf)
  const files = written.flatMap((part) => ('file' in part ? [part.file] : []))
  const items = files.map(({ bytes, mediaType }) => ({ type: FILE_TYPE, value: bytes, mediaType }))
  const stored = items.length === 0 ? [] : await references.putMany(items)
  const ids = stored.map(({ id }) => id).values()
  return written.map((part): PromptPart => {
    if ('text' in part) return marked<PromptPart>({ type: 'text', text: part.text }, part.marks)
    const reference = 'reference' in part ? part.reference : (ids.next().value ?? '')
    const { mediaType } = 'reference' in part ? part : part.file
    return marked<PromptPart>({ type: 'file', reference, mediaType }, part.marks)
  })
}

/** Reads the user's messages at the end. */
function writtenOf(messages: unknown, referenceOf: FromUIMessagesOptions['referenceOf']): Written[] {
  if (!Array.isArray(messages)) {
    throw new InvalidInputError(`messages must be the array of messages of useChat, not ${kindOf(messages)}.`)
  }
  const start = messages.findLastIndex((message) => (message as { role?: unknown } | null)?.role !== 'user') + 1
  if (start === messages.length) throw withoutPrompt(messages.at(-1), start - 1)
  const written = messages
    .slice(start)
    .flatMap((message, at) => ofMessage(message, `messages[${start + at}]`, referenceOf))
  if (written.length > MOST_PARTS) {
    throw new InvalidInputError(
      `messages end with ${written.length} texts and files of the user; a prompt has at most ${MOST_PARTS}.`,
    )
  }
  if (written.length > 0) return written
  throw new InvalidInputError(
    `messages[${start}] is empty, and no model answers to nothing. Send a text that is not blank, or a file.`,
  )
}

function withoutPrompt(last: unknown, at: number): InvalidInputError {
  if ((last as { role?: unknown } | null | undefined)?.role !== 'assistant') {
    return new InvalidInputError('messages must end with a message of the user: { id, role: "user", parts }.')
  }
  return new InvalidInputError(
    `messages end with the assistant's (messages[${at}]): there is nothing new of the user. If the user has answered an approval or a ` +
      'question in it, settle that with approvals.respond or waits.settle, and stream the run that goes on.',
  )
}

function ofMessage(message: unknown, place: string, referenceOf: FromUIMessagesOptions['referenceOf']): Written[] {
  const { id, parts } = message as { readonly id?: unknown; readonly parts?: unknown }
  assertText(id, `${place}.id`)
  if (id === '' || id.length > MOST_CHARACTERS) {
    throw new InvalidInputError(`${place}.id must have 1 to ${MOST_CHARACTERS} characters, not ${id.length}.`)
  }
  if (!Array.isArray(parts)) {
    throw new InvalidInputError(
      `${place}.parts must be an array, not ${kindOf(parts)}: send messages of AI SDK 5 or later.`,
    )
  }
  const written = Array.from(parts, (part, at) => ofPart(part, `${place}.parts[${at}]`, referenceOf)).flat()
  return written.map((part, at) => (at === 0 ? { ...part, marks: { messageId: id, ...part.marks } } : part))
}

/** Returns what a part says: one part of the prompt, or none. */
function ofPart(part: unknown, place: string, referenceOf: FromUIMessagesOptions['referenceOf']): Written[] {
  assertObject(part, place)
  const { type, text } = part as { readonly type?: unknown; readonly text?: unknown }
  if (type === 'file') return [ofFile(part, place, referenceOf)]
  if (type === 'text') {
    assertText(text, `${place}.text`)
    return text.trim() === '' ? [] : [{ text, marks: {} }]
  }
  // What the host's own page adds is the host's to read.
  if (typeof type === 'string' && type.startsWith('data-')) return []
  throw new InvalidInputError(`${place} has the type ${wordOf(type)}. A message of the user has text and file parts.`)
}

function ofFile(part: object, place: string, referenceOf: FromUIMessagesOptions['referenceOf']): Written {
  const { mediaType, filename, url } = part as { readonly [name: string]: unknown }
  if (typeof mediaType !== 'string' || mediaType.length > 255 || !mediaTypes.test(mediaType)) {
    throw new InvalidInputError(`${place}.mediaType must look like image/png, not ${wordOf(mediaType)}.`)
  }
  assertText(url, `${place}.url`)
  const name = typeof filename === 'string' ? filename.slice(0, MOST_CHARACTERS).toWellFormed() : ''
  const marks = name === '' ? {} : { filename: name }
  if (url.startsWith('data:')) return { file: { bytes: bytesOf(url, `${place}.url`), mediaType }, marks }
  const reference = isId('reference', url) ? url : referenceOf?.(url)
  if (reference !== undefined && isId('reference', reference)) return { mediaType, reference, marks }
  throw new InvalidInputError(
    `${place}.url is neither a data: URL nor a reference of the tenant, and no other URL is fetched. Send the content of the file, or give ` +
      'referenceOf, which returns the reference that you serve at the URL.',
  )
}

function bytesOf(url: string, place: string): Uint8Array {
  const comma = url.indexOf(',')
  const data = url.slice(comma + 1)
  const length = data.length - (data.endsWith('==') ? 2 : data.endsWith('=') ? 1 : 0)
  if (comma !== -1 && /;base64$/i.test(url.slice(0, comma)) && length % 4 !== 1) {
    const bytes = Buffer.from(data, 'base64')
    // Buffer.from leaves out what is no base64, and there are fewer bytes then.
    if (bytes.length === Math.floor((length * 3) / 4)) return bytes
  }
  throw new InvalidInputError(`${place} must be a base64 data: URL, such as data:image/png;base64,iVBORw0KGgo=.`)
}

import { isDeepStrictEqual } from 'node:util'
import { type Checks, type Given, option, readOptions } from '../../arguments/options.ts'
import { kindOf } from '../../common/shown-values.ts'
import { InvalidInputError } from '../../errors/index.ts'
import type { Approval } from '../../ledger/index.ts'
import type { Message, Part } from '../../types/threads.ts'
import type { Wait } from '../../types/waits.ts'
import { marksOf } from './own-marks.ts'
import { failureIn, type OnShownError, shownFailure } from './shown-error.ts'
import { referenceIn } from './shown-reference.ts'
import type { UIMessage, UIMessagePart, UIToolPart } from './ui-message.ts'

/** Options of `toUIMessages`. */
export interface UIMessagesOptions {
  /** Returns the URL where the host serves a reference's content to its tenant. Default: the id of the reference. */
  readonly fileUrl?: (reference: string) => string
  /** Returns the text that users see for a failed tool, as in `toUIMessageStream`. Default: `An error occurred.` */
  readonly onError?: OnShownError
  /** Whether reasoning is shown. Default: true. */
  readonly sendReasoning?: boolean
  /** As in the `ai` package. A thread names no sources, so nothing is added. */
  readonly sendSources?: boolean
  /**
   * Approvals of the tenant, such as those of `approvals.pending`: the calls here that wait for one ask for it, as live. Those of called agents
   * and of plans are in the answer of their run.
   */
  readonly approvals?: readonly Approval[]
  /**
   * Waits of the tenant, such as those of `waits.list`: the calls here that wait have their details beside them, as live. Those of called
   * agents are in the answer of their run.
   */
  readonly waits?: readonly Wait[]
}

/** The calls of a thread. */
class Calls {
  /** Parts of the message that shows a call, by its id: of the last one, if runs share an id. */
  readonly byId = new Map<string, UIMessagePart[]>()
  /** Parts of the last answer of each run. */
  readonly answers = new Map<string, UIMessagePart[]>()
  readonly #all: { readonly runId: string | undefined; readonly callId: string; readonly parts: UIMessagePart[] }[] = []

  add(callId: string, runId: string | undefined, parts: UIMessagePart[]): void {
    this.byId.set(callId, parts)
    this.#all.push({ runId, callId, parts })
  }

  /** Whether a message shows this call of a run. */
  has(runId: string | undefined, callId: string): boolean {
    return this.#all.some((call) => call.runId === runId && call.callId === callId)
  }

  /** Changes the part of a run's open call that this is true of, and adds another behind it. Returns whether there is one. */
  change(
    runId: string | undefined,
    isMeant: (part: UIToolPart) => boolean,
    change: (part: UIToolPart) => readonly UIMessagePart[],
  ): boolean {
    for (const call of this.#all) {
      if (runId === undefined || call.runId !== runId) continue
      const at = call.parts.findLastIndex((part) => 'toolCallId' in part && part.toolCallId === call.callId)
      const part = call.parts[at] as UIToolPart | undefined
      if (part?.state !== 'input-available' || !isMeant(part)) continue
      call.parts.splice(at, 1, ...change(part))
      return true
    }
    return false
  }
}

const checks: Checks<UIMessagesOptions> = {
  fileUrl: option.function,
  onError: option.function,
  sendReasoning: option.flag,
  sendSources: option.flag,
  approvals: assertList,
  waits: assertList,
}

function assertList(value: unknown, name: string): void {
  if (!Array.isArray(value)) throw new InvalidInputError(`${name} must be an array, not ${kindOf(value)}.`)
}

/**
 * The messages of a thread as `useChat` of the AI SDK shows them: what a run said and did is one message with the run's id,
 * as in `toUIMessageStream`; its answer to a prompt that was handed to it (`whenBusy: 'steer'`) is one more, with the id of the request. Data of providers, such as signatures, is left out, and so is what a model was told of an answer
 * that would not do. A user's messages have the ids that `fromUIMessages` read. A thread knows of calls without a result, and not what they wait for:
 * `approvals` and `waits` say so.
 *
 * @example
 * ```ts
 * let page = await runtime.threads.messages(threadId) // the oldest 100
 * const messages = [...page.items]
 * while (page.cursor !== undefined) {
 *   page = await runtime.threads.messages(threadId, { cursor: page.cursor })
 *   messages.push(...page.items)
 * }
 * const { items: approvals } = await runtime.approvals.pending({ limit: 1_000 })
 * return Response.json(toUIMessages(messages, { fileUrl: (id) => `/files/${id}`, approvals }))
 * ```
 */
export function toUIMessages(messages: readonly Message[], given: UIMessagesOptions = {}): UIMessage[] {
  const options = readOptions(given, checks)
  const shown: UIMessage[] = []
  const calls = new Calls()
  const ids = new Set<string>()
  let runId: string | undefined
  /** The run of the last prompt. */
  let asked: string | undefined
  /** The run of the last answer. A late result of another run may be between them. */
  let answering: string | undefined
  let isWithinAnswer = false
  for (const message of messages) {
    const isSameRun = message.runId !== undefined && message.runId === runId
    // Only the loop adds user messages in the middle of a run.
    if (message.role === 'user' && isSameRun && isWithinAnswer) continue
    const last = shown.at(-1)
    const goesOn = message.role === 'assistant' && last?.role === 'assistant' && answering === message.runId
    const wanted = [message.runId, asked]
    runId = message.runId
    isWithinAnswer = message.role !== 'user'
    if (message.role === 'assistant') answering = runId
    if (message.role === 'user') {
      asked = runId
      for (const { id, parts } of promptsIn(message)) {
        const prompt: UIMessage = { id: newId([id, message.messageId], ids), role: 'user', parts: [] }
        shown.push(prompt)
        show({ ...message, parts }, prompt.parts, calls, options)
      }
      continue
    }
    // A tool's message shows nothing of its own: results are shown where their calls are.
    let parts: UIMessagePart[] = goesOn ? last.parts : []
    if (!goesOn && message.role === 'assistant') {
      const answer: UIMessage = { id: newId([...wanted, message.messageId], ids), role: 'assistant', parts: [] }
      shown.push(answer)
      parts = answer.parts
    }
    if (message.role === 'assistant' && runId !== undefined) calls.answers.set(runId, parts)
    show(message, parts, calls, options)
  }
  showWaiting(calls, options)
  return shown
}

/** Shows what calls wait for, as live: those of agents that were called, and plans, in the answer of their run. */
function showWaiting(calls: Calls, { approvals = [], waits = [] }: Given<UIMessagesOptions>): void {
  for (const approval of approvals) {
    const { approvalId, runId, status, subject } = approval
    if (status !== 'pending') continue
    const data: UIMessagePart = { type: 'data-approval', id: approvalId, data: approval }
    const isMeant = ({ type, input }: UIToolPart) =>
      'tool' in subject && type === `tool-${subject.tool}` && isDeepStrictEqual(input, subject.input)
    const isShown = calls.change(runId, isMeant, ({ type, toolCallId, input }) => [
      { type, toolCallId, input, state: 'approval-requested', approval: { id: approvalId } },
      data,
    ])
    if (!isShown) calls.answers.get(runId ?? '')?.push(data)
  }
  for (const wait of waits) {
    if (wait.status !== 'open') continue
    const data: UIMessagePart = { type: 'data-wait', id: wait.waitId, data: wait }
    const isMeant = ({ toolCallId }: UIToolPart) => toolCallId === wait.callId
    const isShown = calls.change(wait.runId, isMeant, (part) => [part, data])
    if (!isShown && !calls.has(wait.runId, wait.callId)) calls.answers.get(wait.runId)?.push(data)
  }
}

/** The messages of `useChat` that a prompt was made of, each with its id there; otherwise all of it is one. */
function promptsIn({ parts }: Message): { readonly id: string | undefined; readonly parts: Part[] }[] {
  const prompts: { readonly id: string | undefined; readonly parts: Part[] }[] = []
  for (const part of parts) {
    const { messageId } = marksOf(part)
    if (messageId === undefined && prompts.length > 0) prompts.at(-1)?.parts.push(part)
    else prompts.push({ id: messageId, parts: [part] })
  }
  return prompts.length === 0 ? [{ id: undefined, parts: [] }] : prompts
}

/** Returns the first of these ids that no message has yet. Ids of a browser may be those of other messages. */
function newId(wanted: readonly (string | undefined)[], ids: Set<string>): string {
  const free = wanted.find((id) => id !== undefined && !ids.has(id))
  let id = free ?? `${wanted.at(-1)}`
  for (let copy = 2; ids.has(id); copy += 1) id = `${wanted.at(-1)}-${copy}`
  ids.add(id)
  return id
}

/** Adds the parts of a message. Results are shown where their calls are. */
function show(message: Message, parts: UIMessagePart[], calls: Calls, options: Given<UIMessagesOptions>): void {
  if (message.role === 'assistant') parts.push({ type: 'step-start' })
  const written: UIMessagePart[] = []
  const called: UIMessagePart[] = []
  for (const part of message.parts) {
    if (part.type === 'tool-result') {
      complete(calls.byId.get(part.callId) ?? [], part, options)
    } else if (part.type === 'tool-call') {
      calls.add(part.callId, message.runId, parts)
      const { callId, tool, input } = part
      called.push({ type: `tool-${tool}`, toolCallId: callId, state: 'input-available', input })
    } else if (part.type !== 'opaque') {
      write(written, part, message.role === 'assistant', options)
    }
  }
  // Calls are made once all is written, wherever a model put them.
  parts.push(...written, ...called)
}

/** Adds a text, reasoning or file part. In an answer, a part of the kind of the part before extends it. */
function write(
  written: UIMessagePart[],
  part: Extract<Part, { type: 'text' | 'reasoning' | 'file' }>,
  isAnswer: boolean,
  { fileUrl = (reference) => reference, sendReasoning = true }: Given<UIMessagesOptions>,
): void {
  if (part.type === 'file') {
    const { filename } = marksOf(part)
    const file = { type: 'file', mediaType: part.mediaType, url: fileUrl(part.reference) } as const
    written.push(filename === undefined ? file : { ...file, filename })
    return
  }
  if (part.text === '' || (part.type === 'reasoning' && !sendReasoning)) return
  const last = written.at(-1)
  if (isAnswer && last?.type === part.type && 'text' in last) last.text += part.text
  else written.push({ type: part.type, text: part.text, state: 'done' })
}

/** Puts the result of a call into the part that shows the call, and shows the reference that it is kept as. */
function complete(
  parts: UIMessagePart[],
  { callId, result, isError, state, editedInput }: Extract<Part, { type: 'tool-result' }>,
  { onError }: Given<UIMessagesOptions>,
): void {
  const index = parts.findLastIndex((part) => 'toolCallId' in part && part.toolCallId === callId)
  const call = parts[index] as UIToolPart | undefined
  // A call that waits is shown as one, until its late result comes.
  if (call === undefined || state === 'waiting') return
  const { type, toolCallId } = call
  // As it is shown live: a late call belongs to a step that is over.
  const input = editedInput === undefined || state === 'late' ? call.input : editedInput
  if (isError === true) {
    const errorText = shownFailure(failureIn(result), onError)
    parts[index] = { type, toolCallId, state: 'output-error', input, errorText }
    return
  }
  parts[index] = { type, toolCallId, state: 'output-available', input, output: result }
  const data = referenceIn(result)
  if (data === undefined) return
  const before = parts.find((part) => part.type === 'data-reference' && part.id === data.id)
  if (before?.type === 'data-reference') before.data = data
  else parts.push({ type: 'data-reference', id: data.id, data })
}

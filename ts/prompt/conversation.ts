import { sendableToolName } from '../common/tool-names.ts'
import type { Message, Part } from '../types/threads.ts'
import { CallIds } from './call-ids.ts'
import { withoutItem } from './metadata.ts'
import { OpenStep } from './open-step.ts'
import { emptyMessage, firstMessage, hasWords, lateResult, misplacedCall, withEditsTold } from './stand-ins.ts'
import { sendableInput } from './tool-input.ts'

type Call = Extract<Part, { type: 'tool-call' }>

/**
 * A conversation as it can always be sent to a model, whatever a thread holds: what models wrote, what was imported, forked or
 * cut off. See {@link sendable} for its rules. Each message is checked once, when it is added.
 */
export class Conversation {
  readonly #done: Message[] = []
  readonly #ids = new CallIds()
  /** The ids under which calls are sent whose own ids are others: late results name their calls. */
  readonly #renamed = new Map<string, string>()
  #open: OpenStep | undefined
  /** Messages that came among the results of open calls; they follow the results. */
  #afterwards: Part[] = []

  add(given: Message): void {
    const message = withEditsTold(given)
    switch (message.role) {
      case 'user':
        this.#addUser(message)
        break
      case 'assistant':
        this.#addAssistant(message)
        break
      default:
        this.#addResults(message)
    }
  }

  /** All of it, with every call closed: one that is still open is told to have no result yet. */
  messages(): Message[] {
    if (this.#open === undefined) return this.#done.slice()
    return [...this.#done, this.#open.closed(), ...this.#afterwardsOf(this.#open.source)]
  }

  #addUser(message: Message): void {
    const others = message.parts.filter((part) => !this.#answers(part, message))
    this.#close()
    const parts = unlessChanged(message.parts, userParts(others))
    if (parts.length === 0 && others.length < message.parts.length) return
    this.#push(withParts(message, parts.length === 0 ? [emptyMessage] : parts))
  }

  #addResults(message: Message): void {
    for (const part of message.parts) {
      if (!this.#answers(part, message)) this.#afterwards.push(...userParts([this.#sent(part)]))
    }
    if (this.#open?.isAnswered === false) return
    const { source } = this.#open ?? { source: message }
    this.#close(source)
  }

  /** A message that holds results of its own calls, as some kits write it, goes in several. */
  #addAssistant(message: Message): void {
    this.#close()
    let said: Part[] = []
    let asked: string[] = []
    let number = 0
    const say = () => {
      const parts = unlessChanged(message.parts, withoutTrailingReasoning(said))
      const calls = parts.filter((part) => part.type === 'tool-call')
      if (parts.length > 0) {
        number += 1
        const messageId = number === 1 ? message.messageId : `${message.messageId}-${number}`
        const whole = withParts(message, parts)
        this.#push(messageId === whole.messageId ? whole : { ...whole, messageId })
      }
      if (calls.length > 0) this.#open = new OpenStep(message, calls, asked)
      said = []
      asked = []
    }
    for (const part of message.parts) {
      if (part.type === 'tool-result') {
        if (asked.length > 0) say()
        if (!this.#answers(part, message)) this.#afterwards.push(...userParts([part]))
        continue
      }
      this.#close()
      const kept = message.interrupted === true ? ofInterrupted(part) : part
      if (kept === undefined || !hasWords(kept)) continue
      if (kept.type === 'tool-call') asked.push(kept.callId)
      said.push(kept.type === 'tool-call' ? this.#named(kept) : kept)
    }
    say()
    if (this.#open === undefined || this.#open.isAnswered) this.#close(message)
  }

  /** A call under the id and name that are sent, with its arguments as an object. */
  #named(call: Call): Call {
    const callId = this.#ids.unique(call.callId)
    const tool = sendableToolName(call.tool)
    const input = sendableInput(call.input)
    if (callId === call.callId) this.#renamed.delete(callId)
    else this.#renamed.set(call.callId, callId)
    const isUnchanged = callId === call.callId && tool === call.tool && input === call.input
    return isUnchanged ? call : withoutItem({ ...call, callId, tool, input })
  }

  /** A result with the id under which its call is sent. */
  #sent(part: Part): Part {
    const callId = part.type === 'tool-result' ? this.#renamed.get(part.callId) : undefined
    return callId === undefined ? part : ({ ...part, callId } as Part)
  }

  /** Whether a part is the result of an open call. A late one is not: its call has a result already, which says that it waits. */
  #answers(part: Part, source: Message): boolean {
    if (part.type !== 'tool-result' || part.state === 'late') return false
    return this.#open?.answer(part, source) === true
  }

  /** Nothing that comes from here on is a result of the open calls. */
  #close(source: Message | undefined = this.#open?.source): void {
    const open = this.#open
    this.#open = undefined
    if (open !== undefined) this.#push(open.closed())
    if (source === undefined) return
    const afterwards = this.#afterwardsOf(source)
    this.#afterwards = []
    for (const message of afterwards) this.#push(message)
  }

  #afterwardsOf(source: Message): Message[] {
    if (this.#afterwards.length === 0) return []
    return [{ ...bare(source), role: 'user', messageId: `${source.messageId}-user`, parts: this.#afterwards.slice() }]
  }

  #push(message: Message): void {
    if (this.#done.length === 0 && message.role !== 'user') {
      this.#done.push({
        ...bare(message),
        role: 'user',
        messageId: `${message.messageId}-first`,
        parts: [firstMessage],
      })
    }
    this.#done.push(message)
  }
}

/**
 * A conversation that can be sent to a model:
 *
 * - It begins with the user, and no message is empty.
 * - Every call has an id of its own. The first of an id keeps it ({@link CallIds}); results follow their call.
 * - Every call has one result, in the one tool message right after it, in the order of the calls. A call without one is told
 *   not to have ended; a result that belongs to no open call is told as a text of the user, and so is a late one.
 * - Arguments are objects and names of tools are what providers take; see `tool-input.ts` and `tool-name.ts`.
 * - Parts that a message cannot have are told as texts of the user; opaque parts stay with the assistant alone.
 * - Reasoning that nothing follows is left out, as providers refuse it. Of an interrupted answer the texts, files and calls
 *   are left, without metadata: the provider never ended those.
 *
 * It is pure, linear, and the same when it is applied again. What is sent of a message is decided when the next one that is not
 * its result comes, and never changes after that: caches of prompts stay valid.
 */
export function sendable(messages: readonly Message[]): Message[] {
  const conversation = new Conversation()
  for (const message of messages) conversation.add(message)
  return conversation.messages()
}

/** The parts as a user may say them. */
function userParts(parts: readonly Part[]): Part[] {
  return parts.flatMap((part): Part[] => {
    switch (part.type) {
      case 'text':
      case 'reasoning':
        if (part.text.trim() === '') return []
        return [part.type === 'text' ? part : { type: 'text', text: part.text }]
      case 'file':
        return [part]
      case 'tool-call':
        return [misplacedCall(part)]
      case 'tool-result':
        return [lateResult(part)]
      default:
        return []
    }
  })
}

/** The parts of an incomplete answer that its provider need not get. */
function ofInterrupted(part: Part): Part | undefined {
  if (part.type === 'reasoning' || part.type === 'opaque') return undefined
  if (part.metadata === undefined) return part
  const { metadata: _unfinished, ...rest } = part
  return rest
}

/** Providers refuse reasoning that nothing follows, as an answer leaves it that ran out of tokens. */
function withoutTrailingReasoning(parts: readonly Part[]): Part[] {
  return parts.slice(0, parts.findLastIndex(({ type }) => type !== 'reasoning') + 1)
}

/** The same array where nothing has changed, so that a message stays the same object. */
function unlessChanged(before: readonly Part[], after: readonly Part[]): readonly Part[] {
  return before.length === after.length && before.every((part, index) => part === after[index]) ? before : after
}

function withParts(message: Message, parts: readonly Part[]): Message {
  return parts === message.parts ? message : { ...message, parts }
}

/** A message that the package inserts. */
function bare({ messageId, createdAt, runId }: Message): Omit<Message, 'role' | 'parts'> {
  return { messageId, createdAt, ...(runId === undefined ? {} : { runId }) }
}

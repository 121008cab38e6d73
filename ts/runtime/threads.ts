import { InvalidInputError, NotFoundError } from '../errors/index.ts'
import type { Bridge } from '../native/bridge.ts'
import type { Answer, Message as Arguments } from '../native/message.ts'
import { Operation } from '../native/operations.ts'
import type { Message } from '../spec/callbacks.ts'
import { assertOpen, assertOptionalNumber, assertOptions, assertText, jsonText } from './guard.ts'
import type { Handle } from './handle.ts'
import type { NewMessage, Page, ThreadSummary, Threads } from './types.ts'

type ListOptions = NonNullable<Parameters<Threads['list']>[0]>
type PageOptions = NonNullable<Parameters<Threads['messages']>[1]>
type AppendOptions = NonNullable<Parameters<Threads['append']>[2]>
type ForkOptions = Parameters<Threads['fork']>[1]

/** The threads of one handle. */
export class TenantThreads implements Threads {
  readonly #bridge: Bridge
  readonly #handle: Handle

  constructor(bridge: Bridge, handle: Handle) {
    this.#bridge = bridge
    this.#handle = handle
  }

  async list(options: ListOptions = {}): Promise<Page<ThreadSummary>> {
    assertOpen(this.#handle)
    const writePage = pageWriter(options)
    const { actor } = options
    if (actor !== undefined) assertFilled(actor, 'actor')
    const write = (message: Arguments) => writePage(message.text(actor ?? ''))
    return await this.#submit(Operation.threadsList, write, (answer) => answer.json<Page<ThreadSummary>>())
  }

  async messages(threadId: string, page: PageOptions = {}): Promise<Page<Message>> {
    assertOpen(this.#handle)
    const writePage = pageWriter(page)
    if (!isText(threadId)) throw notFound()
    const write = (message: Arguments) => writePage(message.text(threadId))
    return await this.#submit(Operation.threadMessages, write, (answer) => answer.json<Page<Message>>())
  }

  async append(threadId: string, messages: readonly NewMessage[], options: AppendOptions = {}): Promise<Message[]> {
    assertOpen(this.#handle)
    assertText(threadId, 'threadId')
    assertOptions(options, 'options')
    const { expectedLength } = options
    assertOptionalNumber(expectedLength, 'expectedLength')
    if (!Array.isArray(messages)) throw new InvalidInputError('append takes an array of messages.')
    const text = jsonText(messages)
    const write = (message: Arguments) => message.text(threadId).optionalNumber(expectedLength).text(text)
    return await this.#submit(Operation.threadAppend, write, (answer) => answer.json<Message[]>())
  }

  async fork(threadId: string, options: ForkOptions): Promise<{ readonly threadId: string }> {
    assertOpen(this.#handle)
    assertOptions(options, 'options')
    const { through, threadId: newId } = options
    if (newId !== undefined) assertFilled(newId, 'threadId')
    if (!isText(threadId) || !isText(through)) throw notFound()
    const write = (message: Arguments) =>
      message
        .text(threadId)
        .text(through)
        .text(newId ?? '')
    return await this.#submit(Operation.threadFork, write, (answer) => answer.json<{ readonly threadId: string }>())
  }

  async delete(threadId: string): Promise<boolean> {
    assertOpen(this.#handle)
    if (!isText(threadId)) return false
    return await this.#submit(
      Operation.threadDelete,
      (message) => message.text(threadId),
      (answer) => answer.u8() === 1,
    )
  }

  #submit<T>(operation: Operation, write: (message: Arguments) => void, decode: (answer: Answer) => T): Promise<T> {
    return this.#bridge.submit(operation, this.#handle, write, decode)
  }
}

/** Whether it can be an id at all. What cannot is not found, like every id that is not this tenant's. */
function isText(id: unknown): id is string {
  return typeof id === 'string' && id.isWellFormed()
}

function assertFilled(value: unknown, name: string): asserts value is string {
  assertText(value, name)
  if (value === '') throw new InvalidInputError(`${name} must not be empty. Leave it out instead.`)
}

/** Checks which page is asked for and returns what writes it. */
function pageWriter(options: PageOptions): (message: Arguments) => void {
  assertOptions(options, 'options')
  const { limit, cursor } = options
  assertOptionalNumber(limit, 'limit')
  if (cursor !== undefined) assertFilled(cursor, 'cursor')
  return (message) => {
    message.optionalNumber(limit).text(cursor ?? '')
  }
}

function notFound(): NotFoundError {
  return new NotFoundError(
    'Not found: nothing with this id belongs to this tenant. It may never have existed, have expired or have been deleted.',
  )
}

import { type Checks, option, readOptions } from '../arguments/options.ts'
import { InvalidInputError } from '../errors/index.ts'
import type { Bridge } from '../native/bridge.ts'
import type { Answer, Message as Arguments } from '../native/message.ts'
import { Operation } from '../native/operations.ts'
import type { Message } from '../spec/callbacks.ts'
import { assertOpen, assertText, jsonText } from './guard.ts'
import type { Handle } from './handle.ts'
import { notFound } from './not-found.ts'
import { pageChecks, pageWriter, writePage } from './page.ts'
import type { NewMessage, Page, ThreadSummary, Threads } from './types.ts'

type ListOptions = NonNullable<Parameters<Threads['list']>[0]>
type PageOptions = NonNullable<Parameters<Threads['messages']>[1]>
type AppendOptions = NonNullable<Parameters<Threads['append']>[2]>
type ForkOptions = Parameters<Threads['fork']>[1]

const listChecks: Checks<ListOptions> = { actor: option.text, ...pageChecks }
const appendChecks: Checks<AppendOptions> = { expectedLength: option.number }
const forkChecks: Checks<ForkOptions> = { through: option.any, threadId: option.text }

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
    const { actor, ...page } = readOptions(options, listChecks)
    const write = (message: Arguments) => writePage(message.text(actor ?? ''), page)
    return await this.#submit(Operation.threadsList, write, (answer) => answer.json<Page<ThreadSummary>>())
  }

  async messages(threadId: string, page: PageOptions = {}): Promise<Page<Message>> {
    assertOpen(this.#handle)
    const writeRest = pageWriter(page)
    if (!isText(threadId)) throw notFound()
    const write = (message: Arguments) => writeRest(message.text(threadId))
    return await this.#submit(Operation.threadMessages, write, (answer) => answer.json<Page<Message>>())
  }

  async append(threadId: string, messages: readonly NewMessage[], options: AppendOptions = {}): Promise<Message[]> {
    assertOpen(this.#handle)
    assertText(threadId, 'threadId')
    const { expectedLength } = readOptions(options, appendChecks)
    if (!Array.isArray(messages)) throw new InvalidInputError('append takes an array of messages.')
    const text = jsonText(messages)
    const write = (message: Arguments) => message.text(threadId).optionalNumber(expectedLength).text(text)
    return await this.#submit(Operation.threadAppend, write, (answer) => answer.json<Message[]>())
  }

  async fork(threadId: string, options: ForkOptions): Promise<{ readonly threadId: string }> {
    assertOpen(this.#handle)
    const { through, threadId: newId } = readOptions(options, forkChecks)
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

import { assertText, jsonText } from '../arguments/checks.ts'
import { assertId, isId } from '../arguments/ids.ts'
import { type Checks, option, readOptions } from '../arguments/options.ts'
import { InvalidInputError } from '../errors/index.ts'
import type { Message as Arguments } from '../native/message.ts'
import { Operation } from '../native/operations.ts'
import { flag, json, type Session } from '../session/session.ts'
import { idWriter, pageChecks, writePage } from '../session/writers.ts'
import type { Page } from '../types/page.ts'
import type { Message, NewMessage, ThreadSummary, Threads } from '../types/threads.ts'

type ListOptions = NonNullable<Parameters<Threads['list']>[0]>
type PageOptions = NonNullable<Parameters<Threads['messages']>[1]>
type AppendOptions = NonNullable<Parameters<Threads['append']>[2]>
type ForkOptions = Parameters<Threads['fork']>[1]

const listChecks: Checks<ListOptions> = { actor: option.text, ...pageChecks }
const appendChecks: Checks<AppendOptions> = { expectedLength: option.number }
const forkChecks: Checks<ForkOptions> = { through: option.any, threadId: option.text }

export class TenantThreads implements Threads {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  list(options: ListOptions = {}): Promise<Page<ThreadSummary>> {
    const prepare = () => {
      const { actor = '', ...page } = readOptions(options, listChecks)
      return (message: Arguments) => writePage(message.text(actor), page)
    }
    return this.#session.call(Operation.threadsList, prepare, json<Page<ThreadSummary>>)
  }

  messages(threadId: string, options: PageOptions = {}): Promise<Page<Message>> {
    const prepare = () => {
      const page = readOptions(options, pageChecks)
      assertId('thread', threadId)
      return (message: Arguments) => writePage(message.text(threadId), page)
    }
    return this.#session.call(Operation.threadMessages, prepare, json<Page<Message>>)
  }

  append(threadId: string, messages: readonly NewMessage[], options: AppendOptions = {}): Promise<Message[]> {
    const prepare = () => {
      assertText(threadId, 'threadId')
      const { expectedLength } = readOptions(options, appendChecks)
      if (!Array.isArray(messages)) throw new InvalidInputError('append takes an array of messages.')
      const text = jsonText(messages)
      return (message: Arguments) => message.text(threadId).optionalNumber(expectedLength).text(text)
    }
    return this.#session.call(Operation.threadAppend, prepare, json<Message[]>)
  }

  fork(threadId: string, options: ForkOptions): Promise<{ readonly threadId: string }> {
    const prepare = () => {
      const { through, threadId: newId = '' } = readOptions(options, forkChecks)
      assertId('thread', threadId)
      assertId('message', through)
      return (message: Arguments) => message.text(threadId).text(through).text(newId)
    }
    return this.#session.call(Operation.threadFork, prepare, json<{ readonly threadId: string }>)
  }

  async delete(threadId: string): Promise<boolean> {
    this.#session.assertOpen()
    if (!isId('thread', threadId)) return false
    return await this.#session.call(Operation.threadDelete, () => idWriter('thread', threadId), flag)
  }
}

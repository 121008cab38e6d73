import { Chat } from '@ai-sdk/react'
import { convertFileListToFileUIParts, DefaultChatTransport, type UIMessage } from 'ai'
import { api, type Change, Refusal, reach } from './api.ts'
import { isCall, isOpen, isWaiting } from './parts.ts'

const RETRY_MS = 1000

/**
 * One chat: `useChat` sends and shows; this keeps it up to date. It loads the thread and follows its run when the page opens it, when the
 * connection comes back, and when another page has done something.
 */
export class Conversation {
  readonly chat: Chat<UIMessage>
  /** Called with what went wrong, if the page must show something else than messages. */
  onRefused: (refusal: Refusal) => void = () => {}
  readonly #isNew: boolean
  /** Resolves once the sync that is going on has ended. */
  #syncing: Promise<void> | undefined
  #sending = 0
  #isDue = false
  #isClosed = false
  #wasStreamed = false
  /** Messages that the server told of while a stream was read. */
  readonly #toldOf = new Set<string>()

  /** @param isNew whether the thread begins with the first message here */
  constructor(id: string, isNew: boolean) {
    this.#isNew = isNew
    const path = `/api/chats/${encodeURIComponent(id)}`
    const transport = new DefaultChatTransport<UIMessage>({
      api: '/api/chats',
      fetch: reach,
      // The thread has all that was said before.
      prepareSendMessagesRequest: ({ messages }) => ({ body: { id, messages: messages.slice(-1) } }),
      prepareReconnectToStreamRequest: () => {
        const shown = this.chat.messages.findLast(({ role }) => role === 'assistant')?.id
        return { api: shown === undefined ? `${path}/stream` : `${path}/stream?shown=${encodeURIComponent(shown)}` }
      },
    })
    const onFinish = ({ isDisconnect }: { isDisconnect: boolean }) => {
      this.#wasStreamed = true
      if (isDisconnect) this.#syncLater()
      queueMicrotask(() => this.#catchUp())
    }
    // A Chat and not the options of useChat, which passes on only a part of a transport.
    this.chat = new Chat({ id, transport, onFinish })
  }

  /** Sends a message. It waits for a sync, which would show the thread without it. */
  async send(message: { text: string; files?: FileList }): Promise<void> {
    // The browser empties the list when the form is reset.
    const { text, files } = message
    const parts = files === undefined ? [] : await convertFileListToFileUIParts(files)
    this.#sending += 1
    try {
      await this.#syncing
      await this.chat.sendMessage({ text, files: parts })
    } finally {
      this.#sending -= 1
    }
    this.#catchUp()
  }

  /** Shows what the server has, and follows what runs. While a stream is read, that shows it, and this comes afterwards. */
  async sync(): Promise<void> {
    this.#isDue = true
    if (this.#isBusy) return
    this.#syncing = this.#syncWhileDue()
    await this.#syncing
    this.#catchUp()
  }

  async #syncWhileDue(): Promise<void> {
    try {
      while (this.#isDue && !this.#isStreaming && this.#sending === 0) {
        this.#isDue = false
        await this.#syncOnce()
      }
    } catch (error) {
      if (error instanceof Refusal) this.onRefused(error)
      else this.#syncLater()
    } finally {
      this.#syncing = undefined
    }
  }

  /** Takes in what the server tells of this chat. */
  async notice({ answerId, type }: Change): Promise<void> {
    const shown = this.chat.messages.find(({ id }) => id === answerId)
    if (this.#isBusy) this.#toldOf.add(answerId)
    else if (type === 'goes-on' || (shown !== undefined && isWaiting(shown))) await this.sync()
  }

  /** Ends the connection and not the run. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.onRefused = () => {}
    await this.chat.stop()
  }

  get #isBusy(): boolean {
    return this.#syncing !== undefined || this.#sending > 0 || this.#isStreaming
  }

  get #isStreaming(): boolean {
    return this.chat.status === 'submitted' || this.chat.status === 'streaming'
  }

  async #syncOnce(): Promise<void> {
    const { chat } = this
    const messages = await this.#load()
    const last = chat.messages.at(-1)
    // A message that the server has refused stays where it is, with what the server says.
    if (chat.status === 'error' && !isLost(chat.error)) return
    if (last?.role === 'user' && !messages.some(({ id }) => id === last.id)) {
      // It may not have reached the server. The server takes a message once, however often it is sent.
      await chat.regenerate()
      return
    }
    // What the page shows of an answer that is not in the thread yet stays until the stream replaces it.
    const kept = last?.role === 'assistant' && !messages.some(({ id }) => id === last.id) ? [last] : []
    chat.messages = [...messages, ...kept]
    this.#wasStreamed = false
    await chat.resumeStream()
    if (isLost(chat.error)) throw chat.error
    // The run may have ended between the two requests.
    const isOld = !this.#wasStreamed && chat.status === 'ready' && chat.messages.at(-1)?.id !== messages.at(-1)?.id
    const isUnanswered = chat.status === 'ready' && chat.messages.at(-1)?.role === 'user'
    if (isOld || isUnanswered || (this.#wasStreamed && this.#hasOpenBefore)) chat.messages = await this.#load()
  }

  /** Whether an earlier answer has an open call. Its result comes with a later one, and the thread shows it where the call is. */
  get #hasOpenBefore(): boolean {
    return this.chat.messages.slice(0, -1).some(({ parts }) => parts.some((part) => isCall(part) && isOpen(part)))
  }

  /** The server cannot be reached. */
  #syncLater(): void {
    setTimeout(() => {
      if (!this.#isClosed) void this.sync()
    }, RETRY_MS)
  }

  async #load(): Promise<UIMessage[]> {
    try {
      return await api.messages(this.chat.id)
    } catch (error) {
      if (this.#isNew && error instanceof Refusal && error.status === 404) return []
      throw error
    }
  }

  /** After a stream: shows what other pages did meanwhile, if the stream has not. */
  #catchUp(): void {
    if (this.#isBusy || this.chat.status === 'error') return
    const isMissing = [...this.#toldOf].some((answerId) => !this.chat.messages.some(({ id }) => id === answerId))
    this.#toldOf.clear()
    if (isMissing || this.#isDue) void this.sync()
  }
}

/** Whether the connection was lost. Browsers have a TypeError for that. */
function isLost(error: Error | undefined): boolean {
  return error instanceof TypeError
}

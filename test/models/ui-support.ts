import {
  AbstractChat,
  type ChatState,
  type ChatStatus,
  type ChatTransport,
  readUIMessageStream,
  type UIMessage,
  type UIMessageChunk,
  uiMessageChunkSchema as version6,
} from 'ai'
import { uiMessageChunkSchema as version5 } from 'ai-v5'
import { AbstractChat as AbstractChat7, uiMessageChunkSchema as version7 } from 'ai-v7'
import {
  resumeUIMessageStream,
  toUIMessageStream,
  toUIMessages,
  type UIMessageStreamOptions,
  withoutDiscarded,
} from 'bailiwick/ai-sdk'
import type { RunEvent, Runtime } from '../../ts/index.ts'

export interface Shown {
  readonly message: UIMessage
  readonly states: readonly UIMessage[]
  readonly errors: readonly unknown[]
}

/** What the `ai` package makes of a run's stream, from a message that stands there already, if one does. */
export async function shown(
  events: AsyncIterable<RunEvent>,
  options: UIMessageStreamOptions = {},
  before?: UIMessage,
): Promise<Shown> {
  const errors: unknown[] = []
  const states: UIMessage[] = []
  const reading = readUIMessageStream({
    stream: toUIMessageStream(events, options),
    onError: (error) => errors.push(error),
    ...(before === undefined ? {} : { message: structuredClone(before) }),
  })
  for await (const state of reading) states.push(structuredClone(state))
  return { message: states.at(-1) as UIMessage, states, errors }
}

export async function chunksOf(events: AsyncIterable<RunEvent>, options: UIMessageStreamOptions = {}) {
  const chunks: { type: string; [key: string]: unknown }[] = []
  for await (const chunk of toUIMessageStream(events, options)) chunks.push(chunk as never)
  return chunks
}

/** A shown message as a reload can know it: what is in no message of the thread, such as approvals and waits, is left out. */
export function reloadable(message: UIMessage | undefined): unknown {
  const { id, role, parts } = withoutDiscarded(message ?? { id: '', role: 'assistant', parts: [] })
  const known = parts.filter(({ type }) => !['data-approval', 'data-plan', 'data-wait'].includes(type))
  const text = JSON.stringify({ id, role, parts: known }, (key, value) => {
    if (key === 'providerMetadata' || key === 'approval') return undefined
    if (key === 'state' && value === 'approval-requested') return 'input-available'
    return value?.type === 'reasoning' ? { ...value, id: undefined } : value
  })
  return JSON.parse(text)
}

/** The last message of a thread, as a reload shows it. */
export async function reloaded(runtime: Runtime, threadId: string): Promise<UIMessage | undefined> {
  const { items } = await runtime.threads.messages(threadId, { limit: 1000 })
  return toUIMessages(items).at(-1) as UIMessage | undefined
}

/** The schema of chunks of each version of `ai`, by the name that it is installed under. */
const schemas = { ai: version6, 'ai-v5': version5, 'ai-v7': version7 } as const

/** The chunks that a version of `ai` refuses: a browser would give up the whole stream for one. */
export async function refusedChunks(
  chunks: readonly object[],
  versions: readonly (keyof typeof schemas)[],
): Promise<readonly unknown[]> {
  const refused: unknown[] = []
  for (const version of versions) {
    const { validate } = schemas[version]()
    for (const chunk of chunks) {
      // As it is sent.
      const outcome = await validate?.(JSON.parse(JSON.stringify(chunk)))
      if (outcome?.success !== true) refused.push([version, chunk])
    }
  }
  return refused
}

/** The chat of each version of `ai` that can begin a new message within a stream. */
const chats = { ai: AbstractChat, 'ai-v7': AbstractChat7 as unknown as typeof AbstractChat } as const

/** The chat of `ai`, as a page shows it that was loaded anew: with the messages of the thread, and then what it gets when it reconnects. */
export class Page {
  readonly #chat: AbstractChat<UIMessage>
  #isResumed = false

  private constructor(messages: UIMessage[], runtime: Runtime, threadId: string, version: keyof typeof chats) {
    const transport: ChatTransport<UIMessage> = {
      sendMessages: () => Promise.reject(new Error('A page that was loaded anew sends nothing.')),
      reconnectToStream: async () => {
        const shown = this.messages.findLast(({ role }) => role === 'assistant')?.id
        const stream = await resumeUIMessageStream(runtime, { threadId, ...(shown && { runId: shown }) })
        this.#isResumed = stream !== undefined
        return (stream as ReadableStream<UIMessageChunk> | undefined) ?? null
      },
    }
    // As DefaultChatTransport says of itself.
    Object.assign(transport, { resumeStreamIsReplay: true })
    const Base = chats[version]
    class Chat extends Base<UIMessage> {}
    this.#chat = new Chat({ id: threadId, transport, state: new PageState(messages) })
  }

  static async load(runtime: Runtime, threadId: string, version: keyof typeof chats = 'ai'): Promise<Page> {
    const messages = await runtime.threads.messages(threadId, { limit: 1000 }).catch(() => ({ items: [] }))
    return new Page(toUIMessages(messages.items) as UIMessage[], runtime, threadId, version)
  }

  /** A page that shows these messages. */
  static of(
    runtime: Runtime,
    threadId: string,
    messages: readonly unknown[],
    version: keyof typeof chats = 'ai',
  ): Page {
    return new Page(structuredClone(messages) as UIMessage[], runtime, threadId, version)
  }

  get messages(): UIMessage[] {
    return this.#chat.messages
  }

  /** Resolves with whether there was anything to read. */
  async reconnect(): Promise<boolean> {
    await this.#chat.resumeStream()
    if (this.#chat.error !== undefined) throw this.#chat.error
    return this.#isResumed
  }
}

class PageState implements ChatState<UIMessage> {
  status: ChatStatus = 'ready'
  error: Error | undefined
  messages: UIMessage[]

  constructor(messages: UIMessage[]) {
    this.messages = messages
  }

  pushMessage = (message: UIMessage) => void this.messages.push(structuredClone(message))
  popMessage = () => void this.messages.pop()
  replaceMessage = (index: number, message: UIMessage) => void this.messages.splice(index, 1, structuredClone(message))
  snapshot = <T>(value: T): T => structuredClone(value)
}

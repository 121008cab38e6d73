import type { ModelEvent, ModelRequest, Part } from '../../ts/index.ts'

/** A request as the loop makes it, with what a test changes. */
export function requestOf(partial: Partial<ModelRequest> = {}): ModelRequest {
  return {
    modelId: 'model-1',
    system: 'Be brief.',
    messages: [message('user', [{ type: 'text', text: 'Hello' }])],
    tools: [],
    signal: new AbortController().signal,
    resolve: async (id) => {
      throw new Error(`Nothing was to be resolved, but ${id} was.`)
    },
    ...partial,
  }
}

/** A message of a thread. */
export function message(role: 'user' | 'assistant' | 'tool', parts: readonly Part[]): ModelRequest['messages'][number] {
  return { messageId: 'message-1', role, parts, createdAt: 0 }
}

/** Everything that a stream gives until its end. */
export async function eventsOf(stream: AsyncIterable<ModelEvent>): Promise<ModelEvent[]> {
  const events: ModelEvent[] = []
  for await (const event of stream) events.push(event)
  return events
}

/** What a model's failure tells. */
export interface SeenFailure {
  readonly message: string
  readonly retryable?: boolean
  readonly retryAfterMs?: number
  readonly cause?: unknown
}

/** The error that a stream fails with, after the events that go to `seen`. Fails if it does not. */
export async function failureFrom(stream: AsyncIterable<ModelEvent>, seen: ModelEvent[] = []): Promise<SeenFailure> {
  try {
    for await (const event of stream) seen.push(event)
  } catch (error) {
    return error as SeenFailure
  }
  throw new Error('The stream did not fail.')
}

/** A language model that answers with these parts, or does what is given instead. */
export function languageModel(
  doStream: readonly object[] | ((options: object) => Promise<{ stream: ReadableStream }>),
  version = 'v4',
  provider = 'local',
) {
  // biome-ignore lint/suspicious/noExplicitAny: what a model is asked is what the tests look at
  const asked: any[] = []
  return {
    specificationVersion: version,
    provider,
    modelId: 'fixed',
    asked,
    async doStream(options: object) {
      asked.push(options)
      return typeof doStream === 'function' ? await doStream(options) : { stream: ReadableStream.from(doStream) }
    },
  }
}

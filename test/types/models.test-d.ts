import { createAnthropic } from '@ai-sdk/anthropic'
import { createUIMessageStreamResponse, type UIMessage, type UIMessageChunk } from 'ai'
import { createAnthropic as createAnthropicV2 } from 'ai-sdk-anthropic-v2'
import { createAnthropic as createAnthropicV3 } from 'ai-sdk-anthropic-v3'
import { fromAiSdk, type ShownProgress, toUIMessageStream, toUIMessages, withoutDiscarded } from 'bailiwick/ai-sdk'
import type { ShownProgress as ShownInBrowser } from 'bailiwick/ai-sdk/browser'
import { type RecordedRequest, scriptedModel } from 'bailiwick/testing'
import { expectTypeOf, it } from 'vitest'
import type {
  Message,
  Model,
  ModelRequest,
  ProgressEvent,
  Resolved,
  Run,
  RunEvent,
  Runtime,
  Tool,
  ToolRetry,
} from '../../ts/index.ts'

it('providers and language models of every version of the interface fit', () => {
  expectTypeOf(fromAiSdk(createAnthropic())).toEqualTypeOf<Model>()
  expectTypeOf(fromAiSdk(createAnthropicV3())).toEqualTypeOf<Model>()
  expectTypeOf(fromAiSdk(createAnthropicV2())).toEqualTypeOf<Model>()
  expectTypeOf(fromAiSdk(createAnthropic().languageModel('x'))).toEqualTypeOf<Model>()
  expectTypeOf(fromAiSdk(createAnthropicV3().languageModel('x'))).toEqualTypeOf<Model>()
  expectTypeOf(fromAiSdk(createAnthropicV2().languageModel('x'))).toEqualTypeOf<Model>()
  // @ts-expect-error the name of a model is no model
  const name = () => fromAiSdk('anthropic/claude')
  // @ts-expect-error an embedding model is no language model
  const embedding = () => fromAiSdk(createAnthropic().embeddingModel('x'))
  expectTypeOf([name, embedding]).toBeArray()
})

it('shown messages fit the types of the ai package', () => {
  const stream = (run: Run) => createUIMessageStreamResponse({ stream: toUIMessageStream(run) })
  expectTypeOf(stream).returns.toEqualTypeOf<Response>()
  expectTypeOf<ReturnType<typeof toUIMessageStream>>().toExtend<ReadableStream<UIMessageChunk>>()
  const messages = (thread: Message[]): UIMessage[] => toUIMessages(thread, { fileUrl: (id) => `/files/${id}` })
  expectTypeOf(messages).returns.toEqualTypeOf<UIMessage[]>()
})

it('the stream takes events of a run, and nothing else', () => {
  const options = { onError: (error: unknown) => String(error), sendReasoning: false, sendSources: false } as const
  const shown = (events: AsyncIterable<RunEvent>) =>
    toUIMessageStream(events, { ...options, after: 3, discard: 'mark' })
  expectTypeOf(shown).returns.toExtend<ReadableStream<UIMessageChunk>>()
  expectTypeOf<Parameters<typeof toUIMessageStream>[0]>().toEqualTypeOf<AsyncIterable<RunEvent>>()
  type Unsent = { type: 'reference.created'; reference: { id: string } }
  // @ts-expect-error an event that no run sends
  const other = (events: AsyncIterable<Unsent>) => toUIMessageStream(events)
  const parts = (message: UIMessage) => withoutDiscarded(message).parts
  expectTypeOf(parts).returns.toEqualTypeOf<UIMessage['parts']>()
  expectTypeOf(other).toBeFunction()
})

it('bytes are of the type that fetch, Blob and Web Crypto accept', () => {
  const served = ({ bytes }: Resolved) => [
    new Response(bytes),
    new Blob([bytes]),
    crypto.subtle.digest('SHA-256', bytes),
  ]
  const cached = async ({ cache }: Runtime) => {
    const kept = await cache.get('key')
    return kept instanceof Uint8Array ? new Response(kept) : undefined
  }
  expectTypeOf([served, cached]).toBeArray()
})

it('a scripted model is a model that records its requests', () => {
  const model = scriptedModel((request) => {
    expectTypeOf(request).toEqualTypeOf<ModelRequest>()
    return [{ type: 'finish', reason: 'stop', usage: {} }]
  })
  expectTypeOf(model).toExtend<Model>()
  expectTypeOf(model.requests).toEqualTypeOf<readonly RecordedRequest[]>()
  // @ts-expect-error no such event
  scriptedModel([[{ type: 'end' }]])
})

it('types that other public types are made of can be imported', () => {
  expectTypeOf<ProgressEvent>().toEqualTypeOf<Extract<RunEvent, { type: 'tool.progress' }>>()
  expectTypeOf<ToolRetry>().toEqualTypeOf<NonNullable<Tool['retry']>>()
  expectTypeOf<ShownProgress>().toEqualTypeOf<ShownInBrowser>()
})

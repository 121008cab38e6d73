import { InvalidInputError } from '../errors/index.ts'
import type { Model, ModelEvent, ModelRequest } from '../spec/callbacks.ts'
import { toFailure } from './failure.ts'
import type { CallOptions, FileData, LanguageModel, LanguageModelProvider, PartStream } from './language-model.ts'
import { toPrompt } from './prompt.ts'
import { StreamEvents } from './stream-events.ts'

/** How each version of the interface takes the bytes of a file. */
const byVersion = new Map<string, (bytes: Uint8Array) => FileData>([
  ['v2', (bytes) => bytes],
  ['v3', (bytes) => bytes],
  ['v4', (data) => ({ type: 'data', data })],
])

/**
 * A model of the AI SDK as a model of a runtime: one language model, whatever is asked for, or a provider, which is asked
 * for the part of the spec's `provider/model` after the slash. Takes versions 2 to 4 of the provider interface.
 *
 * A failure tells whether it may be retried (`isRetryable` of the provider's error, else by its status) and how long the
 * provider asks to wait (`retry-after`); the provider's own error is its `cause`. Tools that a provider runs itself, and
 * files and sources in its answer, are left out.
 *
 * @throws InvalidInputError if `source` is neither
 * @example
 * ```ts
 * import { createAnthropic } from '@ai-sdk/anthropic'
 *
 * const runtime = await createRuntime(spec, {
 *   models: { anthropic: ({ apiKey = '' }) => fromAiSdk(createAnthropic({ apiKey })) },
 * })
 * ```
 */
export function fromAiSdk(source: LanguageModel | LanguageModelProvider): Model {
  const modelOf = has(source, 'doStream')
    ? () => source as LanguageModel
    : has(source, 'languageModel')
      ? (id: string) => (source as LanguageModelProvider).languageModel(id)
      : undefined
  if (modelOf === undefined) {
    throw new InvalidInputError('source must be a language model or a provider of the AI SDK, not the name of one.')
  }
  return { stream: (request) => answer(modelOf, request) }
}

async function* answer(modelOf: (id: string) => LanguageModel, request: ModelRequest): AsyncGenerator<ModelEvent> {
  const { signal } = request
  signal.throwIfAborted()
  const stream = await begin(modelOf(request.modelId), request)
  const reader = stream.getReader()
  // Ends a read that is waiting, also of a provider that does not watch the signal.
  const stop = () => void reader.cancel(signal.reason).catch(() => {})
  signal.addEventListener('abort', stop)
  try {
    if (signal.aborted) stop()
    const events = new StreamEvents()
    while (true) {
      const { done, value } = await whole(() => reader.read(), signal, true)
      signal.throwIfAborted()
      if (done) return
      const event = events.eventOf(value)
      if (event !== undefined) yield event
    }
  } finally {
    signal.removeEventListener('abort', stop)
    // Whoever stops reading early frees the connection; after the end this does nothing.
    stop()
  }
}

async function begin(model: LanguageModel, request: ModelRequest): Promise<PartStream> {
  const wrapBytes = byVersion.get(model.specificationVersion)
  if (wrapBytes === undefined) {
    throw new InvalidInputError(
      `The language model ${JSON.stringify(model.modelId)} has version ${JSON.stringify(model.specificationVersion)} of ` +
        'the provider interface; use a release of its package with version v2, v3 or v4.',
    )
  }
  const options = optionsOf(request, await toPrompt(request, wrapBytes))
  const { stream } = await whole(() => model.doStream(options as never), request.signal, false)
  return stream
}

/** What the provider answers; its error as a failure, or the reason for which the request was aborted. */
async function whole<T>(call: () => PromiseLike<T>, signal: AbortSignal, isRetryable: boolean): Promise<T> {
  try {
    return await call()
  } catch (error) {
    signal.throwIfAborted()
    throw toFailure(error, isRetryable)
  }
}

function optionsOf(request: ModelRequest, prompt: CallOptions['prompt']): CallOptions {
  const { tools, outputSchema, settings } = request
  return {
    prompt,
    ...(tools.length === 0
      ? {}
      : { tools: tools.map((tool) => ({ type: 'function', ...tool })), toolChoice: { type: 'auto' } }),
    ...(outputSchema === undefined ? {} : { responseFormat: { type: 'json', schema: outputSchema } }),
    ...settings,
    abortSignal: request.signal,
  }
}

function has(source: unknown, method: string): boolean {
  const canHold = (typeof source === 'object' && source !== null) || typeof source === 'function'
  return canHold && typeof (source as Record<string, unknown>)[method] === 'function'
}

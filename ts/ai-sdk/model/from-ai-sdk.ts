import { InvalidInputError } from '../../errors/index.ts'
import type { Model, ModelEvent, ModelRequest } from '../../types/callbacks.ts'
import { isRefusal, toFailure } from './answer/failure.ts'
import { StreamEvents } from './answer/stream-events.ts'
import { type LeftOut, leftOutOf } from './answer/warnings.ts'
import type { CallOptions, LanguageModel, LanguageModelProvider, PartReader } from './language-model.ts'
import { fileDataOf } from './request/file-data.ts'
import { closedSchema, systemWithSchema } from './request/output-schema.ts'
import { type InWords, toPrompt } from './request/prompt.ts'

/**
 * A model of the AI SDK as a model of a runtime: one language model, whatever is asked for, or a provider, which is asked
 * for the part of the spec's `provider/model` after the slash. Takes versions 2 to 4 of the provider interface.
 *
 * What `ai` does between a user and a provider is done here, too. Schemas of outputs are closed, and go into the system text
 * where a provider does not take them. Whatever a thread holds is made sendable: see `toPrompt`. Calls that a provider ran
 * itself, their results, sources and files that it generated are `opaque` parts, which go back to the same provider alone;
 * its warnings are `warning` events, and a turn that it paused finishes with `pause`.
 *
 * A failure tells whether it may be retried (`isRetryable` of the provider's error, else by its status) and how long the
 * provider asks to wait (`retry-after`); the provider's own error is its `cause`.
 *
 * @throws InvalidInputError if `source` is neither
 * @example
 * ```ts
 * import { anthropic } from '@ai-sdk/anthropic'
 *
 * const runtime = await createRuntime(spec, { models: { anthropic: fromAiSdk(anthropic) } })
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
  // The form that each model needs, by its name: found from warnings.
  const known = new Map<string, Form>()
  return { stream: (request) => answer(modelOf, request, known) }
}

/** Form of a request to a provider. */
interface Form {
  /** The schema of the output stands in the system text. */
  readonly isSchemaTold: boolean
  readonly inWords: InWords
}

async function* answer(
  modelOf: (id: string) => LanguageModel,
  request: ModelRequest,
  known: Map<string, Form>,
): AsyncGenerator<ModelEvent> {
  request.signal.throwIfAborted()
  const model = modelOf(request.modelId)
  const name = `${model.provider} ${model.modelId}`
  // Each time it leaves out one thing more at most, so this ends.
  for (;;) {
    const isSchemaTold = model.supportsStructuredOutputs === false
    const form = known.get(name) ?? { isSchemaTold, inWords: 'nothing' }
    const leftOut = yield* answerOnce(model, request, form)
    if (leftOut === undefined) return
    // The request is repeated at once, instead of waiting for an answer that fits only by chance.
    known.set(name, {
      isSchemaTold: form.isSchemaTold || leftOut.schema,
      inWords: leftOut.files ? 'files' : form.inWords,
    })
  }
}

/** The events of one answer; or what the provider said at its start that it left out of the request. */
async function* answerOnce(
  model: LanguageModel,
  request: ModelRequest,
  form: Form,
): AsyncGenerator<ModelEvent, LeftOut | undefined> {
  const { signal, outputSchema } = request
  const events = new StreamEvents(model.provider)
  const { reader, inWords } = await begin(model, request, form)
  // Ends a read that is waiting, also of a provider that does not watch the signal.
  const stop = () => void reader.cancel(signal.reason).catch(() => {})
  signal.addEventListener('abort', stop)
  try {
    if (signal.aborted) stop()
    const isSchemaTold = form.isSchemaTold && outputSchema !== undefined
    for (const warning of warningsOf(inWords, isSchemaTold, request)) yield* events.warning(warning)
    while (true) {
      const { done, value } = await whole(() => reader.read(), signal, true)
      signal.throwIfAborted()
      if (done) return undefined
      const leftOut = leftOutOf(value)
      const isNews =
        (leftOut.schema && outputSchema !== undefined && !isSchemaTold) || (leftOut.files && inWords === 'nothing')
      if (isNews) return leftOut
      for (const event of events.eventsOf(value)) yield event
    }
  } finally {
    signal.removeEventListener('abort', stop)
    // Frees the connection if the consumer stops early; after the end this does nothing.
    stop()
  }
}

/** Returns warnings about how the request was adapted to the provider. */
function warningsOf(inWords: InWords, isSchemaTold: boolean, { messages }: ModelRequest): string[] {
  const hasFiles = () => messages.some(({ parts }) => parts.some(({ type }) => type === 'file'))
  return [
    ...(inWords === 'all' ? ['The provider refused parts of the conversation; it was told them in words.'] : []),
    ...(inWords === 'files' && hasFiles()
      ? ['The provider takes no files but images; others were told in words.']
      : []),
    ...(isSchemaTold ? ['The provider takes no schema of an output; it stands in the system text.'] : []),
  ]
}

interface Begun {
  readonly reader: PartReader
  readonly inWords: InWords
}

/** Puts the request to the provider: as it is, then with more and more of it in words while its package refuses the rest. */
async function begin(model: LanguageModel, request: ModelRequest, form: Form): Promise<Begun> {
  const ways: readonly InWords[] = ['nothing', 'files', 'all']
  for (const inWords of ways.slice(ways.indexOf(form.inWords))) {
    const options = await optionsOf(model, request, { ...form, inWords })
    try {
      const { stream } = await whole(() => model.doStream(options as never), request.signal, false)
      return { reader: stream.getReader(), inWords }
    } catch (error) {
      // The thread keeps its messages: without this the provider would reject every later request.
      if (inWords === 'all' || !(error instanceof Error) || !isRefusal(error.cause)) throw error
    }
  }
  throw new TypeError('There is no way left to put the request.')
}

/** Returns the provider's answer. Throws its error as a failure, or the reason for which the request was aborted. */
async function whole<T>(call: () => PromiseLike<T>, signal: AbortSignal, isRetryable: boolean): Promise<T> {
  try {
    return await call()
  } catch (error) {
    signal.throwIfAborted()
    throw toFailure(error, isRetryable)
  }
}

async function optionsOf(model: LanguageModel, request: ModelRequest, form: Form): Promise<CallOptions> {
  const { tools, outputSchema, settings, signal } = request
  const { provider, modelId, specificationVersion } = model
  const wrap = fileDataOf(specificationVersion)
  if (wrap === undefined) {
    throw new InvalidInputError(
      `The language model ${JSON.stringify(modelId)} has version ${JSON.stringify(specificationVersion)} of ` +
        'the provider interface; use a release of its package with version v2, v3 or v4.',
    )
  }
  const isTold = form.isSchemaTold && outputSchema !== undefined
  const asked = isTold ? { ...request, system: systemWithSchema(request.system, outputSchema) } : request
  const prompt = await toPrompt(asked, { provider, modelId, wrap, inWords: form.inWords })
  return {
    prompt,
    ...(tools.length === 0
      ? {}
      : { tools: tools.map((tool) => ({ type: 'function', ...tool })), toolChoice: { type: 'auto' } }),
    ...(outputSchema === undefined
      ? {}
      : { responseFormat: { type: 'json', ...(isTold ? {} : { schema: closedSchema(outputSchema) }) } }),
    ...settings,
    ...(tellsEarly.test(provider) ? { includeRawChunks: true } : {}),
    abortSignal: signal,
  }
}

/** Providers whose own messages say what was used before the end; `usageSoFar` reads them. */
const tellsEarly = /anthropic|google|vertex/i

function has(source: unknown, method: string): boolean {
  const canHold = (typeof source === 'object' && source !== null) || typeof source === 'function'
  return canHold && typeof (source as Record<string, unknown>)[method] === 'function'
}

import type { LanguageModel } from '../../../ts/ai-sdk/model/language-model.ts'
import type { ModelEvent, ModelRequest } from '../../../ts/index.ts'
import type { Answer } from '../../models/provider-server.ts'
import type { Wire } from '../wires/wire.ts'

/** An answer that holds more than texts and calls, and what must be found in a request that gives it back. */
export interface Replayed {
  readonly answer: Answer
  /** What the answer becomes, in order. */
  readonly kept: readonly object[]
  /** What the next request must hold, as JSON. */
  readonly sent: readonly string[]
}

/** A package of the AI SDK, and how its provider speaks. What is left out, the provider does not offer. */
export interface Provider {
  readonly package: string
  readonly modelId: string
  readonly create: (baseURL: string) => { languageModel(id: string): LanguageModel }
  readonly wire: Wire
  /** What earlier reasoning is in a request, as JSON. */
  readonly reasoning?: readonly string[]
  /** Finds the schema of the output in a request. */
  // biome-ignore lint/suspicious/noExplicitAny: the wire formats are what the tests look at
  readonly schemaOf: (body: any) => unknown
  /** The provider runs a tool itself. */
  readonly ran?: Replayed
  /** The model generates a file. */
  readonly file?: Replayed
  /** The answer names its sources. */
  readonly source?: Replayed
  /** The provider pauses a turn of its own. */
  readonly paused?: Replayed
  /** What it has told of the usage by the time of the first text. */
  readonly early?: Extract<ModelEvent, { type: 'usage' }>['usage']
  /** Settings that it does not take, and what it says then. */
  readonly warned?: { readonly settings: ModelRequest['settings']; readonly warning: string }
}

import type { JsonObject, JsonSchema, JsonValue } from '../../types/json.ts'

// The AI SDK's provider interface in its versions 2, 3 and 4 (`LanguageModelV2` to `LanguageModelV4` of
// `@ai-sdk/provider`), as far as it is used here. Described structurally, so that no version of it has to be installed.

/** A language model of the AI SDK, of any provider: `LanguageModelV2`, `LanguageModelV3` or `LanguageModelV4`. */
export interface LanguageModel {
  readonly specificationVersion: string
  readonly provider: string
  readonly modelId: string
  /** False where a provider's package says that it sends no schema for an output. */
  readonly supportsStructuredOutputs?: unknown
  // Each version types its options in its own way; what is given to it is a CallOptions.
  doStream(options: never): PromiseLike<{ readonly stream: PartStream }>
}

/** A provider of the AI SDK: what gives a language model by its id. */
export interface LanguageModelProvider {
  languageModel(modelId: string): LanguageModel
}

/** A ReadableStream, as far as it is read here. */
export interface PartStream {
  getReader(): PartReader
}

export interface PartReader {
  read(): Promise<{ readonly done: boolean; readonly value?: unknown }>
  cancel(reason?: unknown): Promise<void>
}

/** Options of `doStream`. */
export interface CallOptions {
  readonly prompt: readonly PromptMessage[]
  readonly tools?: readonly {
    readonly type: 'function'
    readonly name: string
    readonly description: string
    readonly inputSchema: JsonSchema
  }[]
  readonly toolChoice?: { readonly type: 'auto' }
  readonly responseFormat?: { readonly type: 'json'; readonly schema?: JsonSchema }
  readonly maxOutputTokens?: number
  readonly temperature?: number
  readonly seed?: number
  readonly providerOptions?: JsonObject
  /** Whether what the provider sends comes as it is, too. */
  readonly includeRawChunks?: true
  readonly abortSignal: AbortSignal
}

export type PromptMessage =
  | { readonly role: 'system'; readonly content: string }
  | { readonly role: 'user' | 'assistant' | 'tool'; readonly content: readonly PromptPart[] }

/** A part of a prompt's message. `providerOptions` is what the provider once gave as its metadata. */
export type PromptPart = { readonly providerOptions?: JsonObject } & (
  | { readonly type: 'text' | 'reasoning'; readonly text: string }
  | { readonly type: 'file' | 'reasoning-file'; readonly mediaType: string; readonly data: FileData }
  | { readonly type: 'custom'; readonly kind: string }
  | {
      readonly type: 'tool-call'
      readonly toolCallId: string
      readonly toolName: string
      readonly input: JsonValue
      readonly providerExecuted?: boolean
    }
  | {
      readonly type: 'tool-result'
      readonly toolCallId: string
      readonly toolName: string
      readonly output: ToolOutput
    }
)

/** The bytes of a file, or where they are: plain until version 3, labelled since version 4. */
export type FileData =
  | Uint8Array
  | string
  | URL
  | { readonly type: 'data'; readonly data: Uint8Array | string }
  | { readonly type: 'url'; readonly url: URL }

export type ToolOutput =
  | { readonly type: 'text' | 'error-text'; readonly value: string }
  | { readonly type: 'json' | 'error-json'; readonly value: JsonValue }

import { Buffer } from 'node:buffer'
import { isPlainObject } from '../../../spec/checks/plain-json.ts'
import type { JsonObject, JsonValue } from '../../../types/json.ts'
import type { FileData, PromptPart, ToolOutput } from '../language-model.ts'
import type { FileContent } from './file-data.ts'

// Parts of an answer that only their provider understands, as they are kept with a thread: what a prompt of the AI SDK holds
// of them, as JSON. A file's bytes are base64 in `data`, or where they are in `url`.

/** A part of a stream, as it came. */
type Given = Readonly<Record<string, unknown>>

/** Most characters of base64 of a generated file: an answer can hold 4 MiB. */
export const mostFileLength = 2 << 20

/**
 * Returns the stored form of a part of a stream: calls that the provider ran itself, their results, files, sources, and parts with no other
 * name. `undefined` for a part that is none of them, and for a result that another one will replace.
 */
export function toOpaque(part: Given): JsonObject | undefined {
  switch (part['type']) {
    case 'tool-call':
      return part['providerExecuted'] === true ? ranByProvider(part) : undefined
    case 'tool-result':
      return part['preliminary'] === true ? undefined : resultOf(part)
    case 'file':
    case 'reasoning-file':
      return fileOf(part)
    case 'custom':
      return { type: 'custom', kind: String(part['kind']), ...optionsOf(part) }
    case 'source':
      return sourceOf(part)
    default:
      return undefined
  }
}

/** A kept part in a prompt; `undefined` for a source, which no provider wants back, and for what is not known. */
export function fromOpaque(data: JsonValue, wrap: (content: FileContent) => FileData): PromptPart | undefined {
  if (!isPlainObject(data)) return undefined
  const { type, data: base64, url, ...rest } = data as Record<string, JsonValue>
  switch (type) {
    case 'tool-call':
    case 'tool-result':
    case 'custom':
      return { type, ...rest } as PromptPart
    case 'file':
    case 'reasoning-file': {
      const content = typeof url === 'string' && URL.canParse(url) ? new URL(url) : base64
      if (!(content instanceof URL) && typeof content !== 'string') return undefined
      return { type, ...rest, data: wrap(content) } as PromptPart
    }
    default:
      return undefined
  }
}

function ranByProvider(part: Given): JsonObject {
  return {
    type: 'tool-call',
    toolCallId: String(part['toolCallId']),
    toolName: String(part['toolName']),
    input: argumentsOf(part['input']),
    providerExecuted: true,
    ...optionsOf(part),
  }
}

function argumentsOf(input: unknown): JsonValue {
  if (typeof input !== 'string') return (input ?? {}) as JsonValue
  try {
    return JSON.parse(input)
  } catch {
    return {}
  }
}

function resultOf(part: Given): JsonObject {
  const value = (part['result'] ?? null) as JsonValue
  const output: ToolOutput =
    part['isError'] === true
      ? { type: 'error-json', value }
      : typeof value === 'string'
        ? { type: 'text', value }
        : { type: 'json', value }
  return {
    type: 'tool-result',
    toolCallId: String(part['toolCallId']),
    toolName: String(part['toolName']),
    output,
    ...optionsOf(part),
  }
}

function fileOf(part: Given): JsonObject | undefined {
  const content = contentOf(part['data'])
  if (content === undefined) return undefined
  const where = content instanceof URL ? { url: content.href } : { data: base64Of(content) }
  return { type: String(part['type']), mediaType: String(part['mediaType']), ...where, ...optionsOf(part) }
}

/** The content of a file in the shape of any version. */
function contentOf(data: unknown): FileContent | undefined {
  if (typeof data === 'string' || data instanceof Uint8Array || data instanceof URL) return data
  if (!isPlainObject(data)) return undefined
  const { url } = data
  if (typeof url === 'string' && URL.canParse(url)) return new URL(url)
  return contentOf(data['data'] ?? url)
}

function base64Of(content: Uint8Array | string): string {
  return typeof content === 'string' ? content : Buffer.from(content).toString('base64')
}

function sourceOf(part: Given): JsonObject {
  const names = ['sourceType', 'id', 'url', 'title', 'mediaType', 'filename']
  const entries = names.filter((name) => typeof part[name] === 'string').map((name) => [name, part[name]])
  return { type: 'source', ...Object.fromEntries(entries) }
}

function optionsOf({ providerMetadata }: Given): { providerOptions?: JsonObject } {
  return isPlainObject(providerMetadata) ? { providerOptions: providerMetadata as JsonObject } : {}
}

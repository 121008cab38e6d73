import { Buffer } from 'node:buffer'
import { isPlainObject } from '../spec/checks/plain-json.ts'
import type { JsonValue } from '../types/json.ts'
import type { Reference, References } from '../types/references.ts'

/** The reference type under which binary content is kept. */
const contentType = 'mcp-content'

/** Most UTF-16 code units of an error's message, which goes into the conversation as it is. */
const longestMessage = 4096

/**
 * Returns a tool handler's answer for the result of a call: the structured content if there is some; else the content, as
 * one value or a list of several. Texts are strings, binary content is kept as references with its media type,
 * everything else stays JSON.
 *
 * @throws Error if the result says that the call failed
 */
export async function toResult(result: object, references: References): Promise<JsonValue | Reference> {
  const { content, structuredContent, isError, toolResult } = result as { readonly [property: string]: unknown }
  if (isError === true) throw new Error(reasonOf(content))
  if (structuredContent !== undefined) return structuredContent as JsonValue
  // The first versions of the protocol answered anything under this name.
  if (!Array.isArray(content)) return (toolResult ?? null) as JsonValue
  const values = await Promise.all(content.map((item) => toValue(item, references)))
  const [first] = values
  if (first !== undefined && values.length === 1) return 'reference' in first ? first.reference : first.json
  return values.map((value) => ('reference' in value ? described(value.reference) : value.json))
}

/** One item of content: JSON, or what was kept as a reference. */
type Value = { readonly json: JsonValue } | { readonly reference: Reference }

/** Takes a text, an image, a sound, an embedded resource or a link to one. */
async function toValue(item: unknown, references: References): Promise<Value> {
  if (!isPlainObject(item)) return { json: item as JsonValue }
  const { type, text, data, mimeType, resource } = item
  if (type === 'text' && typeof text === 'string') return { json: text }
  const [base64, mediaType] = isPlainObject(resource) ? [resource['blob'], resource['mimeType']] : [data, mimeType]
  if (typeof base64 !== 'string') return { json: withoutMetadata(item) }
  const bytes = Uint8Array.from(Buffer.from(base64, 'base64'))
  return { reference: await references.put(contentType, bytes, typeof mediaType === 'string' ? { mediaType } : {}) }
}

/** The item without what is meant for the client and not for the model. */
function withoutMetadata({ _meta, annotations: _annotations, ...item }: Record<string, unknown>): JsonValue {
  return item as JsonValue
}

/** A reference among other values, as the loop describes one that stands alone. */
function described({ id, type, mediaType, byteLength, glimpse }: Reference): JsonValue {
  return { reference: id, type, mediaType, byteLength, glimpse }
}

function reasonOf(content: unknown): string {
  const items: unknown[] = Array.isArray(content) ? content : []
  const texts = items.flatMap((item) => (isPlainObject(item) && typeof item['text'] === 'string' ? [item['text']] : []))
  const reason = texts.join('\n') || 'The MCP tool failed and gave no reason.'
  return reason.slice(0, longestMessage).toWellFormed()
}

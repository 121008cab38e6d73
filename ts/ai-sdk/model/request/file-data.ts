import type { FileData } from '../language-model.ts'

/** What a file holds: its bytes (base64 where they are a text), or where they are. */
export type FileContent = Uint8Array | string | URL

/** How each version of the interface takes the content of a file. */
const byVersion = new Map<string, (content: FileContent) => FileData>([
  ['v2', (content) => content],
  ['v3', (content) => content],
  ['v4', (content) => (content instanceof URL ? { type: 'url', url: content } : { type: 'data', data: content })],
])

/** How a version takes the content of a file; `undefined` for a version that is not known. */
export function fileDataOf(version: string): ((content: FileContent) => FileData) | undefined {
  return byVersion.get(version)
}

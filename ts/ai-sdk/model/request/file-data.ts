import type { FileData } from '../language-model.ts'

/** Content of a file: its bytes (base64 if they are a text), or its URL. */
export type FileContent = Uint8Array | string | URL

/** Form of a file's content in each version of the interface. */
const byVersion = new Map<string, (content: FileContent) => FileData>([
  ['v2', (content) => content],
  ['v3', (content) => content],
  ['v4', (content) => (content instanceof URL ? { type: 'url', url: content } : { type: 'data', data: content })],
])

/** Returns the file form of a version; `undefined` for an unknown version. */
export function fileDataOf(version: string): ((content: FileContent) => FileData) | undefined {
  return byVersion.get(version)
}

/** The bytes of padded base64 in its one spelling; `undefined` for anything else, and for another number of bytes. */
export function fromBase64(text: unknown, byteLength?: number): Buffer | undefined {
  if (typeof text !== 'string') return undefined
  const bytes = Buffer.from(text, 'base64')
  if (byteLength !== undefined && bytes.length !== byteLength) return undefined
  return bytes.toString('base64') === text ? bytes : undefined
}

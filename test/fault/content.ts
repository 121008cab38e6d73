/** The content that belongs to an index: from a few bytes to more than lies in a record, and never like another's. */
export function contentOf(index: number): Uint8Array {
  const sizes = [8, 300, 5000, 100_000]
  const content = new Uint8Array(sizes[index % sizes.length] as number).fill(index)
  new DataView(content.buffer).setFloat64(0, index)
  return content
}

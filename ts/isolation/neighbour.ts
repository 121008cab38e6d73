import type { Runtime } from '../index.ts'

const KEYS = 24
const FILES = 4

/** A second tenant that repeats the same calls. */
export interface Neighbour {
  /** Returns its answers in the order of the calls; many are in flight at once. */
  transcript(): Promise<readonly string[]>
}

/** Fills a tenant with records, and returns the calls that read them. */
export async function neighbour({ references, cache }: Runtime): Promise<Neighbour> {
  for (let index = 0; index < KEYS; index += 1) await cache.set(`key ${index}`, `secret ${index} `.repeat(8))
  const sizes = Array.from({ length: FILES }, (_, index) => 100 + index * 100_000)
  const put = async (size: number, index: number) => {
    const { id } = await references.put('file', new Uint8Array(size).fill(index))
    return id
  }
  const ids = await Promise.all(sizes.map(put))
  const calls: (() => Promise<unknown>)[] = [
    ...Array.from({ length: KEYS }, (_, index) => () => cache.get(`key ${index}`)),
    ...ids.map((id) => async () => (await references.resolve(id)).text()),
    () => references.resolveMany(ids).then((found) => found.map((one) => one?.bytes.length)),
    () => references.list(),
    () => cache.get('nothing'),
    () => cache.getOrCompute('key 1', {}, () => 'not asked'),
  ]
  const answer = (call: () => Promise<unknown>) =>
    call().then(
      (value) => JSON.stringify(value) ?? 'undefined',
      (error: unknown) => `failed: ${String(error)}`,
    )
  return { transcript: () => Promise.all(calls.map(answer)) }
}

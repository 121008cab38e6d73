import type { Runtime } from '../index.ts'

const KEYS = 24
const FILES = 4

/** A tenant who minds its own business: it asks for the same again and again. */
export interface Neighbour {
  /** What it is answered, call by call in the order of the calls; many are under way at once. */
  transcript(): Promise<readonly string[]>
}

/** Gives a tenant something to ask for. */
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

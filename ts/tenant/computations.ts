import type { AsyncLocalStorage } from 'node:async_hooks'

/** A value that this thread is computing: whose it is, and what it waits for. */
interface Computation {
  readonly value: string
  /** Values that it waits for. */
  readonly awaited: Map<string, number>
}

const inFlight = new Map<string, Computation>()
let context: AsyncLocalStorage<Computation> | undefined

/** Tracks the computation that a call is made within, across every `await`. Created with the first one, because it has a cost. */
function follower(): AsyncLocalStorage<Computation> {
  context ??= new (process.getBuiltinModule('node:async_hooks').AsyncLocalStorage)<Computation>()
  return context
}

/** Computes a value, and marks calls made meanwhile as made within this computation. */
export async function computing<T>(value: string, compute: () => T | Promise<T>): Promise<T> {
  const computation: Computation = { value, awaited: new Map() }
  inFlight.set(value, computation)
  try {
    return await follower().run(computation, async () => await compute())
  } finally {
    if (inFlight.get(value) === computation) inFlight.delete(value)
  }
}

/** Returns whether waiting for a value would never end: the caller computes it, or it waits for what the caller computes. */
export function wouldWaitForItself(value: string): boolean {
  const within = current()
  if (within === undefined) return false
  const [seen, ahead] = [new Set<string>(), [value]]
  for (let next = ahead.pop(); next !== undefined; next = ahead.pop()) {
    if (next === within.value) return true
    if (seen.has(next)) continue
    seen.add(next)
    ahead.push(...(inFlight.get(next)?.awaited.keys() ?? []))
  }
  return false
}

/** Records that the caller waits for a value until the promise settles. */
export async function awaiting<T>(value: string, wait: () => Promise<T>): Promise<T> {
  const awaited = current()?.awaited
  if (awaited === undefined) return await wait()
  awaited.set(value, (awaited.get(value) ?? 0) + 1)
  try {
    return await wait()
  } finally {
    const left = (awaited.get(value) ?? 1) - 1
    if (left === 0) awaited.delete(value)
    else awaited.set(value, left)
  }
}

/** Returns the computation that this is called within, unless it has ended: calls that it started may outlive it. */
function current(): Computation | undefined {
  const within = context?.getStore()
  return within !== undefined && inFlight.get(within.value) === within ? within : undefined
}

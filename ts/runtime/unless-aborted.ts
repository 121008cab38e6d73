import { onAbort } from './host-signal.ts'

/** What a promise gives, or `undefined` as soon as the signal is aborted. Leaves no listener behind. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T | undefined> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const stop = onAbort(signal, () => resolve(undefined))
    // The resolving functions themselves, so that an error's stack leads on to whoever waits.
    promise.finally(stop).then(resolve, reject)
  })
}

/** Kept from load time: a host may replace it. */
const { captureStackTrace } = Error

/** More than the promises that lie between a failure and an async function that waits for it. */
const LINKS = 8

/** Makers of the errors of rejections, so that each caller of a shared rejection gets an error of its own. */
const makers = new WeakMap<object, () => Error>()

/**
 * Rejects with an error whose stack leads to the awaiting caller. An answer of the core arrives in a turn of its own, where
 * nothing of the caller is on the stack. But V8 follows a promise to the async function that awaits it, and from there on:
 * so the error is made in an async function, and a promise that is resolved with this one passes the rejection on. Nothing
 * is recorded when a call begins: calls that do not fail pay nothing.
 */
export async function rejection(make: () => Error): Promise<never> {
  await linked()
  throw made(make, rejection)
}

/**
 * Returns the result of `shared` for one of several callers. V8 follows a promise only while one function awaits it, so each
 * caller gets a promise of its own and, should it fail, an error of its own. Like `shared`, whose failure its maker deals
 * with, it may be ignored: its rejection is never reported as unhandled.
 */
export function forCaller<T>(shared: Promise<T>): Promise<T> {
  const own = settled()
  return own

  async function settled(): Promise<T> {
    try {
      return await shared
    } catch (error) {
      await linked()
      const make = makers.get(error as object)
      const failure = make === undefined ? error : made(make, settled)
      // Not before: from here on V8 would see two that wait.
      own.catch(() => {})
      throw failure
    }
  }
}

/** Resolves once those promises know of each other: resolving one with another links the two a microtask later. */
async function linked(): Promise<void> {
  for (let link = 0; link < LINKS; link += 1) await undefined
}

/** Returns an error whose stack begins with the caller that awaits `by`, without internal frames. */
function made(make: () => Error, by: (...given: never[]) => Promise<unknown>): Error {
  const error = make()
  captureStackTrace(error, by)
  makers.set(error, make)
  return error
}

/** Calls a function and drops its error, for failures that no caller can receive. */
export function quietly(work: () => void): void {
  try {
    work()
  } catch {}
}

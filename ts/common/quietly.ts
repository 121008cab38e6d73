/** Calls a function and drops what it throws. For what nobody can be told the failure of. */
export function quietly(work: () => void): void {
  try {
    work()
  } catch {}
}

/** What an error that `onError` is told of is about. */
export interface ErrorSource {
  /** The tenant's `resourceId`. */
  readonly tenant: string
  readonly runId?: string
  readonly callId?: string
  readonly tool?: string
}

/**
 * Is told of what callbacks throw and no caller gets. What the core finds itself (a call out of time, a result that does not
 * fit a JSON Schema) is in the run's events alone.
 */
export type OnError = (error: unknown, about: ErrorSource) => void

/** Tells a host of a failure, if it wants to know. What it throws then, or rejects with, is nothing to anybody. */
export function telling(onError: OnError | undefined): OnError {
  if (onError === undefined) return () => {}
  const tell = async (error: unknown, about: ErrorSource): Promise<void> => await onError(error, about)
  return (error, about) => void tell(error, about).catch(() => {})
}

/** Source of an error passed to `onError`. */
export interface ErrorSource {
  /** The tenant's `resourceId`. */
  readonly tenant: string
  readonly runId?: string
  readonly callId?: string
  readonly tool?: string
}

/**
 * Receives errors that callbacks throw and no caller gets. Failures that the core finds itself (a timeout, a result that does not
 * fit a JSON Schema) is in the run's events alone.
 */
export type OnError = (error: unknown, about: ErrorSource) => void

/** Returns `onError` made safe: what it throws or rejects with is dropped. */
export function telling(onError: OnError | undefined): OnError {
  if (onError === undefined) return () => {}
  const tell = async (error: unknown, about: ErrorSource): Promise<void> => await onError(error, about)
  return (error, about) => void tell(error, about).catch(() => {})
}

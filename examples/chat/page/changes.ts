import type { Change } from './api.ts'

const RETRY_MS = 1000

/** What a page does about the news of its tenant. */
export interface Followed {
  /** The connection stands, for the first time or again: anything may have happened before. */
  onConnected(): void
  onChange(change: Change): void
  /** The server has refused the connection. It is tried again. */
  onRefused(): void
}

/** Follows the news of the tenant's chats until the function that it returns is called. */
export function followChanges({ onConnected, onChange, onRefused }: Followed): () => void {
  let source: EventSource
  let timer: ReturnType<typeof setTimeout> | undefined
  const open = () => {
    source = new EventSource('/api/changes')
    source.addEventListener('connected', onConnected)
    source.addEventListener('message', ({ data }) => onChange(JSON.parse(data)))
    // A lost connection comes back by itself, and one that was refused does not.
    source.addEventListener('error', () => {
      if (source.readyState !== EventSource.CLOSED) return
      timer = setTimeout(open, RETRY_MS)
      onRefused()
    })
  }
  open()
  return () => {
    clearTimeout(timer)
    source.close()
  }
}

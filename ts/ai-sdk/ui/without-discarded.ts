import type { DiscardedParts } from './ui-message.ts'

/**
 * A message without what was taken back in it: the parts before a `data-discarded` that do not count, and that one. A page imports it from
 * `bailiwick/ai-sdk/browser`, which needs nothing of Node.
 *
 * @example
 * ```ts
 * import { withoutDiscarded } from 'bailiwick/ai-sdk/browser'
 *
 * const { messages } = useChat()
 * return messages.map((message) => <Message message={withoutDiscarded(message)} />)
 * ```
 */
export function withoutDiscarded<M extends { readonly parts: readonly { readonly type: string }[] }>(message: M): M {
  if (!message.parts.some(isDiscard)) return message
  const parts: { readonly type: string }[] = []
  for (const part of message.parts) {
    if (isDiscard(part)) parts.length = Math.max(0, parts.length - part.data.parts)
    else parts.push(part)
  }
  return { ...message, parts }
}

function isDiscard(part: { readonly type: string }): part is { type: 'data-discarded'; data: DiscardedParts } {
  return part.type === 'data-discarded'
}

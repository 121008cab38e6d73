'use client'

import { Chat as ChatState, useChat } from '@ai-sdk/react'
import { DefaultChatTransport, type UIMessage } from 'ai'
import { withoutDiscarded } from 'bailiwick/ai-sdk/browser'
import { type FormEvent, useCallback, useEffect, useState } from 'react'
import { stop } from '../app/actions.ts'
import { isOpen, Part } from './part.tsx'

/** How long the page waits before it tries again to reach the server. */
const PAUSE_MS = 1000

export function Chat({ id, initial }: { id: string; initial: UIMessage[] }) {
  // With a Chat of our own, an answer that is sent again replaces what is shown of it, also after a lost connection.
  const [chat] = useState(() => new ChatState({ id, messages: initial, transport: newTransport() }))
  const { messages, status, error, sendMessage, regenerate, resumeStream } = useChat({ chat })
  const last = messages.at(-1)
  const isLost = error instanceof TypeError // what `fetch` throws if the connection breaks
  const isBusy = isLost || status === 'submitted' || status === 'streaming'
  const isWaiting = !isBusy && last?.parts.some(isOpen) === true

  // A run may be in progress when the page is loaded.
  useEffect(() => void resumeStream(), [resumeStream])

  /** Shows the answer again, from its beginning and live to its end. If the message has no answer yet, it is sent again. */
  const goOn = useCallback(async () => {
    const last = chat.lastMessage
    await (last?.role === 'user' ? regenerate() : resumeStream({ body: { run: last?.id } }))
  }, [chat, regenerate, resumeStream])

  // Each attempt that fails has an error of its own, and leads to the next one.
  useEffect(() => {
    if (!(error instanceof TypeError)) return
    const timer = setTimeout(goOn, PAUSE_MS)
    return () => clearTimeout(timer)
  }, [error, goOn])

  function send(event: FormEvent<HTMLFormElement>): void {
    event.preventDefault()
    const { text, files } = event.currentTarget.elements as unknown as Record<'text' | 'files', HTMLInputElement>
    void sendMessage({ text: text.value, ...(files.files?.length && { files: files.files }) })
    event.currentTarget.reset()
  }

  async function end(): Promise<void> {
    await stop(id)
    // The stream of a run that waits has ended before.
    if (isWaiting) await goOn()
  }

  return (
    <>
      <ol aria-label="Messages" data-status={status}>
        {messages.map(withoutDiscarded).map(({ id, role, parts }) => (
          <li key={id} className={role}>
            {parts.map((part, at) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: parts are added at the end alone
              <Part key={at} part={part} onDecided={goOn} />
            ))}
          </li>
        ))}
      </ol>
      {isLost && <p role="status">The connection is lost. Trying again…</p>}
      {error && !isLost && <p role="alert">{error.message}</p>}
      <form onSubmit={send}>
        <input name="text" aria-label="Message" required autoComplete="off" placeholder="Refund order 17" />
        <input name="files" aria-label="Files" type="file" multiple />
        <button type="submit" disabled={isBusy || isWaiting}>
          Send
        </button>
        <button type="button" disabled={isLost || !(isBusy || isWaiting)} onClick={end}>
          Stop
        </button>
      </form>
    </>
  )
}

function newTransport(): DefaultChatTransport<UIMessage> {
  return new DefaultChatTransport({
    api: '/api/chat',
    // The thread has the messages before the last.
    prepareSendMessagesRequest: ({ id, messages }) => ({ body: { id, messages: messages.slice(-1) } }),
    prepareReconnectToStreamRequest: ({ id, body }) => ({ api: `/api/chat/${id}/stream?run=${body?.['run'] ?? ''}` }),
  })
}

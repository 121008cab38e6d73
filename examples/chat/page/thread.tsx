import { useChat } from '@ai-sdk/react'
import { useRef, useState } from 'react'
import { api } from './api.ts'
import type { Conversation } from './conversation.ts'
import { type Decisions, Message } from './message.tsx'
import { isWaiting } from './parts.ts'

/** A chat with its messages, and the form for the next one. */
export function Thread({ conversation }: { conversation: Conversation }) {
  const { chat } = conversation
  const { messages, status, error } = useChat({ chat })
  const isStreaming = status === 'submitted' || status === 'streaming'
  // The host goes on with the run by itself; this follows it.
  const decisions: Decisions = {
    async decide(approvalId, decision) {
      await api.decide(approvalId, decision)
      await conversation.sync()
    },
    async answer(waitId, value) {
      await api.answer(waitId, value)
      await conversation.sync()
    },
  }
  return (
    <main aria-busy={isStreaming}>
      <ol className="messages">
        {messages.map((message) => (
          <Message key={message.id} message={message} decisions={decisions} />
        ))}
      </ol>
      {error !== undefined && <p role="alert">{shownError(error)}</p>}
      <Composer
        isStreaming={isStreaming}
        canStop={isStreaming || messages.some(isWaiting)}
        send={(text, files) => void conversation.send(files === undefined ? { text } : { text, files })}
        stop={() => api.stop(chat.id).then(() => undefined)}
      />
    </main>
  )
}

/** Lost connections are TypeErrors in browsers. All else is what the server says. */
function shownError(error: Error): string {
  return error instanceof TypeError ? 'The connection is lost. Connecting again …' : error.message
}

function Composer(props: {
  isStreaming: boolean
  canStop: boolean
  send: (text: string, files: FileList | undefined) => void
  stop: () => Promise<void>
}) {
  const [text, setText] = useState('')
  const [fileCount, setFileCount] = useState(0)
  const file = useRef<HTMLInputElement>(null)
  const submit = () => {
    const files = file.current?.files
    props.send(text, files === null || files === undefined || files.length === 0 ? undefined : files)
    setText('')
    setFileCount(0)
  }
  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault()
        if (props.isStreaming) return
        submit()
        event.currentTarget.reset()
      }}
    >
      <input aria-label="Message" value={text} onChange={({ target }) => setText(target.value)} autoComplete="off" />
      <input
        aria-label="Files"
        type="file"
        multiple
        ref={file}
        onChange={({ target }) => setFileCount(target.files?.length ?? 0)}
      />
      <button type="submit" disabled={props.isStreaming || (text.trim() === '' && fileCount === 0)}>
        Send
      </button>
      {props.canStop && (
        <button type="button" onClick={() => void props.stop()}>
          Stop
        </button>
      )}
    </form>
  )
}

import type { UIMessage } from 'ai'
import { withoutDiscarded } from 'bailiwick/ai-sdk/browser'
import { useState } from 'react'
import { type CallPart, isCall, type Question, questionOf } from './parts.ts'

/** What people can do about a call. Each rejects with what the server says. */
export interface Decisions {
  decide(approvalId: string, decision: 'approve' | 'reject'): Promise<void>
  answer(waitId: string, value: string): Promise<void>
}

/** Shows a message: texts, files, and calls with what they wait for. */
export function Message({ message, decisions }: { message: UIMessage; decisions: Decisions }) {
  const { role, parts } = withoutDiscarded(message)
  return (
    <li className={role}>
      <span className="role">{role === 'user' ? 'You' : 'Clerk'}</span>
      {parts.map((part, at) => {
        // Parts are only ever added at the end, and have no ids of their own.
        const key = `${message.id}-${at}`
        if (part.type === 'text') return <p key={key}>{part.text}</p>
        if (part.type === 'file') return <File key={key} {...part} />
        if (isCall(part))
          return <Call key={key} call={part} question={questionOf(message, part)} decisions={decisions} />
        return null
      })}
    </li>
  )
}

function File({ mediaType, url, filename = 'a file' }: { mediaType: string; url: string; filename?: string }) {
  if (/^image\/(png|jpeg|gif|webp)$/.test(mediaType)) return <img src={url} alt={filename} />
  return (
    <p>
      <a href={url} download={filename}>
        {filename}
      </a>
    </p>
  )
}

function Call({ call, question, decisions }: { call: CallPart; question: Question | undefined; decisions: Decisions }) {
  const name = call.type.slice('tool-'.length)
  return (
    <section className="call" aria-label={`Call of ${name}`}>
      <code>
        {name} {JSON.stringify(call.input)}
      </code>
      {call.state === 'output-available' && <output>{shownOutput(call.output)}</output>}
      {call.state === 'output-error' && <output className="failed">{call.errorText}</output>}
      {call.state === 'approval-requested' && call.approval !== undefined && (
        <Approval id={call.approval.id} decide={decisions.decide} />
      )}
      {call.state === 'input-available' && question !== undefined && (
        <Answer question={question} answer={decisions.answer} />
      )}
    </section>
  )
}

function shownOutput(output: unknown): string {
  return typeof output === 'string' ? output : JSON.stringify(output)
}

/** Runs one action at a time and keeps what the server says of the last one. */
function useAction(): [(action: () => Promise<void>) => Promise<void>, boolean, string] {
  const [isBusy, setBusy] = useState(false)
  const [problem, setProblem] = useState('')
  const run = async (action: () => Promise<void>) => {
    setBusy(true)
    setProblem('')
    await action().catch((error: Error) => setProblem(error.message))
    setBusy(false)
  }
  return [run, isBusy, problem]
}

function Approval({ id, decide }: { id: string; decide: Decisions['decide'] }) {
  const [run, isBusy, problem] = useAction()
  return (
    <div className="choices">
      <span>A person must approve this.</span>
      <button type="button" disabled={isBusy} onClick={() => run(() => decide(id, 'approve'))}>
        Approve
      </button>
      <button type="button" disabled={isBusy} onClick={() => run(() => decide(id, 'reject'))}>
        Reject
      </button>
      {problem !== '' && <span role="alert">{problem}</span>}
    </div>
  )
}

function Answer({
  question: { waitId, question, choices, schema },
  answer,
}: { question: Question } & Pick<Decisions, 'answer'>) {
  const [run, isBusy, problem] = useAction()
  const [text, setText] = useState('')
  const offered = choices ?? schema?.enum
  return (
    <form
      className="choices"
      onSubmit={(event) => {
        event.preventDefault()
        void run(() => answer(waitId, text))
      }}
    >
      <span>{question}</span>
      {offered?.map((choice) => (
        <button key={choice} type="button" disabled={isBusy} onClick={() => run(() => answer(waitId, choice))}>
          {choice}
        </button>
      ))}
      {offered === undefined && (
        <>
          <input aria-label="Your answer" value={text} onChange={({ target }) => setText(target.value)} />
          <button type="submit" disabled={isBusy || text === ''}>
            Answer
          </button>
        </>
      )}
      {problem !== '' && <span role="alert">{problem}</span>}
    </form>
  )
}

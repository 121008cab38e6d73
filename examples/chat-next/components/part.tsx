'use client'

import { isStaticToolUIPart, type UIMessage } from 'ai'
import type { Wait } from 'bailiwick'
import { useState } from 'react'
import { decide, reply } from '../app/actions.ts'

type Part = UIMessage['parts'][number]

/** Whether a part waits for a person. */
export function isOpen(part: Part): boolean {
  return (isStaticToolUIPart(part) && part.state === 'approval-requested') || waitIn(part) !== undefined
}

export function Part({ part, onDecided }: { part: Part; onDecided: () => Promise<void> }) {
  if (part.type === 'text') return <p>{part.text}</p>
  if (part.type === 'file') return <File {...part} />
  const wait = waitIn(part)
  if (wait !== undefined) return <Question key={wait.waitId} wait={wait} onDecided={onDecided} />
  if (!isStaticToolUIPart(part)) return null
  return (
    <div className="call">
      <code>
        {part.type.slice('tool-'.length)} {JSON.stringify(part.input)}
      </code>
      {part.state === 'approval-requested' && (
        <Approval key={part.approval.id} id={part.approval.id} onDecided={onDecided} />
      )}
      {part.state === 'output-available' && <span> → {said(part.output)}</span>}
      {part.state === 'output-error' && <span> → {part.errorText}</span>}
    </div>
  )
}

function File({ url, filename, mediaType }: { url: string; filename?: string; mediaType: string }) {
  // biome-ignore lint/performance/noImgElement: the optimizer of Next.js has no session, so it cannot read files of a tenant
  if (mediaType.startsWith('image/')) return <img src={url} alt={filename ?? 'A picture'} />
  return <a href={url}>{filename ?? 'A file'}</a>
}

function Approval({ id, onDecided }: { id: string; onDecided: () => Promise<void> }) {
  return (
    <Choices
      choices={['Approve', 'Reject']}
      onChosen={(choice) => decide(id, choice === 'Approve')}
      onDecided={onDecided}
    />
  )
}

function Question({ wait, onDecided }: { wait: Wait; onDecided: () => Promise<void> }) {
  const { enum: choices = [] } = wait.schema as { enum?: string[] }
  return (
    <fieldset>
      <legend>{wait.question}</legend>
      <Choices choices={choices} onChosen={(choice) => reply(wait.waitId, choice)} onDecided={onDecided} />
    </fieldset>
  )
}

interface ChoicesProps {
  readonly choices: readonly string[]
  readonly onChosen: (choice: string) => Promise<void>
  readonly onDecided: () => Promise<void>
}

/** Buttons of which one can be pressed, once. */
function Choices({ choices, onChosen, onDecided }: ChoicesProps) {
  const [isChosen, setChosen] = useState(false)
  async function choose(choice: string): Promise<void> {
    setChosen(true)
    await onChosen(choice).catch(() => setChosen(false))
    await onDecided()
  }
  return choices.map((choice) => (
    <button key={choice} type="button" disabled={isChosen} onClick={() => choose(choice)}>
      {choice}
    </button>
  ))
}

function said(output: unknown): string {
  return typeof output === 'string' ? output : JSON.stringify(output)
}

/** The open question that a part asks. */
function waitIn({ type, ...part }: Part): Wait | undefined {
  const data = type === 'data-wait' && 'data' in part ? (part.data as Wait) : undefined
  return data?.status === 'open' && data.kind === 'answer' ? data : undefined
}

import type { Message, Part } from '../../types/threads.ts'
import { Download } from '../download.ts'
import { type Ask, pageOf, type Subject } from '../request.ts'
import { forkNotice } from '../run/fork.ts'
import { type Html, html } from '../view/html.ts'
import type { Page } from '../view/layout.ts'
import { pathOf } from '../view/paths.ts'
import { count, excerpt, folded, id, MOST_SHOWN_CHARACTERS, more, nothing, time } from '../view/values.ts'

/** Threads, newest first. */
export async function threads({ runtime }: Subject, ask: Ask): Promise<Page> {
  const { items, cursor } = await runtime.threads.list(pageOf(ask))
  const rows = items.map(
    (thread) => html`<tr><td data-name="Thread">${id(thread.threadId, pathOf('/threads', thread.threadId))}</td>
<td data-name="Messages">${count(thread.length)}</td><td data-name="Begun by">${thread.actor ?? '–'}</td>
<td data-name="Updated">${time(thread.updatedAt)}</td></tr>`,
  )
  const table = html`<table class="list"><thead><tr><th scope="col">Thread</th><th scope="col">Messages</th><th scope="col">Begun by</th><th scope="col">Updated</th></tr></thead><tbody>${rows}</tbody></table>`
  const body = html`${items.length === 0 ? nothing('There are no threads yet.') : table}${more('/threads', ask.search, cursor)}`
  return { title: 'Threads', section: '/threads', body }
}

/** One thread's messages, oldest first; or all of them, as a file. */
export async function oneThread(subject: Subject, ask: Ask, threadId: string): Promise<Page | Download> {
  if (ask.search.has('download')) return new Download('thread.jsonl', await linesOf(subject, threadId))
  const { items, cursor } = await subject.runtime.threads.messages(threadId, pageOf(ask))
  const path = pathOf('/threads', threadId)
  const whole = `${path}?download`
  const runs = `/runs?${new URLSearchParams({ thread: threadId })}`
  const body = html`${await forkNotice(subject, ask, threadId)}<p>${id(threadId)} <a href="${runs}">its runs</a></p><ol class="events">${items.map((message) => messageOf(message, whole))}</ol>
${more(path, ask.search, cursor)}
<p><a href="${whole}">Download all messages</a> <span class="quiet">as JSON lines</span></p>`
  return { title: 'Thread', section: '/threads', body }
}

async function linesOf({ runtime }: Subject, threadId: string): Promise<string> {
  const lines: string[] = []
  let cursor: string | undefined
  do {
    const page = await runtime.threads.messages(threadId, cursor === undefined ? {} : { cursor })
    for (const message of page.items) lines.push(`${JSON.stringify(message)}\n`)
    cursor = page.cursor
  } while (cursor !== undefined)
  return lines.join('')
}

function messageOf(message: Message, whole: string): Html {
  return html`<li class="event ${message.role}"><p class="head"><b>${message.role}</b> ${message.interrupted === true && 'interrupted '}<span class="quiet">${message.actor} ${time(message.createdAt)}</span>
${message.runId !== undefined && html` ${html`<a href="${pathOf('/runs', message.runId)}">its run</a>`}`}</p>
${message.parts.map((part) => partOf(part, whole))}</li>`
}

function partOf(part: Part, whole: string): Html {
  switch (part.type) {
    case 'text':
      return part.text.length > MOST_SHOWN_CHARACTERS
        ? excerpt(part.text, whole)
        : html`<p class="text">${part.text}</p>`
    case 'reasoning':
      return folded('Reasoning', part.text, whole)
    case 'file':
      return html`<p>${id(part.reference, pathOf('/references', part.reference))} <span class="quiet">${part.mediaType}</span></p>`
    case 'tool-call':
      return folded(`Calls ${part.tool}`, part.input, whole)
    case 'tool-result':
      return folded(`${resultTitle(part)} ${part.callId}`, part.result, whole)
    case 'opaque':
      return folded(`A part that only ${part.provider} understands`, part.data, whole)
  }
}

function resultTitle({ isError, state }: Extract<Part, { type: 'tool-result' }>): string {
  if (state === 'waiting') return 'Told to go on without call'
  return `${state === 'late' ? 'Late ' : ''}${isError === true ? 'Failed' : 'Result'} of call`
}

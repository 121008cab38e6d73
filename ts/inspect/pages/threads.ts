import type { Message, Part } from '../../types/threads.ts'
import { type Ask, pageOf, type Subject } from '../request.ts'
import { type Html, html } from '../view/html.ts'
import type { Page } from '../view/layout.ts'
import { pathOf } from '../view/paths.ts'
import { count, id, more, nothing, time, value } from '../view/values.ts'

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

/** One thread's messages, oldest first. */
export async function oneThread({ runtime }: Subject, ask: Ask, threadId: string): Promise<Page> {
  const { items, cursor } = await runtime.threads.messages(threadId, pageOf(ask))
  const body = html`<p>${id(threadId)}</p><ol class="events">${items.map(messageOf)}</ol>
${more(pathOf('/threads', threadId), ask.search, cursor)}`
  return { title: 'Thread', section: '/threads', body }
}

function messageOf(message: Message): Html {
  return html`<li class="event ${message.role}"><p class="head"><b>${message.role}</b> ${message.interrupted === true && 'interrupted '}<span class="quiet">${message.actor} ${time(message.createdAt)}</span>
${message.runId !== undefined && html` ${html`<a href="${pathOf('/runs', message.runId)}">its run</a>`}`}</p>
${message.parts.map(partOf)}</li>`
}

function partOf(part: Part): Html {
  switch (part.type) {
    case 'text':
      return html`<p class="text">${part.text}</p>`
    case 'reasoning':
      return html`<details><summary>Reasoning</summary><p class="text">${part.text}</p></details>`
    case 'file':
      return html`<p>${id(part.reference, pathOf('/references', part.reference))} <span class="quiet">${part.mediaType}</span></p>`
    case 'tool-call':
      return html`<details><summary>Calls ${part.tool}</summary>${value(part.input)}</details>`
    case 'tool-result':
      return html`<details><summary>${resultTitle(part)} ${part.callId}</summary>${value(part.result)}</details>`
    case 'opaque':
      return html`<details><summary>A part that only ${part.provider} understands</summary>${value(part.data)}</details>`
  }
}

function resultTitle({ isError, state }: Extract<Part, { type: 'tool-result' }>): string {
  if (state === 'waiting') return 'Told to go on without call'
  return `${state === 'late' ? 'Late ' : ''}${isError === true ? 'Failed' : 'Result'} of call`
}

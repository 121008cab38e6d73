import type { JournaledEvent } from '../../types/events.ts'
import { type Html, html } from '../view/html.ts'
import { bar } from '../view/plots.ts'
import { duration, nothing } from '../view/values.ts'

/** Something of a run that took time. */
interface Span {
  readonly name: string
  readonly tone: 'agent' | 'tool' | 'model' | 'wait'
  readonly from: number
  to: number
}

/** Durations of the steps of a run, on one axis. */
export function waterfall(events: readonly JournaledEvent[]): Html {
  const spans = spansOf(events)
  const first = events[0]?.at ?? 0
  const whole = Math.max(1, (events.at(-1)?.at ?? 0) - first)
  if (spans.length === 0) return nothing('Nothing in it took time yet.')
  const rows = spans.map(({ name, tone, from, to }) => {
    const [start, end] = [(from - first) / whole, (to - first) / whole]
    return html`<tr><th scope="row">${name}</th>
<td class="bar">${bar([[start, Math.max(end, start + 0.001)]], `mark ${tone}`)}</td>
<td class="number">${duration(to - from)}</td></tr>`
  })
  return html`<table class="bars spans"><caption>${duration(whole)} in all: agents, models, tools, and waiting</caption><tbody>${rows}</tbody></table>`
}

/** Spans in the order in which they begin. What has not ended lasts until the last event. */
export function spansOf(events: readonly JournaledEvent[]): Span[] {
  const spans: Span[] = []
  const open = new Map<string, Span>()
  const last = events.at(-1)?.at ?? 0
  const begin = (key: string, name: string, tone: Span['tone'], from: number) => {
    const span = { name, tone, from, to: last }
    spans.push(span)
    open.set(key, span)
  }
  const end = (key: string, to: number) => {
    const span = open.get(key)
    if (span !== undefined) span.to = to
    open.delete(key)
  }
  let before = events[0]?.at ?? 0
  for (const event of events) {
    if (event.type === 'agent.started') begin(`agent ${event.agent}`, event.agent, 'agent', event.at)
    else if (event.type === 'agent.completed') end(`agent ${event.agent}`, event.at)
    else if (event.type === 'tool.called') begin(`call ${event.callId}`, event.tool, 'tool', event.at)
    else if (event.type === 'tool.completed' || event.type === 'tool.failed') end(`call ${event.callId}`, event.at)
    else if (event.type === 'model.completed') {
      // The start of a model request is no event: it follows the event before it.
      spans.push({ name: event.model, tone: 'model', from: before, to: event.at })
    } else if (event.type === 'approval.requested') {
      begin(`approval ${event.approval.approvalId}`, 'approval', 'wait', event.at)
    } else if (event.type === 'approval.decided') end(`approval ${event.record.approvalId}`, event.at)
    else if (event.type === 'tool.waiting') begin(`wait ${event.callId}`, event.wait.kind, 'wait', event.at)
    else if (event.type === 'wait.settled') end(`wait ${event.record.callId}`, event.at)
    before = event.at
  }
  return spans.sort((one, other) => one.from - other.from)
}

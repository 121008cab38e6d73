import { type Html, html } from '../view/html.ts'
import { bar } from '../view/plots.ts'
import { duration, nothing } from '../view/values.ts'
import type { EventNode, Node } from './tree.ts'

/** Something of a run that took time. */
interface Span {
  readonly name: string
  readonly tone: 'agent' | 'tool' | 'model' | 'wait'
  readonly from: number
  readonly to: number
  /** Number of spans that it is in. */
  readonly depth: number
}

/** Deeper spans are drawn as deep as this. */
const MOST_DEPTH = 6

/** Durations of the steps of a run between two times, on one axis. */
export function waterfall(nodes: readonly Node[], first: number, last: number): Html {
  const whole = Math.max(1, last - first)
  const spans = spansOf(nodes, last)
  if (spans.length === 0) return nothing('Nothing in it took time yet.')
  const rows = spans.map(({ name, tone, from, to, depth }) => {
    const [start, end] = [(from - first) / whole, (to - first) / whole]
    return html`<tr><th scope="row" class="depth-${Math.min(depth, MOST_DEPTH)}">${name}</th>
<td class="bar">${bar([[start, Math.max(end, start + 0.001)]], `mark ${tone}`)}</td>
<td class="number">${duration(to - from)}</td></tr>`
  })
  return html`<table class="bars spans"><caption>${duration(whole)} in all: agents, models, tools, and waiting</caption><tbody>${rows}</tbody></table>`
}

/** Spans, each before those that it has in it. What has not ended lasts until `last`. */
export function spansOf(nodes: readonly Node[], last: number): Span[] {
  const ends = endsOf(nodes)
  const within = (list: readonly Node[], depth: number): Span[] => list.flatMap((node) => spanOf(node, depth))
  const spanOf = (node: Node, depth: number): Span[] => {
    switch (node.kind) {
      case 'agent':
        return [
          { name: node.agent, tone: 'agent', from: node.from, to: node.to ?? last, depth },
          ...within(node.children, depth + 1),
        ]
      case 'model':
        return [{ name: node.event.model, tone: 'model', from: node.from, to: node.event.at, depth }]
      case 'call':
        return [
          { name: node.tool, tone: 'tool', from: node.from, to: node.ended?.at ?? last, depth },
          ...within(node.children, depth + 1),
        ]
      case 'event': {
        const wait = waitOf(node)
        return wait === undefined
          ? []
          : [{ name: wait.name, tone: 'wait', from: node.event.at, to: ends.get(wait.id) ?? last, depth }]
      }
    }
  }
  return within(nodes, 0)
}

function waitOf({ event }: EventNode): { readonly id: string; readonly name: string } | undefined {
  if (event.type === 'approval.requested') return { id: event.approval.approvalId, name: 'approval' }
  return event.type === 'tool.waiting' ? { id: event.wait.waitId, name: event.wait.kind } : undefined
}

/** When what was waited for came, by its id. */
function endsOf(nodes: readonly Node[], ends = new Map<string, number>()): ReadonlyMap<string, number> {
  for (const node of nodes) {
    if (node.kind === 'agent' || node.kind === 'call') endsOf(node.children, ends)
    if (node.kind !== 'event') continue
    if (node.event.type === 'approval.decided') ends.set(node.event.record.approvalId, node.event.at)
    if (node.event.type === 'wait.settled') ends.set(node.event.record.waitId, node.event.at)
  }
  return ends
}

import { detailsOf, failure, wholeOf } from '../pages/events.ts'
import { type Html, html } from '../view/html.ts'
import { pathOf } from '../view/paths.ts'
import { promptText } from '../view/stories.ts'
import { chip, count, counted, duration, excerpt, folded, glimpsed, id } from '../view/values.ts'
import type { AgentNode, Asked, CallNode, EventNode, ModelNode, Node, Said } from './tree.ts'

/** Most characters of a message that are shown without a click. */
const MOST_SAID = 1_000

/** What the steps of a run have in common. */
export interface Shown {
  readonly runId: string
  readonly startedAt: number
  /** Whether a step has a link to its replay. */
  readonly mayReplay: boolean
}

/** The steps of a run, nested: what an agent does is in it, and what happens in a call is in that. */
export function stepList(nodes: readonly Node[], shown: Shown): Html {
  return html`<ol class="events steps">${nodes.map((node) => stepOf(node, shown))}</ol>`
}

function stepOf(node: Node, shown: Shown): Html {
  switch (node.kind) {
    case 'agent':
      return agentStep(node, shown)
    case 'model':
      return modelStep(node, shown)
    case 'call':
      return callStep(node, shown)
    case 'event':
      return eventStep(node, shown)
  }
}

/** A step. Its key tells the script of the page which one it is, whatever comes to be in it. */
function step(key: string, tone: string, at: Html, body: Html): Html {
  return html`<li class="event ${tone}" data-key="${key}"><p class="head">${at}</p>${body}</li>`
}

function begun(at: number, { startedAt }: Shown): Html {
  return html`<span class="number">+${duration(Math.max(0, at - startedAt))}</span>`
}

function lasted(from: number, to: number | undefined): Html {
  return to === undefined
    ? html`<span class="quiet">has not ended</span>`
    : html`<span class="quiet">${duration(Math.max(0, to - from))}</span>`
}

function within(children: readonly Node[], shown: Shown): Html | false {
  return children.length > 0 && stepList(children, shown)
}

function agentStep({ agent, sequence, from, to, children }: AgentNode, shown: Shown): Html {
  const head = html`${begun(from, shown)} agent <b>${agent}</b> ${lasted(from, to)}`
  return step(`agent ${sequence}`, 'agent', head, html`${within(children, shown)}`)
}

function modelStep({ event, from, asked, said, isOfThread }: ModelNode, shown: Shown): Html {
  const { model, usage, finishReason, warnings, sequence } = event
  const { inputTokens, outputTokens } = usage
  const tokens = `${count(inputTokens)} tokens read, ${count(outputTokens)} written, ended with ${finishReason}`
  const head = html`${begun(from, shown)} model <b>${model}</b> <span class="quiet">${duration(Math.max(0, event.at - from))}, ${tokens}</span>`
  const replay =
    isOfThread &&
    shown.mayReplay &&
    html`<p><a href="${pathOf('/runs', shown.runId)}?fork=${sequence}">Replay from here</a></p>`
  const body = html`${askedOf(asked)}${saidOf(said, wholeOf(event))}${warnings?.map((warning) => html`<p>${warning}</p>`)}${replay}`
  return step(`model ${sequence}`, 'model', head, body)
}

function askedOf(asked: readonly Asked[]): Html | false {
  if (asked.length === 0) return false
  const items = asked.map((one) => html`<li>${messageOf(one)}</li>`)
  return html`<details><summary>Asked <span class="quiet">with ${counted(asked.length, 'new message')}</span></summary><ul class="asked">${items}</ul></details>`
}

function messageOf(asked: Asked): Html {
  switch (asked.type) {
    case 'task':
      return html`<p>The task</p>${excerpt(asked.call.input, wholeOf(asked.call))}`
    case 'result': {
      const { tool, event } = asked
      const of = html`${tool !== undefined && html` of <b>${tool}</b>`} <span class="quiet">call ${event.callId}</span>`
      if (event.type === 'tool.failed') return html`<p>The error${of}</p>${failure(event.error, wholeOf(event))}`
      return html`<p>The result${of}</p>${excerpt(event.result, wholeOf(event))}`
    }
    case 'context.folded':
      return html`<p>What stands for the oldest messages</p>${excerpt(asked.summary, wholeOf(asked))}`
    case 'prompt.received':
      return html`<p>Another prompt</p>${excerpt(promptText(asked.prompt), wholeOf(asked))}`
    default:
      return asked.continues === undefined
        ? html`<p>The prompt, behind what the thread had</p>${excerpt(promptText(asked.prompt), wholeOf(asked))}`
        : html`<p>What calls of ${id(asked.continues.runId, pathOf('/runs', asked.continues.runId))} have returned since</p>`
  }
}

function saidOf({ text, reasoning }: Said, whole: string | undefined): Html {
  const isLong = text.length > MOST_SAID
  return html`${reasoning !== '' && folded('Reasoning', reasoning, whole)}${text !== '' && (isLong ? folded('Said', text, whole) : html`<p class="said text">${text}</p>`)}`
}

function callStep({ callId, tool, from, called, ended, children }: CallNode, shown: Shown): Html {
  const line = glimpsed(called?.input)
  const state = ended === undefined ? 'open' : ended.type === 'tool.failed' ? 'failed' : 'completed'
  const head = html`${begun(from, shown)} call of <b>${tool}</b> ${chip(state)} ${lasted(from, ended?.at)} <span class="quiet">${line}</span>`
  const input = called !== undefined && folded('Input', called.input, wholeOf(called))
  const body = html`<p class="quiet">call ${callId}</p>${input}${within(children, shown)}${outcomeOf(ended)}`
  return step(`call ${callId}`, 'tool', head, body)
}

function outcomeOf(ended: CallNode['ended']): Html | undefined {
  if (ended === undefined) return undefined
  if (ended.type === 'tool.failed') return failure(ended.error, wholeOf(ended))
  const { reference, result } = ended
  const kept =
    reference !== undefined &&
    html`<p>The model has seen a preview. All of it is kept as ${id(reference, pathOf('/references', reference))}</p>`
  return html`${kept}${folded('Result', result, wholeOf(ended))}`
}

function eventStep({ event, said }: EventNode, shown: Shown): Html {
  const head = html`${begun(event.at, shown)} <b>${event.type}</b>${event.agent !== undefined && html` <span class="quiet">${event.agent}</span>`}`
  const cutOff = said !== undefined && html`<p>Said by then:</p>${saidOf(said, wholeOf(event))}`
  return step(`event ${event.sequence}`, 'note', head, html`${cutOff}${detailsOf(event)}`)
}

import { notFound } from '../../arguments/ids.ts'
import type { Runtime } from '../../tenant/runtime.ts'
import type { JournaledEvent, RunEvent } from '../../types/events.ts'
import { type Node, RunTree, type Said } from './tree.ts'

/** Most events of a run on one page. */
export const EVENTS = 500

/** A part of a run's journal. */
export interface JournalPart {
  /** The events, nested. Agents and calls that have begun on an earlier page are around them. */
  readonly nodes: readonly Node[]
  readonly events: readonly JournaledEvent[]
  /** The sequence of the newest event of the run. */
  readonly newest: number
}

/**
 * Reads the part of a run's journal that begins with an event.
 *
 * @throws NotFoundError if there is no such run, or no such event in it
 */
export async function readPart(runtime: Runtime, runId: string, from: number): Promise<JournalPart> {
  const newest = await newestOf(runtime, runId)
  if (from > newest) throw notFound()
  const until = Math.min(newest, from + EVENTS - 1)
  const tree = new RunTree()
  const events: JournaledEvent[] = []
  for await (const event of upTo(runtime, runId, until)) {
    if (!isJournaled(event)) {
      tree.say(event)
      continue
    }
    // What is open is known only from the begin; what has ended is not kept.
    if (event.sequence <= from && (event.sequence === from || event.sequence % EVENTS === 0)) tree.forget()
    tree.add(event)
    if (event.sequence >= from) events.push(event)
  }
  return { nodes: tree.nodes, events, newest }
}

/** Reads the answers of the agent that was asked, oldest first. */
export async function readAnswers(runtime: Runtime, runId: string): Promise<RunTree['answers']> {
  const tree = new RunTree()
  for await (const event of upTo(runtime, runId, await newestOf(runtime, runId))) {
    if (!isJournaled(event)) continue
    if (event.sequence % EVENTS === 0) tree.forget()
    tree.add(event)
  }
  return tree.answers
}

/** One event of a run, with what its model said. */
export interface WholeEvent extends Partial<Said> {
  readonly event: JournaledEvent
}

/** @throws NotFoundError if there is no such run, or no such event in it */
export async function readEvent(runtime: Runtime, runId: string, sequence: number): Promise<WholeEvent> {
  if (sequence > (await newestOf(runtime, runId))) throw notFound()
  const said = { text: '', reasoning: '' }
  for await (const event of upTo(runtime, runId, sequence, sequence === 0 ? undefined : sequence - 1)) {
    if (isJournaled(event)) return said.text === '' && said.reasoning === '' ? { event } : { event, ...said }
    if (event.type === 'message.discarded') Object.assign(said, { text: '', reasoning: '' })
    else if (event.type === 'text.delta') said.text += event.delta
    else if (event.type === 'reasoning.delta') said.reasoning += event.delta
  }
  throw notFound()
}

/** Reads all events of a run that are in its journal, and what its models said, as JSON lines. */
export async function readLines(runtime: Runtime, runId: string): Promise<string> {
  const lines: string[] = []
  for await (const event of upTo(runtime, runId, await newestOf(runtime, runId))) {
    if (event.type !== 'tool.progress') lines.push(JSON.stringify(event))
  }
  return lines.map((line) => `${line}\n`).join('')
}

/** Yields what is in the journal up to an event, and does not wait for more. */
async function* upTo(
  runtime: Runtime,
  runId: string,
  until: number,
  after?: number,
): AsyncGenerator<RunEvent, undefined> {
  for await (const event of runtime.runs.follow(runId, after === undefined ? {} : { after })) {
    yield event
    if (isJournaled(event) && event.sequence >= until) return
  }
}

async function newestOf(runtime: Runtime, runId: string): Promise<number> {
  const { items } = await runtime.traces.list({ runId, limit: 1 })
  const [newest] = items
  if (newest === undefined) throw notFound()
  return newest.sequence
}

function isJournaled(event: RunEvent): event is JournaledEvent {
  return 'sequence' in event
}

import { askedAgent } from '../../common/asked-agent.ts'
import type { Runtime } from '../../tenant/runtime.ts'
import type { JournaledEvent } from '../../types/events.ts'
import type { RunSummary } from '../../types/runs.ts'
import type { Message, Part } from '../../types/threads.ts'
import { Refusal } from '../refusal.ts'
import type { Ask, Subject } from '../request.ts'
import { tokenField } from '../view/form.ts'
import { unlessGone } from '../view/gone.ts'
import { type Html, html } from '../view/html.ts'
import type { Page } from '../view/layout.ts'
import { pathOf } from '../view/paths.ts'
import { count, counted, facts, id, value } from '../view/values.ts'
import { readAnswers, readEvent } from './journal.ts'

/** Messages of a thread that are read at once. */
const MESSAGES = 200
/** A longer prompt is not repeated in a line of code. */
const MOST_PROMPT = 2_000

/** Where a thread is cut, so that a step of one of its runs can be made anew. */
interface Cut {
  /** The last message of the fork. Absent: nothing is before the step. */
  readonly through?: string
  /** Number of messages in the fork. */
  readonly length: number
  /** Whether the prompt of the run is asked again: the step is the run's first. */
  readonly asksAgain: boolean
}

/** What would be made of a step, and the form that makes it. */
export async function forkPage({ runtime }: Subject, ask: Ask, run: RunSummary, step: string): Promise<Page> {
  const { runId, threadId, agent } = run
  const cut = await cutOf(runtime, run, step)
  const form =
    ask.person.mayAct &&
    html`<form method="post" action="${pathOf('/runs', runId)}">${tokenField(ask)}<input type="hidden" name="step" value="${step}">
<p class="buttons"><button class="approve" name="act" value="fork">Make the fork</button></p></form>`
  const what =
    cut.through === undefined
      ? html`<p>Nothing is in the thread before this step but the prompt. So no fork is needed: ask again in a thread of its own, with your code.</p>${code(runtime, agent, await promptOf(runtime, runId), undefined)}`
      : html`<p>The fork is a thread of its own, which begins with the ${counted(cut.length, 'message')} before this step. Neither the thread nor the run is changed, and no model or tool is called: your code queries in the fork. ${cut.asksAgain ? 'It asks the prompt of the run again.' : 'It says how to go on.'}</p>${form}`
  const body = html`${facts([
    ['Run', id(runId, pathOf('/runs', runId))],
    ['Step', count(Number(step))],
    ['Agent', agent],
    ['Thread', id(threadId, pathOf('/threads', threadId))],
  ])}${what}`
  return { title: 'Replay from a step', section: '/runs', body }
}

/** Makes the fork, and returns the path of its page. */
export async function forkRun({ runtime }: Subject, run: RunSummary, step: string): Promise<string> {
  const { through, asksAgain } = await cutOf(runtime, run, step)
  if (through === undefined) throw new Refusal(409, 'Nothing is before this step: ask again in a thread of its own.')
  const { threadId } = await runtime.threads.fork(run.threadId, { through })
  const search = new URLSearchParams({ replays: run.runId, ...(asksAgain ? { again: '1' } : {}) })
  return `${pathOf('/threads', threadId)}?${search}`
}

/** Says what a thread was forked for, and the code that queries in it; nothing if the run is not known. */
export async function forkNotice({ runtime }: Subject, { search }: Ask, threadId: string): Promise<Html | undefined> {
  const runId = search.get('replays')
  if (runId === null) return undefined
  const run = await unlessGone(runtime.runs.get(runId))
  if (run === undefined) return undefined
  const prompt = search.get('again') === '1' ? await promptOf(runtime, runId) : 'Go on.'
  return html`<p class="notice good" role="status"><b>This fork was made</b> to replay <a href="${pathOf('/runs', runId)}">a run of ${run.agent}</a>. Query in it with your code:</p>${code(runtime, run.agent, prompt, threadId)}`
}

/** The line of code that asks the agent of a run. */
function code(
  { spec }: Runtime,
  agent: string,
  prompt: string | readonly Part[] | undefined,
  threadId: string | undefined,
): Html {
  const text = JSON.stringify(prompt)
  const isShort = text !== undefined && text.length <= MOST_PROMPT
  const fields = [
    ...(threadId === undefined ? [] : [`threadId: ${JSON.stringify(threadId)}`]),
    isShort ? `prompt: ${text}` : 'prompt',
  ]
  const request = `{ ${fields.join(', ')} }`
  const ofSpecialist = `runtime.runSpecialist(${JSON.stringify(agent)}, ${request})`
  const isSpecialist = spec.agents.some(({ name, role }) => name === agent && role === 'specialist')
  const isAlone = isSpecialist && askedAgent(spec.agents) !== agent
  const line = isAlone ? ofSpecialist : `runtime.query(${request})`
  // A tenant may be inspected without its agents.
  const other =
    spec.agents.length === 0 &&
    html`<p class="quiet">If <code>query</code> asks another agent than ${agent}:</p>${value(`const { text } = await ${ofSpecialist}.result()`)}`
  const note = html`<p class="quiet"><code>prompt</code> is that of the run, which is too long to be repeated here: its first event has it.</p>`
  return html`${value(`const { text } = await ${line}.result()`)}${other}${!isShort && note}<p class="quiet">Limits and instructions of the run's request are in no event: give them again.</p>`
}

async function promptOf(runtime: Runtime, runId: string): Promise<string | readonly Part[] | undefined> {
  const first = (await unlessGone(readEvent(runtime, runId, 0)))?.event
  return first?.type === 'run.started' || first?.type === 'run.queued' ? first.prompt : undefined
}

/** @throws Refusal if the step has no message in the thread, or it cannot be told which one it has */
async function cutOf(runtime: Runtime, run: RunSummary, step: string): Promise<Cut> {
  const answers = await readAnswers(runtime, run.runId)
  const answer = answers.find(({ sequence }) => String(sequence) === step)
  if (answer === undefined) throw new Refusal(409, 'This is no step of the agent whose messages the thread has.')
  const first = await unlessGone(readEvent(runtime, run.runId, 0))
  const asksAgain = answer === answers[0] && hasPrompt(first?.event)
  // An answer and its message have one time; several of one time have one order.
  const place = answers.filter(({ at }) => at === answer.at).indexOf(answer)
  const messages = new BeforeAnswer(run.runId, answer.at, place)
  let cursor: string | undefined
  do {
    const page = await unlessGone(
      runtime.threads.messages(run.threadId, { limit: MESSAGES, ...(cursor === undefined ? {} : { cursor }) }),
    )
    if (page === undefined) throw new Refusal(409, 'The thread of this run is not kept any more.')
    for (const message of page.items) messages.pass(message)
    cursor = page.cursor
  } while (cursor !== undefined && !messages.isFound)
  if (!messages.isFound) {
    throw new Refusal(409, 'The thread does not have this step yet. It does once the run has ended or is suspended.')
  }
  const { before, beforeRun } = messages
  return { ...(asksAgain ? beforeRun : before), asksAgain }
}

function hasPrompt(first: JournaledEvent | undefined): boolean {
  return (first?.type === 'run.started' || first?.type === 'run.queued') && first.continues === undefined
}

/** Goes through the messages of a thread up to an answer. */
class BeforeAnswer {
  readonly #runId: string
  readonly #at: number
  #left: number
  isFound = false
  /** Where the thread is before the answer. */
  before: Pick<Cut, 'through' | 'length'> = { length: 0 }
  /** Where it is before all of the run. */
  beforeRun: Pick<Cut, 'through' | 'length'> = { length: 0 }

  constructor(runId: string, at: number, place: number) {
    this.#runId = runId
    this.#at = at
    this.#left = place
  }

  pass({ messageId, role, runId, createdAt }: Message): void {
    if (this.isFound) return
    const isOfRun = runId === this.#runId
    if (isOfRun && role === 'assistant' && createdAt === this.#at) {
      this.isFound = this.#left === 0
      this.#left -= 1
      if (this.isFound) return
    }
    this.before = { through: messageId, length: this.before.length + 1 }
    if (!isOfRun && this.#hasNotBegun) this.beforeRun = this.before
    else this.#hasNotBegun = false
  }

  #hasNotBegun = true
}

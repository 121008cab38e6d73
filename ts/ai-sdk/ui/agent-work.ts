import type { RunEvent } from '../../types/events.ts'
import type { AgentProgress } from './ui-message.ts'

/** A delta is shown once the text has grown by this part of itself, so that all that is sent stays in proportion to it. */
const GROWTH = 1 / 8

/** Events that are an agent's progress; others, such as approvals, are shown for every agent. */
const working: ReadonlySet<RunEvent['type']> = new Set([
  'agent.completed',
  'agent.started',
  'message.discarded',
  'model.completed',
  'reasoning.delta',
  'reference.created',
  'text.delta',
  'tool.called',
  'tool.completed',
  'tool.failed',
])

/** Progress of called agents: events below the entry agent, shown as progress of its call. */
export class AgentWork {
  readonly #agents: (string | undefined)[] = []
  #progress: { agent: string; text: string; messageId: string; tools: AgentProgress['tools'] } | undefined
  #isFromTheStart = false
  #shownLength = 0

  /** Takes in who begins and ends. */
  follow(event: RunEvent): void {
    if (event.type === 'run.started') {
      this.#isFromTheStart = true
    } else if (event.type === 'agent.started') {
      // For a consumer from the middle of a run: agents that began earlier are above all later ones.
      if (this.#agents.length === 0 && !this.#isFromTheStart) this.#agents.push(undefined)
      this.#agents.push(event.agent)
      if (this.#agents.length === 2) {
        this.#progress = { agent: event.agent, text: '', messageId: '', tools: [] }
      } else if (this.#progress !== undefined) {
        Object.assign(this.#progress, { agent: event.agent, text: '', messageId: '' })
      }
    } else if (event.type === 'agent.completed' && this.#agents.at(-1) === event.agent) {
      this.#agents.pop()
      if (this.#agents.length < 2) this.#progress = undefined
      else if (this.#progress !== undefined) this.#progress.agent = this.#agents.at(-1) ?? ''
    }
  }

  /** Whether a called agent is running. */
  get isAtWork(): boolean {
    return this.#agents.length > 1
  }

  /** The agent that the first agent called. */
  get called(): string | undefined {
    return this.#agents[1]
  }

  /** Whether an event is the work of an agent that was called. */
  isBelow({ type, agent }: RunEvent): boolean {
    return this.isAtWork && agent !== undefined && working.has(type)
  }

  /** Returns that agent's progress after an event; `undefined` if there is nothing new to show. */
  after(event: RunEvent): AgentProgress | undefined {
    const progress = this.#progress
    if (progress === undefined) return undefined
    switch (event.type) {
      case 'text.delta': {
        if (progress.messageId !== event.messageId) this.#begin(event.messageId)
        progress.text += event.delta
        if (progress.text.length < this.#shownLength * (1 + GROWTH)) return undefined
        break
      }
      case 'message.discarded':
        if (progress.messageId !== event.messageId) return undefined
        this.#begin('')
        break
      case 'tool.called':
        progress.tools.push({ callId: event.callId, tool: event.tool, state: 'running' })
        break
      case 'tool.completed':
      case 'tool.failed': {
        const called = progress.tools.findLast(({ callId }) => callId === event.callId)
        if (called === undefined) return undefined
        called.state = event.type === 'tool.completed' ? 'done' : 'failed'
        break
      }
      case 'model.completed':
        break
      default:
        return undefined
    }
    this.#shownLength = progress.text.length
    const { agent, text, tools } = progress
    return { agent, text, tools: tools.map((tool) => ({ ...tool })) }
  }

  #begin(messageId: string): void {
    if (this.#progress !== undefined) Object.assign(this.#progress, { messageId, text: '' })
    this.#shownLength = 0
  }
}

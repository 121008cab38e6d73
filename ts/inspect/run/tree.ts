import type { JournaledEvent, RunEvent } from '../../types/events.ts'

type Of<Type extends JournaledEvent['type']> = Extract<JournaledEvent, { readonly type: Type }>

/** A message that a model has not been sent before, as the event that brought it. */
export type Asked =
  | Of<'run.queued' | 'run.started' | 'prompt.received' | 'context.folded'>
  | { readonly type: 'task'; readonly call: Of<'tool.called'> }
  | { readonly type: 'result'; readonly tool: string | undefined; readonly event: Of<'tool.completed' | 'tool.failed'> }

/** What a model says in one message. */
export interface Said {
  readonly text: string
  readonly reasoning: string
}

/** An agent at work, with all that it does. */
export interface AgentNode {
  readonly kind: 'agent'
  readonly agent: string
  readonly sequence: number
  readonly from: number
  /** Absent while the agent is at work. */
  to?: number
  children: Node[]
}

/** One request to a model. */
export interface ModelNode {
  readonly kind: 'model'
  readonly event: Of<'model.completed'>
  /** The end of the agent's step before: the beginning of a request is no event. */
  readonly from: number
  readonly asked: readonly Asked[]
  readonly said: Said
  /** Whether it is the agent that was asked, whose messages the thread has. */
  readonly isOfThread: boolean
}

/** A call of a tool or of an agent, with what happens until it ends. */
export interface CallNode {
  readonly kind: 'call'
  readonly callId: string
  readonly tool: string
  readonly sequence: number
  readonly from: number
  /** Absent if the call is not made yet: it is asked about. */
  called?: Of<'tool.called'>
  ended?: Of<'tool.completed' | 'tool.failed'>
  children: Node[]
}

/** An event that is no more than itself. */
export interface EventNode {
  readonly kind: 'event'
  readonly event: JournaledEvent
  /** What a model had said when the run ended. */
  readonly said?: Said
}

export type Node = AgentNode | ModelNode | CallNode | EventNode

/** An agent whose events are being taken in. */
interface Frame {
  /** Absent: the run itself. */
  readonly node?: AgentNode
  readonly children: Node[]
  /** The call that began the agent. */
  readonly call?: CallNode
  /** Messages that its model has not been sent yet. */
  asked: Asked[]
  said: Said
  last: number
}

const nothingSaid: Said = { text: '', reasoning: '' }

/** Nests the events of a run, taken in one after the other from the first: what an agent does is in it, and what happens in a call in that. */
export class RunTree {
  #root: Frame = { children: [], asked: [], said: nothingSaid, last: 0 }
  /** Those at work, the called behind their callers. */
  #frames: Frame[] = []
  /** Calls that have not ended, with the agent that makes each. */
  readonly #calls = new Map<string, { readonly node: CallNode; readonly by: Frame }>()
  readonly #approvals = new Map<string, string>()

  /** The answers of the agent that was asked, oldest first: each is a message of the thread. */
  readonly answers: Of<'model.completed'>[] = []

  get nodes(): readonly Node[] {
    return this.#root.children
  }

  /** Removes what has ended, and so is on earlier pages. */
  forget(): void {
    const keepOpen = (nodes: Node[]) => {
      const open = nodes.filter((node) => {
        if (node.kind === 'agent') return node.to === undefined
        return node.kind === 'call' && node.ended === undefined
      })
      nodes.splice(0, nodes.length, ...open)
      for (const node of open) if ('children' in node) keepOpen(node.children)
    }
    keepOpen(this.#root.children)
  }

  /** Takes in a piece of what a model says. */
  say(event: Exclude<RunEvent, JournaledEvent>): void {
    if (event.type === 'tool.progress') return
    const frame = this.#frameOf(event.agent)
    if (event.type === 'message.discarded') frame.said = nothingSaid
    else if (event.type === 'text.delta') frame.said = { ...frame.said, text: frame.said.text + event.delta }
    else frame.said = { ...frame.said, reasoning: frame.said.reasoning + event.delta }
  }

  /** Takes in an event of the journal. */
  add(event: JournaledEvent): void {
    const frame = this.#frameOf(event.agent)
    switch (event.type) {
      case 'agent.started':
        this.#begin(event)
        break
      case 'agent.completed':
        this.#end(frame, event.at)
        break
      case 'model.completed':
        this.#answer(frame, event)
        break
      case 'tool.called':
        this.#call(frame, event)
        break
      case 'tool.completed':
      case 'tool.failed':
        this.#settle(frame, event)
        break
      default:
        this.#note(frame, event)
    }
    frame.last = event.at
  }

  #frameOf(agent: string | undefined): Frame {
    const named = agent === undefined ? undefined : this.#frames.findLast(({ node }) => node?.agent === agent)
    return named ?? this.#frames.at(-1) ?? this.#root
  }

  #begin({ agent, sequence, at }: { readonly agent: string; readonly sequence: number; readonly at: number }): void {
    const calls = [...this.#calls.values()].filter(({ node }) => node.tool === agent && node.called !== undefined)
    // Of several calls of one agent, the first that has not begun it.
    const call = calls.find(({ node }) => !node.children.some(({ kind }) => kind === 'agent'))
    const above = this.#frames.at(-1) ?? this.#root
    const node: AgentNode = { kind: 'agent', agent, sequence, from: at, children: [] }
    ;(call?.node.children ?? above.children).push(node)
    const called = call?.node.called
    const asked: Asked[] = called === undefined ? above.asked.splice(0) : [{ type: 'task', call: called }]
    const { children } = node
    this.#frames.push({ node, children, asked, said: nothingSaid, last: at, ...(call && { call: call.node }) })
  }

  #end(frame: Frame, at: number): void {
    if (frame.node === undefined) return
    frame.node.to = at
    // The results of a plan's steps are for the agent that planned.
    if (frame.call === undefined) this.#frames[this.#frames.indexOf(frame) - 1]?.asked.push(...frame.asked)
    this.#frames = this.#frames.filter((one) => one !== frame)
  }

  #answer(frame: Frame, event: Of<'model.completed'>): void {
    const isOfThread = frame === this.#frames[0]
    if (isOfThread) this.answers.push(event)
    const { asked, said, last } = frame
    frame.children.push({ kind: 'model', event, from: last, asked, said, isOfThread })
    Object.assign(frame, { asked: [], said: nothingSaid })
  }

  #call(frame: Frame, event: Of<'tool.called'>): void {
    const asked = this.#calls.get(event.callId)
    if (asked !== undefined) asked.node.called = event
    else this.#open(frame, event.callId, event.tool, event).called = event
  }

  #open(by: Frame, callId: string, tool: string, { sequence, at }: JournaledEvent): CallNode {
    const node: CallNode = { kind: 'call', callId, tool, sequence, from: at, children: [] }
    by.children.push(node)
    this.#calls.set(callId, { node, by })
    return node
  }

  #settle(frame: Frame, event: Of<'tool.completed' | 'tool.failed'>): void {
    const call = this.#calls.get(event.callId)
    const by = call?.by ?? frame
    by.asked.push({ type: 'result', tool: call?.node.tool, event })
    by.last = event.at
    if (call === undefined) {
      frame.children.push({ kind: 'event', event })
      return
    }
    call.node.ended = event
    this.#calls.delete(event.callId)
    // An agent that failed ends with its call.
    for (const one of this.#frames.filter((other) => other.call === call.node)) this.#end(one, event.at)
  }

  /** Takes in an event that has no length. */
  #note(frame: Frame, event: JournaledEvent): void {
    if (event.type === 'run.started' || event.type === 'run.queued') frame.asked = [event]
    if (event.type === 'prompt.received' || event.type === 'context.folded') frame.asked.push(event)
    const isOfRun = event.type.startsWith('run.')
    const node: EventNode = { kind: 'event', event }
    const call = this.#callOf(frame, event)
    if (call !== undefined) call.children.push(node)
    else if (isOfRun) this.#root.children.push(this.#withRest(node))
    else frame.children.push(node)
  }

  /** What was said by the time of an end, in whichever agent. */
  #withRest(node: EventNode): EventNode {
    const frame = this.#frames.findLast(({ said }) => said !== nothingSaid)
    return frame === undefined ? node : { ...node, said: frame.said }
  }

  /** The call that an event is about. */
  #callOf(frame: Frame, event: JournaledEvent): CallNode | undefined {
    switch (event.type) {
      case 'approval.requested': {
        const { approval, callId } = event
        if (callId === undefined) return undefined
        this.#approvals.set(approval.approvalId, callId)
        const known = this.#calls.get(callId)?.node
        if (known !== undefined || !('tool' in approval.subject)) return known
        return this.#open(frame, callId, approval.subject.tool, event)
      }
      case 'approval.decided':
        return this.#calls.get(this.#approvals.get(event.record.approvalId) ?? '')?.node
      case 'wait.settled':
        return this.#calls.get(event.record.callId)?.node
      case 'tool.retried':
      case 'tool.waiting':
      case 'tool.resumed':
        return this.#calls.get(event.callId)?.node
      default:
        return undefined
    }
  }
}

import { asError, type OnShownError, shownError, shownFailure } from '../ai-sdk/ui/shown-error.ts'
import { BailiwickError } from '../errors/index.ts'
import type { Approval } from '../ledger/index.ts'
import type { RunEvent } from '../types/events.ts'
import type { JsonValue } from '../types/json.ts'
import type { TokenUsage } from '../types/tenant.ts'
import type { Wait } from '../types/waits.ts'
import type { AgUiEvent, AgUiInterrupt, AgUiOutcome, AgUiUsage } from './event.ts'
import { Frame } from './frame.ts'
import { approvalInterrupt, waitInterrupt } from './interrupts.ts'

export interface AgUiRunOptions {
  readonly threadId: string
  readonly runId: string | undefined
  readonly onError: OnShownError | undefined
  readonly sendReasoning: boolean
}

/** An approval that was requested, with the call that waits for it. */
interface Requested {
  readonly approval: Approval
  readonly callId: string | undefined
}

/** Turns the events of one run into those of AG-UI: of one run there, and of one more each time it goes on after a suspension. */
export class AgUiRun {
  readonly #options: AgUiRunOptions
  #runId = ''
  /** Whether a run of AG-UI is open. */
  #isOpen = false
  #isFromTheStart = false
  /** The agent that was asked, and those that were called, each by the one before. */
  #frames: [Frame, ...Frame[]] = [new Frame()]
  #subagents = 0
  /** The frames of calls that were shown. */
  readonly #calls = new Map<string, Frame>()
  readonly #names = new Map<string, string>()
  readonly #settled = new Set<string>()
  readonly #approvals = new Map<string, Requested>()
  readonly #waits = new Map<string, Wait>()
  readonly #usage = new Map<string, TokenUsage>()

  constructor(options: AgUiRunOptions) {
    this.#options = options
  }

  /** Yields what an event shows. */
  *of(event: RunEvent): Generator<AgUiEvent> {
    const timestamp = Number.isSafeInteger(event.at) ? { timestamp: event.at } : {}
    for (const shown of this.#of(event)) yield { ...shown, ...timestamp }
  }

  /** Takes in an event that was sent already. */
  pass(event: RunEvent): void {
    for (const _ of this.#of(event)) {
      // It was sent already.
    }
    this.#isOpen = false
    for (const frame of this.#frames)
      for (const _ of frame.end()) {
        // As above.
      }
  }

  /** Yields the end of a run whose events cannot be read. */
  *broken(error: unknown): Generator<AgUiEvent> {
    const code = BailiwickError.isInstance(error) ? error.code : 'INTERNAL'
    yield* this.#fail(shownError(error, this.#options.onError), code)
  }

  get #top(): Frame {
    return this.#frames.at(-1) ?? this.#frames[0]
  }

  *#of(event: RunEvent): Generator<AgUiEvent> {
    yield* this.#begin(event.runId)
    yield* this.#leaveEnded(event)
    yield* this.#ofAgent(event)
    yield* this.#ofMessage(event)
    yield* this.#ofTool(event)
    yield* this.#ofDetail(event)
    yield* this.#ofEnd(event)
  }

  *#begin(runId: string): Generator<AgUiEvent> {
    if (this.#isOpen) return
    this.#isOpen = true
    this.#runId = this.#options.runId ?? runId
    this.#usage.clear()
    yield { type: 'RUN_STARTED', threadId: this.#options.threadId, runId: this.#runId, protocolVersion: '1.0' }
    // Those that are at work still, after a suspension.
    const [, ...called] = this.#frames
    for (const frame of called) yield* this.#announce(frame)
  }

  *#announce(frame: Frame): Generator<AgUiEvent> {
    const parent = this.#frames[this.#frames.indexOf(frame) - 1]
    yield {
      type: 'SUBAGENT_STARTED',
      subagentRunId: frame.id ?? '',
      name: frame.agent ?? '',
      ...(parent?.id === undefined ? {} : { parentSubagentRunId: parent.id }),
      ...(frame.callId === undefined ? {} : { parentToolCallId: frame.callId }),
    }
  }

  *#ofAgent(event: RunEvent): Generator<AgUiEvent> {
    const [asked] = this.#frames
    if (event.type === 'run.started') {
      this.#isFromTheStart = true
    } else if (event.type === 'agent.started' && this.#isFromTheStart && asked.agent === undefined) {
      asked.agent = event.agent
    } else if (event.type === 'agent.started') {
      this.#subagents += 1
      const calls = Array.from(this.#names).filter(([callId]) => !this.#settled.has(callId))
      const [callId] = calls.findLast(([, tool]) => tool === event.agent) ?? []
      const frame = new Frame(`${event.runId}/${this.#subagents}`, event.agent, callId)
      this.#frames.push(frame)
      yield* this.#announce(frame)
    } else if (event.type === 'agent.completed') {
      const last = this.#frames.findLast(({ hasEnded }) => !hasEnded)
      if (last?.id !== undefined && last.agent === event.agent) last.hasEnded = true
    }
  }

  /** Ends the agents whose end was heard, unless the event is the result of their call, which says how. An executor ends as its planner does. */
  *#leaveEnded(event: RunEvent): Generator<AgUiEvent> {
    const ended = this.#frames.find(({ hasEnded }) => hasEnded)
    if (ended === undefined || event.type === 'agent.completed') return
    const isItsResult = event.type === 'tool.completed' || event.type === 'tool.failed'
    if (!isItsResult || event.callId !== ended.callId) yield* this.#leave(ended)
  }

  /** Ends a called agent, and those that it called. */
  *#leave(frame: Frame, failure?: string): Generator<AgUiEvent> {
    while (this.#frames.includes(frame) && this.#top.id !== undefined) {
      const last = this.#top
      yield* last.end()
      yield endOf(last, 'success', failure)
      this.#frames.pop()
    }
  }

  *#ofMessage(event: RunEvent): Generator<AgUiEvent> {
    const frame = this.#top
    switch (event.type) {
      case 'text.delta':
        yield* frame.text(event.messageId, event.delta)
        break
      case 'reasoning.delta':
        if (this.#options.sendReasoning) yield* frame.reasoning(event.messageId, event.delta)
        break
      case 'message.discarded':
        yield* frame.discard(event.messageId)
        break
      case 'model.completed':
        yield* frame.answered()
        frame.isPaused = event.finishReason === 'pause'
        if (frame.isPaused) frame.saidBefore += frame.said
        this.#count(event.model, event.usage)
    }
  }

  *#ofTool(event: RunEvent): Generator<AgUiEvent> {
    const { onError } = this.#options
    switch (event.type) {
      case 'tool.called':
        yield* this.#call(event.callId, event.tool, event.input)
        break
      case 'tool.completed': {
        const { callId, result } = event
        yield* this.#settle(callId, typeof result === 'string' ? result : JSON.stringify(result ?? null))
        break
      }
      case 'tool.failed': {
        const text = shownFailure(event.error, onError)
        yield* this.#settle(event.callId, text, text)
      }
    }
  }

  *#call(callId: string, tool: string, input: unknown): Generator<AgUiEvent> {
    if (this.#calls.has(callId)) return
    const frame = this.#top
    this.#calls.set(callId, frame)
    this.#names.set(callId, tool)
    yield* frame.call(callId, tool, input)
  }

  *#settle(callId: string, content: string, failure?: string): Generator<AgUiEvent> {
    if (this.#settled.has(callId)) return
    this.#settled.add(callId)
    const agent = this.#frames.find((frame) => frame.id !== undefined && frame.callId === callId)
    if (agent !== undefined) yield* this.#leave(agent, failure)
    const frame = this.#calls.get(callId) ?? this.#top
    yield frame.tagged({
      type: 'TOOL_CALL_RESULT',
      messageId: `${callId}-result`,
      toolCallId: callId,
      content,
      role: 'tool',
    })
  }

  /** What AG-UI has no event for. */
  *#ofDetail(event: RunEvent): Generator<AgUiEvent> {
    const custom = (value: object): AgUiEvent =>
      this.#top.tagged({ type: 'CUSTOM', name: event.type, value: value as unknown as JsonValue })
    switch (event.type) {
      case 'approval.requested': {
        const { approval, callId } = event
        this.#approvals.set(approval.approvalId, { approval, callId })
        // A call is shown before it is approved.
        if (callId !== undefined && approval.subject !== undefined && 'tool' in approval.subject) {
          yield* this.#call(callId, approval.subject.tool, approval.subject.input)
        }
        yield custom({ approval, ...(callId === undefined ? {} : { callId }) })
        break
      }
      case 'approval.decided':
        yield custom({ approvalId: event.record.approvalId, status: event.record.decision, ...editOf(event) })
        break
      case 'tool.waiting':
        this.#waits.set(event.wait.waitId, event.wait)
        yield custom({ wait: event.wait, callId: event.callId })
        break
      case 'wait.settled':
        // What it was settled with is for the tool.
        yield custom({ waitId: event.record.waitId, status: event.record.status })
        break
      case 'tool.progress':
        yield custom({ toolCallId: event.callId, value: event.value })
        break
      case 'plan.saved':
        yield custom({ planId: event.planId, version: event.version, hash: event.hash })
    }
  }

  *#ofEnd(event: RunEvent): Generator<AgUiEvent> {
    switch (event.type) {
      case 'run.completed': {
        yield* this.#complete(event.text, event.runId)
        const { waiting, output } = event
        const pending = waiting === undefined || waiting.length === 0 ? {} : { pendingToolCallIds: waiting }
        yield* this.#finish({ type: 'success', ...pending }, output)
        break
      }
      case 'run.suspended': {
        const interrupts = this.#interrupts(event)
        yield* this.#finish(interrupts.length === 0 ? { type: 'success' } : { type: 'interrupt', interrupts })
        break
      }
      case 'run.steered':
        yield* this.#finish({ type: 'success' })
        break
      case 'run.cancelled':
        yield* this.#finish({ type: 'cancelled' })
        break
      case 'run.limited':
        yield* this.#fail(`The run has reached its limit ${event.limit}.`, 'LIMITED')
        break
      case 'run.failed':
        yield* this.#fail(shownError(asError(event.error), this.#options.onError), event.error.code)
    }
  }

  #interrupts({ approvals, waits = [] }: Extract<RunEvent, { type: 'run.suspended' }>): AgUiInterrupt[] {
    return [
      ...approvals.map((approval) => approvalInterrupt(approval, this.#approvals.get(approval.approvalId)?.callId)),
      ...waits.map((wait) => waitInterrupt(this.#waits.get(wait.waitId) ?? wait)),
    ]
  }

  /** Deltas may be lost to a slow consumer, and some answers have none: the answer is whole in the end. */
  *#complete(whole: string, runId: string): Generator<AgUiEvent> {
    const [asked] = this.#frames
    const text = whole.startsWith(asked.saidBefore) ? whole.slice(asked.saidBefore.length) : whole
    if (text === asked.said || whole === asked.said) return
    const rest = text.startsWith(asked.said) ? text.slice(asked.said.length) : text
    yield* asked.text(`${runId}-answer`, rest)
  }

  *#finish(outcome: AgUiOutcome, result?: JsonValue): Generator<AgUiEvent> {
    const failure = outcome.type === 'cancelled' ? 'The run was cancelled.' : undefined
    yield* this.#endAll(outcome.type === 'interrupt' ? 'suspended' : 'success', failure)
    this.#isOpen = false
    const { threadId } = this.#options
    const ids = { threadId, runId: this.#runId }
    yield { type: 'RUN_FINISHED', ...ids, ...(result === undefined ? {} : { result }), outcome, usage: this.#used() }
  }

  *#fail(message: string, code: string): Generator<AgUiEvent> {
    if (this.#isOpen) yield* this.#endAll('success', message)
    this.#isOpen = false
    yield { type: 'RUN_ERROR', message, code, usage: this.#used() }
  }

  /** Ends what is open. Agents that wait go on when the run does. */
  *#endAll(how: 'success' | 'suspended', failure?: string): Generator<AgUiEvent> {
    for (const frame of this.#frames.toReversed()) {
      yield* frame.end()
      if (frame.id !== undefined) yield endOf(frame, how, failure)
    }
    if (how === 'success') this.#frames = [new Frame()]
  }

  #count(model: string, usage: TokenUsage): void {
    const before = this.#usage.get(model)
    const sum = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 }
    for (const name of Object.keys(sum) as (keyof TokenUsage)[])
      sum[name] = (before?.[name] ?? 0) + (usage?.[name] ?? 0)
    this.#usage.set(model, sum)
  }

  #used(): AgUiUsage[] {
    return Array.from(this.#usage, ([name, usage]) => {
      const slash = name.indexOf('/')
      const { inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens, reasoningTokens } = usage
      return {
        provider: name.slice(0, Math.max(slash, 0)),
        model: name.slice(slash + 1),
        inputTokens,
        outputTokens,
        totalTokens: inputTokens + outputTokens,
        reasoningTokens,
        cachedInputTokens: cacheReadTokens,
        cacheWriteInputTokens: cacheWriteTokens,
      }
    })
  }
}

/** The end of a called agent. */
function endOf({ id = '' }: Frame, how: 'success' | 'suspended', failure: string | undefined): AgUiEvent {
  if (failure !== undefined) return { type: 'SUBAGENT_ERROR', subagentRunId: id, message: failure }
  return { type: 'SUBAGENT_FINISHED', subagentRunId: id, outcome: { type: how } }
}

/** The input with which a call was approved instead of its own. */
function editOf({ editedInput }: { readonly editedInput?: JsonValue }): { readonly editedInput?: JsonValue } {
  return editedInput === undefined ? {} : { editedInput }
}

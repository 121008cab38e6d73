import type { Approval } from '../../ledger/index.ts'
import type { RunEvent } from '../../types/events.ts'
import type { Wait } from '../../types/waits.ts'
import { AgentWork } from './agent-work.ts'
import { asError, type OnShownError, shownError, shownFailure } from './shown-error.ts'
import { referenceIn } from './shown-reference.ts'
import type { UIMessageChunk } from './ui-message.ts'

export interface ChunkOptions {
  readonly onError?: OnShownError | undefined
  readonly sendReasoning: boolean
  /** Form in which a message is taken back whose model broke off. */
  readonly discard: 'mark' | 'reset-step'
  /** Form in which a call asks for its approval. */
  readonly approvals: 'part' | 'data'
}

type FinishReason = Extract<UIMessageChunk, { type: 'finish' }>['finishReason']

/** A text or a reasoning that is being shown. */
interface Block {
  readonly kind: 'text' | 'reasoning'
  readonly id: string
}

/** A call of the first agent, until its result is shown. */
interface Call {
  readonly tool: string
  readonly input: unknown
  /** Whether earlier chunks announced it to the reader. */
  isAnnounced: boolean
  /** Whether what is shown of it is the work of an agent, and not its result. */
  isPreliminary: boolean
  /** The step that shows it: one that waits while its agent goes on has its result in a later one. */
  readonly step: number
}

/**
 * Turns the events of one run into what `useChat` shows as one message: a step for each answer of the model of the agent that
 * was asked, with the tool calls that follow from it. What other agents do is shown as preliminary output of their calls.
 */
export class UIChunks {
  readonly #options: ChunkOptions
  /** By the id of the message that is being written. */
  readonly #open = new Map<string, Block>()
  readonly #calls = new Map<string, Call>()
  /** What is open. */
  readonly #approvals = new Map<string, Approval>()
  readonly #waits = new Map<string, Wait>()
  readonly #work = new AgentWork()
  #blocks = 0
  #step = 0
  #isStepOpen = false
  /** Whether the model of the open step has said all it will. */
  #isAnswered = false
  /** The message that was written to last. */
  #last: { readonly messageId: string; text: string; parts: number } | undefined
  /** Text before the model paused: the run's answer begins with it. */
  #saidBefore = ''
  #isPaused = false
  #finishReason: FinishReason = 'stop'
  /** Whether the run goes on with calls that another one has left: the message of that one shows them, with their results. */
  #continues = false
  /** Such calls that were decided or settled, and come next. */
  #leftNext = 0
  /** Such calls that have no result yet. */
  readonly #left = new Set<string>()

  constructor(options: ChunkOptions) {
    this.#options = options
  }

  /** Yields what an event shows. */
  *of(event: RunEvent): Generator<UIMessageChunk> {
    if (this.#work.isBelow(event)) {
      const progress = this.#work.after(event)
      this.#work.follow(event)
      if (progress !== undefined) yield* this.#showWork(progress)
      return
    }
    this.#work.follow(event)
    if (this.#isOfLeftCall(event)) return
    yield* this.#ofMessage(event)
    yield* this.#ofTool(event)
    yield* this.#ofPlanOrApproval(event)
    yield* this.#ofWait(event)
    yield* this.#ofEnd(event)
  }

  /** Takes in what happens to a call that another run has left, and returns whether the event shows nothing else. */
  #isOfLeftCall(event: RunEvent): boolean {
    switch (event.type) {
      case 'run.started':
        this.#continues = event.continues !== undefined
        return false
      case 'approval.decided':
        if (this.#continues && !this.#approvals.has(event.record.approvalId)) this.#leftNext += 1
        return false
      case 'wait.settled':
        if (this.#continues && !this.#waits.has(event.record.waitId)) this.#leftNext += 1
        return false
      case 'tool.called':
      case 'tool.resumed':
        if (this.#left.has(event.callId)) return true
        if (this.#leftNext === 0 || this.#calls.has(event.callId)) return false
        this.#leftNext -= 1
        this.#left.add(event.callId)
        return true
      case 'tool.completed':
      case 'tool.failed':
        return this.#left.delete(event.callId)
      default:
        return false
    }
  }

  *#ofMessage(event: RunEvent): Generator<UIMessageChunk> {
    switch (event.type) {
      case 'text.delta':
        yield* this.#write('text', event.messageId, event.delta)
        break
      case 'reasoning.delta':
        if (this.#options.sendReasoning) yield* this.#write('reasoning', event.messageId, event.delta)
        break
      case 'message.discarded':
        yield* this.#discard(event.messageId)
        break
      case 'model.completed':
        yield* this.#beginStep()
        this.#isAnswered = true
        this.#isPaused = event.finishReason === 'pause'
        if (this.#isPaused) {
          this.#saidBefore += this.#last?.text ?? ''
          this.#last = undefined
        }
        this.#finishReason = event.finishReason === 'pause' ? 'other' : (event.finishReason ?? 'stop')
    }
  }

  *#ofTool(event: RunEvent): Generator<UIMessageChunk> {
    switch (event.type) {
      case 'tool.called': {
        const { callId, tool, input } = event
        if (this.#isOfEarlierStep(callId)) break
        if (!this.#isStepOpen) yield* this.#beginStep()
        yield* this.#closeAll()
        yield* this.#announce(callId, { tool, input, isAnnounced: false, isPreliminary: false, step: this.#step })
        break
      }
      case 'tool.progress': {
        const { callId, value } = event
        yield { type: 'data-progress', data: { callId, value }, transient: true }
        break
      }
      case 'tool.completed': {
        yield* this.#settle(event.callId, { type: 'tool-output-available', output: event.result })
        const data = referenceIn(event.result)
        if (data !== undefined) yield { type: 'data-reference', id: data.id, data }
        break
      }
      case 'tool.failed': {
        const errorText = shownFailure(event.error, this.#options.onError)
        yield* this.#settle(event.callId, { type: 'tool-output-error', errorText })
      }
    }
  }

  *#ofPlanOrApproval(event: RunEvent): Generator<UIMessageChunk> {
    switch (event.type) {
      case 'plan.saved': {
        const { planId, version, hash } = event
        yield { type: 'data-plan', id: planId, data: { planId, version, hash } }
        break
      }
      case 'approval.requested':
        this.#approvals.set(event.approval.approvalId, event.approval)
        yield* this.#showWaiting(event)
        yield { type: 'data-approval', id: event.approval.approvalId, data: event.approval }
        yield* this.#requestApproval(event)
        break
      case 'approval.decided': {
        const { approvalId, decision } = event.record
        const { editedInput } = event
        const edited = editedInput === undefined ? {} : { editedInput }
        const data = { approvalId, ...this.#approvals.get(approvalId), status: decision, ...edited }
        this.#approvals.delete(approvalId)
        yield { type: 'data-approval', id: approvalId, data }
      }
    }
  }

  *#ofWait(event: RunEvent): Generator<UIMessageChunk> {
    switch (event.type) {
      case 'tool.waiting':
        this.#waits.set(event.wait.waitId, event.wait)
        yield { type: 'data-wait', id: event.wait.waitId, data: event.wait }
        break
      case 'wait.settled': {
        // What it was settled with is for the tool: an event's value or error may be of another service.
        const { waitId, status } = event.record
        const data = { waitId, ...this.#waits.get(waitId), status }
        this.#waits.delete(waitId)
        yield { type: 'data-wait', id: waitId, data }
      }
    }
  }

  *#ofEnd(event: RunEvent): Generator<UIMessageChunk> {
    switch (event.type) {
      case 'run.completed':
        yield* this.#complete(event.text)
        yield* this.#end(this.#finishReason)
        break
      case 'run.suspended':
        // Pending calls belong to this step, and continue in it.
        yield* this.#finishStep()
        yield { type: 'finish', finishReason: 'tool-calls' }
        break
      case 'run.limited':
        yield* this.#interruptCalls()
        yield* this.#end('length')
        break
      case 'run.failed':
        yield* this.#interruptCalls()
        yield { type: 'error', errorText: shownError(asError(event.error), this.#options.onError) }
        yield* this.#end('error')
        break
      case 'run.steered':
        yield* this.#end('other')
        break
      case 'run.cancelled':
        yield* this.#interruptCalls()
        yield* this.#endStep()
        yield { type: 'abort' }
    }
  }

  /** Ends what is open, for another message after it. */
  *end(): Generator<UIMessageChunk> {
    yield* this.#endStep()
  }

  /** Takes in what was shown before these chunks begin. */
  pass(event: RunEvent): void {
    for (const _ of this.of(event)) {
      // It was shown already.
    }
    this.#open.clear()
    for (const call of this.#calls.values()) call.isAnnounced = call.step !== this.#step
  }

  *#write(kind: Block['kind'], messageId: string, delta: string): Generator<UIMessageChunk> {
    if (delta === '') return
    if (!this.#isStepOpen || this.#isAnswered) yield* this.#beginStep()
    if (this.#last?.messageId !== messageId) {
      this.#last = { messageId, text: '', parts: 0 }
      if (!this.#isPaused) this.#saidBefore = ''
    }
    let block = this.#open.get(messageId)
    if (block?.kind !== kind) {
      yield* this.#close(messageId)
      block = { kind, id: String(this.#blocks++) }
      this.#open.set(messageId, block)
      this.#last.parts += 1
      yield { type: `${kind}-start`, id: block.id }
    }
    if (kind === 'text') this.#last.text += delta
    yield { type: `${kind}-delta`, id: block.id, delta }
  }

  /** Takes a message back that its model began and did not end. */
  *#discard(messageId: string): Generator<UIMessageChunk> {
    const last = this.#last
    if (last?.messageId !== messageId || this.#isAnswered || !this.#isStepOpen) return
    this.#last = undefined
    if (this.#options.discard === 'reset-step') {
      this.#open.delete(messageId)
      // The chunk of AI SDK 7, which its types have and those before do not.
      yield { type: 'reset-step' } as never
      return
    }
    yield* this.#close(messageId)
    yield { type: 'data-discarded', id: messageId, data: { messageId, parts: last.parts } }
  }

  /**
   * Asks for the approval of a call in the part that shows it. The call of an agent below has no part: the part of the call that began
   * that agent would ask a person to approve something else than what the approval covers.
   */
  *#requestApproval({
    callId,
    approval,
  }: Extract<RunEvent, { type: 'approval.requested' }>): Generator<UIMessageChunk> {
    const call = callId === undefined ? undefined : this.#calls.get(callId)
    if (callId === undefined || call === undefined || this.#options.approvals === 'data') return
    if (!call.isAnnounced) yield* this.#announce(callId, call)
    yield { type: 'tool-approval-request', approvalId: approval.approvalId, toolCallId: callId }
  }

  /** Shows the call that waits for an approval, unless it is one of an agent below, or was shown. */
  *#showWaiting({ callId, approval }: Extract<RunEvent, { type: 'approval.requested' }>): Generator<UIMessageChunk> {
    const { subject } = approval
    if (callId === undefined || !('tool' in subject) || this.#work.isAtWork || this.#calls.has(callId)) return
    if (!this.#isStepOpen) yield* this.#beginStep()
    yield* this.#closeAll()
    const { tool, input } = subject
    yield* this.#announce(callId, { tool, input, isAnnounced: false, isPreliminary: false, step: this.#step })
  }

  /** Whether a call is shown already, before this step: useChat would show it twice. */
  #isOfEarlierStep(callId: string): boolean {
    const call = this.#calls.get(callId)
    return call !== undefined && call.step !== this.#step
  }

  *#announce(callId: string, call: Call): Generator<UIMessageChunk> {
    call.isAnnounced = true
    call.isPreliminary = false
    this.#calls.set(callId, call)
    yield { type: 'tool-input-available', toolCallId: callId, toolName: call.tool, input: call.input }
  }

  *#settle(
    callId: string,
    outcome: { type: 'tool-output-available'; output: unknown } | { type: 'tool-output-error'; errorText: string },
  ): Generator<UIMessageChunk> {
    const call = this.#calls.get(callId)
    // A follower from the middle of a run has not seen some calls, and useChat rejects their results.
    if (call === undefined) return
    if (!call.isAnnounced) yield* this.#announce(callId, call)
    this.#calls.delete(callId)
    yield { ...outcome, toolCallId: callId }
  }

  /** The run ended before these calls had a result, and closed what they wait for. Its thread says the same of them. */
  *#interruptCalls(): Generator<UIMessageChunk> {
    const failure = { code: 'INTERRUPTED', message: 'The run ended before.' }
    for (const callId of Array.from(this.#calls.keys())) {
      const errorText = shownFailure(failure, this.#options.onError)
      yield* this.#settle(callId, { type: 'tool-output-error', errorText })
    }
    for (const [id, wait] of this.#waits) yield { type: 'data-wait', id, data: { ...wait, status: 'cancelled' } }
    for (const [id, approval] of this.#approvals) {
      yield { type: 'data-approval', id, data: { ...approval, status: 'withdrawn' } }
    }
  }

  /** Shows what an agent is at as the output of its call so far. */
  *#showWork(output: object): Generator<UIMessageChunk> {
    // Agents are called one at a time.
    const [callId, call] = Array.from(this.#calls).findLast(([, { tool }]) => tool === this.#work.called) ?? []
    if (callId === undefined || call === undefined) return
    if (!call.isAnnounced) yield* this.#announce(callId, call)
    call.isPreliminary = true
    yield { type: 'tool-output-available', toolCallId: callId, output, preliminary: true }
  }

  /** Deltas may be lost to a slow consumer, and some answers have none: the answer is shown as it was in the end. */
  *#complete(whole: string): Generator<UIMessageChunk> {
    const text = whole.startsWith(this.#saidBefore) ? whole.slice(this.#saidBefore.length) : whole
    const { messageId, text: shown } = this.#last ?? { messageId: '', text: '' }
    if (text === shown) return
    const block = this.#open.get(messageId)
    const isPart = text.startsWith(shown)
    const rest = isPart ? text.slice(shown.length) : text
    if (isPart && block?.kind === 'text') return yield { type: 'text-delta', id: block.id, delta: rest }
    yield* this.#endStep()
    yield* this.#write('text', messageId, rest)
  }

  *#close(messageId: string): Generator<UIMessageChunk> {
    const block = this.#open.get(messageId)
    if (block === undefined) return
    this.#open.delete(messageId)
    yield { type: `${block.kind}-end`, id: block.id }
  }

  *#closeAll(): Generator<UIMessageChunk> {
    for (const messageId of Array.from(this.#open.keys())) yield* this.#close(messageId)
  }

  *#beginStep(): Generator<UIMessageChunk> {
    if (this.#isStepOpen && !this.#isAnswered) return
    yield* this.#endStep()
    this.#isStepOpen = true
    this.#step += 1
    yield { type: 'start-step' }
  }

  *#endStep(): Generator<UIMessageChunk> {
    yield* this.#finishStep()
    this.#isStepOpen = false
    this.#isAnswered = false
  }

  *#finishStep(): Generator<UIMessageChunk> {
    yield* this.#closeAll()
    // A call without a result is shown as one, as a reload shows it.
    for (const [callId, call] of Array.from(this.#calls)) if (call.isPreliminary) yield* this.#announce(callId, call)
    if (this.#isStepOpen) yield { type: 'finish-step' }
  }

  *#end(finishReason: FinishReason): Generator<UIMessageChunk> {
    yield* this.#endStep()
    yield { type: 'finish', finishReason }
  }
}

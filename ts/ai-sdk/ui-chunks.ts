import type { UIMessageChunk } from './ui-message.ts'

/** The events of a run that are shown; others pass unseen. */
export type ShownEvent =
  | { readonly type: 'text.delta' | 'reasoning.delta'; readonly messageId: string; readonly delta: string }
  | { readonly type: 'model.completed' | 'run.suspended' | 'run.limited' | 'run.cancelled' }
  | { readonly type: 'tool.called'; readonly callId: string; readonly tool: string; readonly input: unknown }
  | { readonly type: 'tool.completed'; readonly callId: string; readonly result: unknown }
  | { readonly type: 'tool.failed'; readonly callId: string; readonly error: { readonly message: string } }
  | { readonly type: 'reference.created'; readonly reference: { readonly id: string } }
  | { readonly type: 'plan.saved'; readonly planId: string; readonly version: number; readonly hash: string }
  | { readonly type: 'approval.requested'; readonly approval: { readonly approvalId: string } }
  | { readonly type: 'approval.decided'; readonly record: { readonly approvalId: string; readonly decision: string } }
  | { readonly type: 'run.completed'; readonly text: string }
  | { readonly type: 'run.failed'; readonly error: { readonly message: string } }

/** A text or a reasoning that is being shown. */
interface Block {
  readonly kind: 'text' | 'reasoning'
  readonly id: string
}

/**
 * Turns the events of one run into what `useChat` shows as one message: a step for each answer of a model with the tool
 * calls that follow from it.
 */
export class UIChunks {
  /** By the id of the message that is being written: several agents may write at once. */
  readonly #open = new Map<string, Block>()
  readonly #calls = new Set<string>()
  readonly #approvals = new Map<string, object>()
  #blocks = 0
  #isStepOpen = false
  /** Whether the model of the open step has said all it will. */
  #isAnswered = false
  /** The text of the message that was written to last. */
  #last: { readonly messageId: string; text: string } | undefined;

  /** What an event shows. */
  *of(event: ShownEvent): Generator<UIMessageChunk> {
    switch (event.type) {
      case 'text.delta':
        return yield* this.#write('text', event.messageId, event.delta)
      case 'reasoning.delta':
        return yield* this.#write('reasoning', event.messageId, event.delta)
      case 'model.completed':
        yield* this.#beginStep()
        this.#isAnswered = true
        return
      case 'tool.called':
        if (!this.#isStepOpen) yield* this.#beginStep()
        yield* this.#closeAll()
        this.#calls.add(event.callId)
        yield { type: 'tool-input-available', toolCallId: event.callId, toolName: event.tool, input: event.input }
        return
      case 'tool.completed':
        // Whoever follows from the middle of a run has not seen some calls, and useChat refuses their results.
        if (!this.#calls.has(event.callId)) return
        yield { type: 'tool-output-available', toolCallId: event.callId, output: event.result }
        return
      case 'tool.failed':
        if (!this.#calls.has(event.callId)) return
        yield { type: 'tool-output-error', toolCallId: event.callId, errorText: event.error.message }
        return
      case 'reference.created':
        yield { type: 'data-reference', id: event.reference.id, data: event.reference }
        return
      case 'plan.saved': {
        const { planId, version, hash } = event
        yield { type: 'data-plan', id: planId, data: { planId, version, hash } }
        return
      }
      case 'approval.requested':
        this.#approvals.set(event.approval.approvalId, event.approval)
        yield { type: 'data-approval', id: event.approval.approvalId, data: event.approval }
        return
      case 'approval.decided': {
        const { approvalId, decision } = event.record
        const data = { approvalId, ...this.#approvals.get(approvalId), status: decision }
        yield { type: 'data-approval', id: approvalId, data }
        return
      }
      case 'run.completed':
        yield* this.#complete(event.text)
        yield* this.#end('stop')
        return
      case 'run.suspended':
        return yield* this.#end('tool-calls')
      case 'run.limited':
        return yield* this.#end('length')
      case 'run.failed':
        yield { type: 'error', errorText: event.error.message }
        return yield* this.#end('error')
      case 'run.cancelled':
        yield* this.#endStep()
        yield { type: 'abort' }
    }
  }

  *#write(kind: Block['kind'], messageId: string, delta: string): Generator<UIMessageChunk> {
    if (delta === '') return
    if (!this.#isStepOpen || this.#isAnswered) yield* this.#beginStep()
    let block = this.#open.get(messageId)
    if (block?.kind !== kind) {
      yield* this.#close(messageId)
      block = { kind, id: String(this.#blocks++) }
      this.#open.set(messageId, block)
      yield { type: `${kind}-start`, id: block.id }
    }
    if (kind === 'text') {
      if (this.#last?.messageId !== messageId) this.#last = { messageId, text: '' }
      this.#last.text += delta
    }
    yield { type: `${kind}-delta`, id: block.id, delta }
  }

  /** Deltas may be lost to a slow consumer, and some answers have none: the answer is shown as it was in the end. */
  *#complete(text: string): Generator<UIMessageChunk> {
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
    yield { type: 'start-step' }
  }

  *#endStep(): Generator<UIMessageChunk> {
    yield* this.#closeAll()
    if (this.#isStepOpen) yield { type: 'finish-step' }
    this.#isStepOpen = false
    this.#isAnswered = false
  }

  *#end(finishReason: 'stop' | 'length' | 'tool-calls' | 'error'): Generator<UIMessageChunk> {
    yield* this.#endStep()
    yield { type: 'finish', finishReason }
  }
}

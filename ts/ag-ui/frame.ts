import type { AgUiEvent } from './event.ts'

/** One agent of a run: what is open of its answer. */
export class Frame {
  /** `undefined`: the agent that was asked. */
  readonly id: string | undefined
  /** The call that it was called by. */
  readonly callId: string | undefined
  agent: string | undefined
  /** Text of its last message, and of those that its model paused after. */
  said = ''
  saidBefore = ''
  isPaused = false
  /** Whether its end was heard. The result of its call, which comes next, says whether it has failed. */
  hasEnded = false
  #lastMessage: string | undefined
  #step = 0
  #isStepOpen = false
  /** Whether the model of the open step has said all it will. */
  #isAnswered = false
  #text: string | undefined
  #reasoning: { readonly of: string; readonly id: string } | undefined
  #reasonings = 0
  /** The message that calls of the open step belong to. */
  #parent: string | undefined

  constructor(id?: string, agent?: string, callId?: string) {
    this.id = id
    this.agent = agent
    this.callId = callId
  }

  *text(messageId: string, delta: string): Generator<AgUiEvent> {
    if (delta === '') return
    yield* this.beginAnswer()
    yield* this.#closeReasoning()
    const id = this.#own(messageId)
    if (this.#text !== id) {
      yield* this.#closeText()
      this.#text = id
      this.#parent = id
      yield this.tagged({ type: 'TEXT_MESSAGE_START', messageId: id, role: 'assistant' })
    }
    if (this.#lastMessage !== messageId) {
      this.#lastMessage = messageId
      this.said = ''
      if (!this.isPaused) this.saidBefore = ''
    }
    this.said += delta
    yield this.tagged({ type: 'TEXT_MESSAGE_CONTENT', messageId: id, delta })
  }

  *reasoning(messageId: string, delta: string): Generator<AgUiEvent> {
    if (delta === '') return
    yield* this.beginAnswer()
    if (this.#reasoning?.of !== messageId) {
      yield* this.#closeReasoning()
      this.#reasonings += 1
      const id = `${this.#own(messageId)}-reasoning-${this.#reasonings}`
      this.#reasoning = { of: messageId, id }
      yield this.tagged({ type: 'REASONING_START', messageId: id })
      yield this.tagged({ type: 'REASONING_MESSAGE_START', messageId: id, role: 'reasoning' })
    }
    yield this.tagged({ type: 'REASONING_MESSAGE_CONTENT', messageId: this.#reasoning?.id ?? '', delta })
  }

  *answered(): Generator<AgUiEvent> {
    yield* this.beginAnswer()
    yield* this.#closeMessages()
    this.#isAnswered = true
  }

  *call(toolCallId: string, toolCallName: string, input: unknown): Generator<AgUiEvent> {
    if (!this.#isStepOpen) yield* this.beginAnswer()
    yield* this.#closeMessages()
    this.#parent ??= toolCallId
    const parent = this.#parent === toolCallId ? {} : { parentMessageId: this.#parent }
    yield this.tagged({ type: 'TOOL_CALL_START', toolCallId, toolCallName, ...parent })
    yield this.tagged({ type: 'TOOL_CALL_ARGS', toolCallId, delta: JSON.stringify(input ?? null) })
    yield this.tagged({ type: 'TOOL_CALL_END', toolCallId })
  }

  /** Takes back a message that its model broke off. */
  *discard(messageId: string): Generator<AgUiEvent> {
    const id = this.#own(messageId)
    if (this.#text !== id && this.#reasoning?.of !== messageId) return
    yield* this.#closeMessages()
    this.said = ''
    this.#lastMessage = undefined
    yield this.tagged({ type: 'CUSTOM', name: 'message.discarded', value: { messageId: id } })
  }

  /** Ends what is open. */
  *end(): Generator<AgUiEvent> {
    yield* this.#closeMessages()
    if (this.#isStepOpen) yield this.tagged({ type: 'STEP_FINISHED', stepName: `step ${this.#step}` })
    this.#isStepOpen = false
    this.#isAnswered = false
    this.#parent = undefined
  }

  /** Begins a step, unless one is open whose model goes on. */
  *beginAnswer(): Generator<AgUiEvent> {
    if (this.#isStepOpen && !this.#isAnswered) return
    yield* this.end()
    this.#isStepOpen = true
    this.#step += 1
    yield this.tagged({ type: 'STEP_STARTED', stepName: `step ${this.#step}` })
  }

  /** An event of this agent. */
  tagged(event: AgUiEvent): AgUiEvent {
    return this.id === undefined ? event : { ...event, subagentRunId: this.id }
  }

  *#closeMessages(): Generator<AgUiEvent> {
    yield* this.#closeReasoning()
    yield* this.#closeText()
  }

  *#closeText(): Generator<AgUiEvent> {
    if (this.#text !== undefined) yield this.tagged({ type: 'TEXT_MESSAGE_END', messageId: this.#text })
    this.#text = undefined
  }

  *#closeReasoning(): Generator<AgUiEvent> {
    if (this.#reasoning !== undefined) {
      const { id } = this.#reasoning
      yield this.tagged({ type: 'REASONING_MESSAGE_END', messageId: id })
      yield this.tagged({ type: 'REASONING_END', messageId: id })
    }
    this.#reasoning = undefined
  }

  /** Ids of messages are those of one agent. */
  #own(messageId: string): string {
    return this.id === undefined ? messageId : `${this.id}/${messageId}`
  }
}

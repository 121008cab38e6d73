import { AsyncResource } from 'node:async_hooks'
import type { Approval } from '../ledger/index.ts'
import { type Bridge, Question, type QuestionHost, Reply } from '../native/bridge.ts'
import type { Model, ModelRequest, ToolContext, ToolHandler } from '../spec/callbacks.ts'
import type { DataEnvironment } from '../spec/data-environment.ts'
import type { JsonValue } from '../spec/json-value.ts'
import type { StandardSchema } from '../spec/schema.ts'
import type { Tenant } from '../spec/tenant.ts'
import type { ApprovalResponse } from './approvals.ts'
import { failureText, type Redact } from './failures.ts'
import { askModel, type ModelAsked, ModelMemory } from './model-call.ts'
import { callTool, contextFor, type ToolAsked } from './tool-call.ts'
import type { Cache, References } from './types.ts'

/** What an approver answers. */
export type ApproverAnswer = ApprovalResponse | { readonly decision: 'defer' }

/** What a runtime was given to answer the core's questions with. */
export interface HostParts {
  readonly tenant: Tenant
  readonly references: References
  readonly cache: Cache
  readonly dataEnvironment: DataEnvironment | undefined
  /** The handler of a tool. */
  readonly handler: (tool: string) => ToolHandler | undefined
  /** The schemas that validate more than JSON Schema can say. */
  readonly schemas: (tool: string) => { readonly input?: StandardSchema; readonly output?: StandardSchema }
  /** The model of a provider. Throws what the host's factory throws. */
  readonly model: (provider: string) => Model
  readonly needsApproval:
    | ((call: { tool: string; input: JsonValue; context: ToolContext }) => boolean | Promise<boolean>)
    | undefined
  readonly approve: ((approval: Approval) => Promise<ApproverAnswer>) | undefined
  /** Takes secrets out of a text. */
  readonly redact: Redact
}

/** Answers the core's questions of one run, in the async context of the call that began it. */
export class RunHost implements QuestionHost {
  readonly #bridge: Bridge
  readonly #runId: string
  readonly #parts: HostParts
  readonly #context = new AsyncResource('bailiwick.run')
  readonly #memory = new ModelMemory()
  readonly #open = new Map<number, AbortController>()
  #begin: () => void = () => {}
  /** Resolves with the first question. */
  readonly asked: Promise<void>

  constructor(bridge: Bridge, runId: string, parts: HostParts) {
    this.#bridge = bridge
    this.#runId = runId
    this.#parts = parts
    this.asked = new Promise((resolve) => {
      this.#begin = resolve
    })
  }

  /** Not answered right here: whoever fetched the question is not done yet, and what is called may call back. */
  ask(token: number, what: Question, request: string): void {
    this.#begin()
    const controller = new AbortController()
    this.#open.set(token, controller)
    queueMicrotask(() => {
      this.#context.runInAsyncScope(() => {
        void this.#answer(token, what, request, controller.signal)
      })
    })
  }

  over(token: number): void {
    const controller = this.#open.get(token)
    this.#open.delete(token)
    if (controller !== undefined) this.#context.runInAsyncScope(() => abort(controller))
  }

  /** The run is over, and with it everything that was asked. */
  end(): void {
    for (const token of [...this.#open.keys()]) this.over(token)
  }

  /** Never rejects. */
  async #answer(token: number, what: Question, request: string, signal: AbortSignal): Promise<void> {
    try {
      switch (what) {
        case Question.model:
          await this.#model(token, request, signal)
          break
        case Question.tool: {
          const write = await callTool(this.#runId, JSON.parse(request) as ToolAsked, signal, this.#parts)
          this.#reply(token, write)
          break
        }
        case Question.needsApproval:
          await this.#needsApproval(token, request, signal)
          break
        default:
          await this.#approve(token, request)
      }
    } catch (error) {
      this.#fail(token, error)
    }
    this.#open.delete(token)
  }

  async #model(token: number, request: string, signal: AbortSignal): Promise<void> {
    const asked = JSON.parse(request) as ModelAsked
    const { provider, request: modelRequest } = this.#memory.request(asked, signal, (id) =>
      this.#parts.references.resolve(id),
    )
    const model = this.#parts.model(provider)
    const send = (kind: typeof Reply.piece | typeof Reply.value, text: string) => {
      this.#bridge.answer(token, kind, (message) => message.raw(text))
    }
    await askModel(model, modelRequest as ModelRequest, send)
  }

  async #needsApproval(token: number, request: string, signal: AbortSignal): Promise<void> {
    const asked = JSON.parse(request) as ToolAsked
    const context = contextFor(this.#runId, asked, signal, this.#parts)
    const { tool, input } = asked
    const answer: unknown = await this.#parts.needsApproval?.({ tool, input: input as JsonValue, context })
    this.#reply(token, (message) => message.raw(JSON.stringify(typeof answer === 'boolean' ? answer : null)))
  }

  async #approve(token: number, request: string): Promise<void> {
    const { approval } = JSON.parse(request) as { approval: Approval }
    const answer: unknown = await this.#parts.approve?.(approval)
    const text = JSON.stringify(answer ?? null) ?? 'null'
    this.#reply(token, (message) => message.raw(text))
  }

  #reply(token: number, write: Parameters<Bridge['answer']>[2]): void {
    this.#bridge.answer(token, Reply.value, write)
  }

  #fail(token: number, error: unknown): void {
    try {
      const text = failureText(error, this.#parts.redact)
      this.#bridge.answer(token, Reply.failure, (message) => message.raw(text))
    } catch {
      // The environment has ended: nobody waits for it.
    }
  }
}

/** A listener of the host's that throws is not ours to end the process for. */
function abort(controller: AbortController): void {
  try {
    controller.abort()
  } catch {}
}

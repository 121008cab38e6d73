import { AsyncResource } from 'node:async_hooks'
import { assertSize, jsonText, wholeJsonText } from '../../arguments/checks.ts'
import { strictJson } from '../../arguments/strict-json.ts'
import { quietly } from '../../common/quietly.ts'
import { errorFromCode } from '../../errors/from-code.ts'
import { InvalidInputError } from '../../errors/index.ts'
import type { Approval } from '../../ledger/index.ts'
import { type Bridge, Callback, type CallbackHost, Reply } from '../../native/bridge.ts'
import type { StandardSchema } from '../../spec/schema/schema.ts'
import type { Activity, RunSpans } from '../../telemetry/index.ts'
import type { JsonValue } from '../../types/json.ts'
import { modelAround } from './around.ts'
import { CallFailure, failureText } from './failures.ts'
import type { ErrorSource } from './host-errors.ts'
import type { HostParts } from './host-parts.ts'
import { askModel, type ModelCallback, ModelMemory } from './model/call.ts'
import type { Heard } from './model/events.ts'
import { warnOfModel } from './model/warnings.ts'
import { Progress } from './progress.ts'
import { callTool, contextFor, issuesText, type ToolCallback } from './tool-call.ts'

/** An open callback request. */
interface Open {
  readonly controller: AbortController
  activity?: { fail(error: unknown): void }
}

/** A request to the approver, or what is said of its answer that is refused. */
interface ApproveCallback {
  readonly agent: string
  readonly frame: number
  readonly approval: Approval
  readonly refused?: { readonly code: string; readonly message: string }
}

/** The members of an answer of `needsApproval` that is no boolean. */
const needMembers = ['required', 'to', 'quorum', 'notBy']

/** Error of the span of a callback request that ended before its answer: cancelled, timed out, or closed. */
const CUT_OFF = { code: 'CANCELLED' }

/** Answers the callback requests of one run, in the async context of the call that started it. */
export class RunHost implements CallbackHost {
  readonly #bridge: Bridge
  readonly #runId: string
  readonly #parts: HostParts
  readonly #context = new AsyncResource('bailiwick.run')
  readonly #memory = new ModelMemory()
  readonly #spans: RunSpans
  readonly #open = new Map<number, Open>()
  #begin: () => void = () => {}
  /** Resolves with the first callback request. */
  readonly firstRequest: Promise<void>

  constructor(bridge: Bridge, runId: string, parts: HostParts, spans: RunSpans) {
    this.#bridge = bridge
    this.#runId = runId
    this.#parts = parts
    this.#spans = spans
    this.firstRequest = new Promise((resolve) => {
      this.#begin = resolve
    })
  }

  ask(token: number, what: Callback, request: string): void {
    this.#begin()
    const controller = this.#parts.controller()
    this.#open.set(token, { controller })
    inScope(this.#context, () => {
      void this.#answer(token, what, request, controller.signal)
    })
  }

  over(token: number): void {
    const open = this.#open.get(token)
    this.#open.delete(token)
    if (open === undefined) return
    inScope(this.#context, () => {
      open.activity?.fail(CUT_OFF)
      abort(open.controller)
    })
  }

  /** Ends the run and aborts its open callbacks. */
  end(): void {
    for (const token of [...this.#open.keys()]) this.over(token)
  }

  /** Never rejects. */
  async #answer(token: number, what: Callback, request: string, signal: AbortSignal): Promise<void> {
    try {
      switch (what) {
        case Callback.model:
          await this.#model(token, request, signal)
          break
        case Callback.tool:
          await this.#tool(token, request, signal)
          break
        case Callback.needsApproval:
          await this.#needsApproval(token, request, signal)
          break
        case Callback.output:
          await this.#output(token, request)
          break
        case Callback.input:
          await this.#input(token, request)
          break
        default:
          await this.#approve(token, request)
      }
    } catch (error) {
      quietly(() => this.#tell(token, what, request, error))
      this.#fail(token, error)
    }
    this.#open.delete(token)
  }

  async #model(token: number, request: string, signal: AbortSignal): Promise<void> {
    const callback = JSON.parse(request) as ModelCallback
    const { provider, request: modelRequest } = this.#memory.request(callback, signal, (id) =>
      this.#parts.references.resolve(id),
    )
    const send = (kind: typeof Reply.piece | typeof Reply.value, text: string) => {
      this.#bridge.answer(token, kind, (message) => message.raw(text))
    }
    const { activity, hear: record } = this.#spans.chat(callback, modelRequest)
    const hear = (event: Heard) => {
      if (event.type === 'warning') warnOfModel(callback.model, event['message'], this.#parts.redact)
      record(event)
    }
    const isOpen = () => this.#open.has(token)
    await this.#during(token, activity, async () => {
      const { tenant, around } = this.#parts
      const context = Object.freeze({ tenant, runId: this.#runId, agent: callback.agent, model: callback.model })
      const model = modelAround(this.#parts.model(provider), around.model, context)
      await askModel(model, modelRequest, { send, hear, isOpen })
      activity.end(undefined)
    })
  }

  async #tool(token: number, request: string, signal: AbortSignal): Promise<void> {
    const callback = JSON.parse(request) as ToolCallback
    const activity = this.#spans.tool(callback)
    await this.#during(token, activity, async () => {
      const progress = new Progress((text) => {
        if (this.#open.has(token)) this.#bridge.answer(token, Reply.piece, (message) => message.raw(text))
      })
      const answer = await callTool(callback, signal, this.#parts, (text) => progress.show(text))
      const result = activity.isRecording && this.#parts.tracing.telemetry.recordsContent ? answer.shown() : undefined
      activity.end(result === undefined ? {} : { result })
      this.#reply(token, (message) => answer.write(message))
    })
  }

  /** Runs a host callback with its span active. The span fails if the callback does, or when the request is cancelled. */
  async #during<R>(token: number, activity: Activity<R>, work: () => Promise<void>): Promise<void> {
    const open = this.#open.get(token)
    if (open === undefined) activity.fail(CUT_OFF)
    else open.activity = activity
    try {
      await activity.run(work)
    } catch (error) {
      activity.fail(error instanceof CallFailure ? { code: error.code } : error)
      throw error
    }
  }

  async #needsApproval(token: number, request: string, signal: AbortSignal): Promise<void> {
    const callback = JSON.parse(request) as ToolCallback
    const context = contextFor(callback, signal, this.#parts, () => {})
    const { tool, input } = callback
    const decide = () => this.#parts.needsApproval?.({ tool, input: input as JsonValue, context })
    const answer: unknown = await this.#spans.approval(callback, decide)
    const text = strictJson(answer, 'The answer of needsApproval', needMembers)
    this.#reply(token, (message) => message.raw(text))
  }

  async #approve(token: number, request: string): Promise<void> {
    const callback = JSON.parse(request) as ApproveCallback
    const { refused } = callback
    // The answer before cannot be taken, which no caller hears.
    if (refused !== undefined) throw errorFromCode(refused.code, refused.message)
    const answer: unknown = await this.#spans.approval(callback, () => this.#parts.approve?.(callback.approval))
    const text = approverText(answer)
    assertSize(text.length)
    this.#reply(token, (message) => message.raw(text))
  }

  async #output(token: number, request: string): Promise<void> {
    const { agent, output } = JSON.parse(request) as { agent: string; output: JsonValue }
    const schema = this.#parts.outputSchema(agent)
    const text = schema === undefined ? '{}' : await this.#outputText(schema, output)
    assertSize(text.length)
    this.#reply(token, (message) => message.raw(text))
  }

  /** Whether an input fits its tool's schema: only then is an approval requested. */
  async #input(token: number, request: string): Promise<void> {
    const { tool, input } = JSON.parse(request) as { tool: string; input: JsonValue }
    const outcome = await this.#parts.schemas(tool).input?.['~standard'].validate(input)
    const text = outcome?.issues === undefined ? '{}' : jsonText({ problem: this.#problem(outcome.issues) })
    assertSize(text.length)
    this.#reply(token, (message) => message.raw(text))
  }

  #problem(issues: Parameters<typeof issuesText>[0]): string {
    return this.#parts.redact(issuesText(issues)).toWellFormed()
  }

  async #outputText(schema: StandardSchema, output: JsonValue): Promise<string> {
    const outcome = await schema['~standard'].validate(output)
    if (outcome.issues === undefined) return wholeJsonText({ output: outcome.value ?? null })
    return jsonText({ problem: this.#problem(outcome.issues) })
  }

  /** Tells the host, unless it is the model's mistake, or nothing but the end of what was cancelled. */
  #tell(token: number, what: Callback, request: string, error: unknown): void {
    if (error instanceof CallFailure && error.code === 'INPUT_INVALID') return
    if (!this.#open.has(token) && isAbort(error)) return
    const about = { tenant: this.#parts.tenant.resourceId, runId: this.#runId }
    this.#parts.tell(error, Object.freeze({ ...about, ...callOf(what, request) }))
  }

  #reply(token: number, write: Parameters<Bridge['answer']>[2]): void {
    this.#bridge.answer(token, Reply.value, write)
  }

  #fail(token: number, error: unknown): void {
    try {
      const text = failureText(error, this.#parts.redact)
      this.#bridge.answer(token, Reply.failure, (message) => message.raw(text))
    } catch {
      // The environment has ended: the answer is no longer awaited.
    }
  }
}

/** Returns the call of a callback request. */
function callOf(what: Callback, request: string): Pick<ErrorSource, 'callId' | 'tool'> {
  if (what === Callback.tool || what === Callback.needsApproval) {
    const { callId, tool } = JSON.parse(request) as ToolCallback
    return { callId, tool }
  }
  if (what !== Callback.approve) return {}
  const { subject } = (JSON.parse(request) as { approval: Approval }).approval
  return 'tool' in subject ? { tool: subject.tool } : {}
}

/** Whether an error says no more than that something was aborted. */
/**
 * JSON text of an approver's answer.
 *
 * @throws InvalidInputError for an edited input that would be lost: the call would be approved without the edit
 */
function approverText(answer: unknown): string {
  const text = JSON.stringify(answer ?? null) ?? 'null'
  const input = (answer as { readonly input?: unknown } | null | undefined)?.input
  if (input === undefined) return text
  wholeJsonText(input, 'input')
  if ((JSON.parse(text) as { readonly input?: unknown } | null)?.input !== undefined) return text
  throw new InvalidInputError(
    'The input of the answer of approve is no property of its own. Answer with a plain object.',
  )
}

function isAbort(error: unknown): boolean {
  return (error as { name?: unknown } | null | undefined)?.name === 'AbortError'
}

const { runInAsyncScope } = AsyncResource.prototype
const abortSignal = AbortController.prototype.abort

/** Runs something in the async context of a run. The host may get hold of that context, and put a method of its own onto it. */
function inScope(context: AsyncResource, work: () => void): void {
  runInAsyncScope.call(context, work)
}

/** Aborts, even if a listener of the host throws. */
function abort(controller: AbortController): void {
  try {
    abortSignal.call(controller)
  } catch {}
}

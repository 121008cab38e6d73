import { assertText, jsonText } from '../arguments/checks.ts'
import { assertId } from '../arguments/ids.ts'
import { type Checks, option, readOptions } from '../arguments/options.ts'
import { isAborted, onAbort } from '../arguments/signals.ts'
import { askedAgent } from '../common/asked-agent.ts'
import { quietly } from '../common/quietly.ts'
import { wordOf } from '../common/shown-values.ts'
import {
  BailiwickError,
  ClosedError,
  InternalError,
  InvalidInputError,
  SpecError,
  TenantMismatchError,
} from '../errors/index.ts'
import type { Message } from '../native/message.ts'
import { Operation } from '../native/operations.ts'
import { json, nothing, type Session, type Write } from '../session/session.ts'
import { RunSpans } from '../telemetry/index.ts'
import type { OnChanged, QueryRequest, Run, RunResult, RunSummary } from '../types/runs.ts'
import type { RunLimits } from '../types/tenant.ts'
import type { HostParts } from './host/host-parts.ts'
import { RunHost } from './host/run-host.ts'
import { LiveRun } from './live-run.ts'
import { RefusedRun } from './refused-run.ts'
import { cancelRun, type RestingSummary, RunReader, readSummary } from './run-reader.ts'

const requestChecks: Checks<QueryRequest> = {
  prompt: (prompt) => {
    if (typeof prompt === 'string') assertText(prompt, 'prompt')
    else if (!Array.isArray(prompt)) throw withoutPrompt()
  },
  threadId: option.text,
  tenant: option.any,
  actor: option.text,
  signal: option.signal,
  limits: option.object,
  requestKey: option.text,
  whenBusy: option.text,
  startAt: option.number,
  instructions: option.any,
}
const limitChecks: Checks<RunLimits> = {
  maxSteps: option.any,
  maxToolCalls: option.any,
  maxTokens: option.any,
  maxDurationMs: option.any,
}

/** Arguments that start or resume a run. */
interface Start {
  readonly spans: RunSpans
  readonly threadId?: string
  readonly write: Write
  readonly signal?: AbortSignal | undefined
  /** Before that it is not submitted. Never rejects. */
  readonly ready?: Promise<void> | undefined
  readonly resumedAfter?: Promise<number | undefined> | undefined
  readonly isTaken?: boolean
}

/** Starts and resumes runs, and answers their callback requests. */
export class RunStarter {
  readonly #session: Session
  readonly #parts: HostParts
  readonly #running = new Map<string, Running>()

  constructor(session: Session, parts: HostParts) {
    this.#session = session
    this.#parts = parts
  }

  /** Begins a run. What is wrong with the request is what its result rejects with. */
  begin<O>(given: string | QueryRequest, specialist: string | undefined): Run<O> {
    try {
      this.#session.assertOpen()
      const { text, prompt, threadId, tenant, signal, requestKey } = readRequest(given, specialist)
      this.#assertOwn(tenant)
      const { tracing } = this.#parts
      if (tracing.spec.agents.length === 0) throw withoutAgents()
      const ids = this.#session.bridge.prepareRun(this.#session.number, requestKey)
      const thread = threadId ?? ids.threadId
      const agent = specialist ?? askedAgent(tracing.spec.agents)
      const spans = new RunSpans(tracing, ids.runId, { agent, threadId: thread, prompt })
      const write = (message: Message) =>
        message
          .u8(this.#approver)
          .u8(isAborted(signal) ? 1 : 0)
          .text(withTrace(text, spans.traceparent))
      return this.#run<O>(Operation.runStart, ids.runId, { spans, threadId: thread, write, signal })
    } catch (error) {
      return new RefusedRun(asBailiwick(error)) as Run<never>
    }
  }

  /** @throws TenantMismatchError if the request names another tenant, which is recorded in the traces */
  #assertOwn(tenant: string | undefined): void {
    if (tenant === undefined || tenant === this.#parts.tenant.resourceId) return
    this.#session.submit(Operation.tracesRejected, nothing, nothing).catch(nothing)
    throw new TenantMismatchError(
      'This runtime serves another tenant than the one named. Use the runtime that was created for that tenant.',
    )
  }

  /** Runs that were begun or resumed here and are not over. */
  get running(): ReadonlyMap<string, Running> {
    return this.#running
  }

  /** Resumes a run. `onChanged` reads an option, and may throw. */
  resume(runId: string, onChanged: () => OnChanged | undefined): Run<unknown> {
    return this.#resume(runId, false, undefined, onChanged)
  }

  /** Resumes a run that was taken as work. `row` is the time of its row, if it has one. */
  takeUp(runId: string, row: number | undefined, onChanged: OnChanged | undefined): Run<unknown> {
    return this.#resume(runId, true, row, () => onChanged)
  }

  /** Makes a run due that no process works at, so that a host takes it up. */
  async wake(runId: string): Promise<void> {
    assertId('run', runId)
    await this.#session.submit(Operation.runRelease, (message) => message.text(runId).u8(0), nothing)
  }

  #resume(
    runId: string,
    isTaken: boolean,
    row: number | undefined,
    onChanged: () => OnChanged | undefined,
  ): Run<unknown> {
    try {
      this.#session.assertOpen()
      assertId('run', runId)
      const takes = onChanged() === 'take' ? 1 : 0
      const write = (message: Message) =>
        message
          .u8(this.#approver)
          .u8(isTaken ? 1 : 0)
          .optionalNumber(row)
          .u8(takes)
      const spans = new RunSpans(this.#parts.tracing, runId, {})
      const known = this.#known(runId)
      const ready = this.#learn(runId, known, spans)
      const resumedAfter = known.then((summary) => summary?.restsAt)
      return this.#run<unknown>(Operation.runResume, runId, { spans, write, ready, resumedAfter, isTaken })
    } catch (error) {
      return new RefusedRun(asBailiwick(error))
    }
  }

  get #approver(): number {
    return this.#parts.approve === undefined ? 0 : 1
  }

  /** Reads a run before it is resumed. Never rejects: resuming reports the problem. */
  async #known(runId: string): Promise<RestingSummary | undefined> {
    return await readSummary(this.#session, runId).catch(() => undefined)
  }

  /** Adds the summary and origin of the run to its spans, before child spans start. Never rejects, as `known` does not. */
  async #learn(runId: string, known: Promise<RunSummary | undefined>, spans: RunSpans): Promise<void> {
    if (!spans.isRecording) return void (await known)
    const origin = this.#session.submit(
      Operation.runOrigin,
      (message) => message.text(runId),
      (answer) => answer.restAsText(),
    )
    const [summary, traceparent] = await Promise.all([known, origin.catch(() => undefined)])
    if (summary !== undefined) quietly(() => spans.learn(summary))
    if (traceparent !== undefined) quietly(() => spans.linkTo(traceparent))
  }

  async #over(runId: string, submitted: Promise<unknown>): Promise<boolean> {
    try {
      await submitted
      return false
    } catch (error) {
      return ClosedError.isInstance(error)
    } finally {
      this.#running.delete(runId)
    }
  }

  #run<O>(
    operation: Operation,
    runId: string,
    { spans, threadId, write, signal, ready, resumedAfter, isTaken }: Start,
  ): Run<O> {
    const session = this.#session
    const { bridge } = session
    const host = new RunHost(bridge, runId, this.#parts, spans)
    const hostNumber = bridge.addHost(host)
    const submit = () =>
      session.submit(operation, (message) => write(message.text(runId).optionalNumber(hostNumber)), json<RunResult<O>>)
    const submitted = ready === undefined ? submit() : ready.then(submit)
    this.#running.set(runId, { isTaken: isTaken === true, over: this.#over(runId, submitted) })
    // It may be over, or the handle closed: then there is nothing to cancel.
    const cancel = () => void cancelRun(session, runId).catch(nothing)
    // If it was aborted already, the call itself told the core.
    const stop = onAbort(signal, cancel)
    const result = submitted.finally(() => {
      stop()
      bridge.removeHost(hostNumber)
      host.end()
    })
    const ended = submitted.then(
      (known) => spans.end(known),
      (error: unknown) => spans.fail(error),
    )
    // The host's span processor may throw; that must not affect the run.
    ended.catch(() => {})
    const begun =
      operation === Operation.runStart ? Promise.resolve() : Promise.race([host.firstRequest, settled(submitted)])
    const reader = new RunReader(session, runId)
    return new LiveRun<O>({
      runId,
      ...(threadId === undefined ? {} : { threadId }),
      reader,
      result,
      begun,
      cancel,
      ...(resumedAfter === undefined ? {} : { resumedAfter }),
    })
  }
}

/** A run that is not over. */
interface Running {
  /** Whether it was taken as work, so that no caller waits for it. */
  readonly isTaken: boolean
  /** Resolves once it is over here, with whether it was given up. */
  readonly over: Promise<boolean>
}

function settled(promise: Promise<unknown>): Promise<void> {
  return promise.then(nothing, nothing)
}

/** A request, checked. */
interface CheckedRequest {
  /** The request as the core reads it. */
  readonly text: string
  readonly prompt: unknown
  readonly threadId: string | undefined
  /** The resourceId of the tenant that the request names. */
  readonly tenant: string | undefined
  readonly signal: AbortSignal | undefined
  readonly requestKey: string | undefined
}

/** Reads a request once and checks it. */
function readRequest(given: string | QueryRequest, specialist: string | undefined): CheckedRequest {
  if (specialist !== undefined && (typeof specialist !== 'string' || !specialist.isWellFormed())) {
    throw new InvalidInputError(`runSpecialist takes the name of a specialist, not ${wordOf(specialist)}.`)
  }
  const request: QueryRequest = typeof given === 'string' ? { prompt: given } : given
  if (typeof request !== 'object' || request === null) {
    throw new InvalidInputError(`The request must be a prompt or { prompt, … }, not ${wordOf(request)}.`)
  }
  const { prompt, threadId, tenant, actor, signal, limits, requestKey, whenBusy, startAt, instructions } = readOptions(
    request,
    requestChecks,
    'The request',
  )
  if (prompt === undefined) throw withoutPrompt()
  const text = jsonText(
    {
      specialist,
      prompt,
      threadId,
      actor,
      limits: limits && readOptions(limits, limitChecks, 'limits', 'limits.'),
      whenBusy,
      startAt,
      instructions,
    },
    'The request',
  )
  return { text, prompt, threadId, tenant: nameOf(tenant), signal, requestKey }
}

function nameOf(tenant: QueryRequest['tenant'] | undefined): string | undefined {
  const name: unknown = typeof tenant === 'object' ? tenant?.resourceId : tenant
  if (tenant === undefined || typeof name === 'string') return name as string | undefined
  throw new InvalidInputError('tenant must be a resourceId or a tenant. Leave it out if the request names none.')
}

function withoutPrompt(): InvalidInputError {
  return new InvalidInputError('query takes a prompt or { prompt, … }.')
}

function withoutAgents(): SpecError {
  const message = 'This runtime has no agents, so no agent handles the request. Add agents to defineRuntime.'
  return new SpecError([{ path: 'agents', message }])
}

/** The request with the span that it runs in: its journal keeps that. */
function withTrace(text: string, traceparent: string | undefined): string {
  if (traceparent === undefined) return text
  return `${text.slice(0, -1)}${text === '{}' ? '' : ','}"trace":${JSON.stringify(traceparent)}}`
}

/** Returns the error for the caller. A getter of the request may have thrown anything. */
function asBailiwick(error: unknown): BailiwickError {
  if (BailiwickError.isInstance(error)) return error
  if (error instanceof RangeError || error instanceof TypeError) {
    return new InvalidInputError('The request cannot be read.', { cause: error })
  }
  return new InternalError('The run could not be begun.', { cause: error })
}

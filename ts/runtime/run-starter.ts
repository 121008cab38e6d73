import { type Checks, option, readOptions } from '../arguments/options.ts'
import {
  BailiwickError as AnyError,
  type BailiwickError,
  ClosedError,
  InternalError,
  InvalidInputError,
} from '../errors/index.ts'
import type { Bridge } from '../native/bridge.ts'
import type { Message } from '../native/message.ts'
import { Operation } from '../native/operations.ts'
import { quietly } from '../quietly.ts'
import type { RunLimits } from '../spec/limits.ts'
import { askedAgent, RunSpans } from '../telemetry/index.ts'
import { assertOpen, assertText, jsonText } from './guard.ts'
import type { Handle } from './handle.ts'
import { isAborted, onAbort } from './host-signal.ts'
import { LiveRun } from './live-run.ts'
import { notFound } from './not-found.ts'
import { type QueryRequest, RefusedRun, type Run, type RunResult, type RunSummary } from './run.ts'
import { type HostParts, RunHost } from './run-host.ts'
import { RunReader } from './run-reader.ts'
import { isRunId, readSummary } from './runs.ts'

const requestChecks: Checks<QueryRequest> = {
  prompt: (prompt) => {
    if (typeof prompt === 'string') assertText(prompt, 'prompt')
  },
  threadId: option.text,
  tenant: option.any,
  actor: option.text,
  signal: option.signal,
  limits: option.object,
}
const limitChecks: Checks<RunLimits> = {
  maxSteps: option.any,
  maxToolCalls: option.any,
  maxTokens: option.any,
  maxDurationMs: option.any,
}

/** What a run is submitted with. */
interface Start {
  readonly spans: RunSpans
  readonly threadId?: string
  readonly write: (message: Message) => void
  readonly signal?: AbortSignal | undefined
  /** Before that it is not submitted. Never rejects. */
  readonly ready?: Promise<void> | undefined
  readonly resumedAfter?: Promise<number | undefined> | undefined
}

/** Begins runs and goes on with them, and answers what the core asks meanwhile. */
export class RunStarter {
  readonly #bridge: Bridge
  readonly #handle: Handle
  readonly #parts: HostParts

  constructor(bridge: Bridge, handle: Handle, parts: HostParts) {
    this.#bridge = bridge
    this.#handle = handle
    this.#parts = parts
  }

  /** Begins a run. What is wrong with the request is what its result rejects with. */
  begin<O>(given: string | QueryRequest, specialist: string | undefined): Run<O> {
    try {
      assertOpen(this.#handle)
      const { text, prompt, threadId, signal } = readRequest(given, specialist)
      const ids = this.#bridge.prepareRun(this.#handle.number)
      const thread = threadId ?? ids.threadId
      const { tracing } = this.#parts
      const agent = askedAgent(tracing.spec, specialist)
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

  resume(runId: string): Run<unknown> {
    try {
      assertOpen(this.#handle)
      if (!isRunId(runId)) throw notFound()
      const write = (message: Message) => message.u8(this.#approver)
      const spans = new RunSpans(this.#parts.tracing, runId, {})
      const known = this.#known(runId)
      const ready = this.#learn(runId, known, spans)
      const resumedAfter = known.then((summary) => summary?.restsAt)
      return this.#run<unknown>(Operation.runResume, runId, { spans, write, ready, resumedAfter })
    } catch (error) {
      return new RefusedRun(asBailiwick(error))
    }
  }

  get #approver(): number {
    return this.#parts.approve === undefined ? 0 : 1
  }

  /** What is known of a run before it is gone on with. Never rejects: what is wrong, resuming says. */
  async #known(runId: string): Promise<(RunSummary & { readonly restsAt?: number }) | undefined> {
    return await readSummary(this.#bridge, this.#handle, runId).catch(() => undefined)
  }

  /** Whose spans these are, before there are any below them. Never rejects, as `known` does not. */
  async #learn(runId: string, known: Promise<RunSummary | undefined>, spans: RunSpans): Promise<void> {
    if (!spans.isRecording) return void (await known)
    const origin = this.#bridge.submit(
      Operation.runOrigin,
      this.#handle,
      (message) => message.text(runId),
      (answer) => answer.restAsText(),
    )
    const [summary, traceparent] = await Promise.all([known, origin.catch(() => undefined)])
    if (summary !== undefined) quietly(() => spans.learn(summary))
    if (traceparent !== undefined) quietly(() => spans.linkTo(traceparent))
  }

  #run<O>(operation: Operation, runId: string, { spans, threadId, write, signal, ready, resumedAfter }: Start): Run<O> {
    const host = new RunHost(this.#bridge, runId, this.#parts, spans)
    const hostNumber = this.#bridge.addHost(host)
    const submit = () =>
      this.#bridge.submit(
        operation,
        this.#handle,
        (message) => {
          message.text(runId).optionalNumber(hostNumber)
          write(message)
        },
        (answer) => answer.json<RunResult<O>>(),
      )
    const submitted = ready === undefined ? submit() : ready.then(submit)
    const cancel = () => {
      const nothing = () => {}
      // It may be over, or the handle closed: then there is nothing to cancel.
      this.#bridge.submit(Operation.runCancel, this.#handle, (message) => message.text(runId), nothing).catch(nothing)
    }
    // If it was aborted already, the call itself told the core.
    const stop = onAbort(signal, cancel)
    const result = submitted.finally(() => {
      stop()
      this.#bridge.removeHost(hostNumber)
      host.end()
    })
    const ended = submitted.then(
      (known) => spans.end(known),
      (error: unknown) => spans.fail(error),
    )
    // What processes the host's spans may throw; that is nothing to the run.
    ended.catch(() => {})
    const begun = operation === Operation.runStart ? Promise.resolve() : Promise.race([host.asked, settled(submitted)])
    const reader = new RunReader(this.#bridge, this.#handle, runId)
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

function settled(promise: Promise<unknown>): Promise<void> {
  const nothing = () => {}
  return promise.then(nothing, nothing)
}

/** What is wrong with a request, whoever is asked. */
export function wrongRequest(given: string | QueryRequest, specialist: string | undefined): BailiwickError | undefined {
  try {
    readRequest(given, specialist)
    return undefined
  } catch (error) {
    return asBailiwick(error)
  }
}

/** Checks a request and writes it as the core reads it. */
function readRequest(
  given: string | QueryRequest,
  specialist: string | undefined,
): { text: string; prompt: unknown; threadId: string | undefined; signal: AbortSignal | undefined } {
  const request: QueryRequest = typeof given === 'string' ? { prompt: given } : given
  const { prompt, threadId, actor, signal, limits: asked } = readOptions(request, requestChecks, 'The request')
  const limits = asked === undefined ? undefined : readOptions(asked, limitChecks, 'limits', 'limits.')
  const text = jsonText({ specialist, prompt, threadId, actor, limits }, 'The request')
  return { text, prompt, threadId, signal }
}

/** The request with the span that it runs in: its journal keeps that. */
function withTrace(text: string, traceparent: string | undefined): string {
  if (traceparent === undefined) return text
  return `${text.slice(0, -1)}${text === '{}' ? '' : ','}"trace":${JSON.stringify(traceparent)}}`
}

/** What a caller gets for an error, which may be its own: a getter of its request may throw anything. */
function asBailiwick(error: unknown): BailiwickError {
  if (AnyError.isInstance(error)) return error
  if (error instanceof RangeError || error instanceof TypeError) {
    return new InvalidInputError('The request cannot be read.', { cause: error })
  }
  return error instanceof ClosedError ? error : new InternalError('The run could not be begun.', { cause: error })
}

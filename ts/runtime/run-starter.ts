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
import { assertOpen, assertOptions, assertText, jsonText } from './guard.ts'
import type { Handle } from './handle.ts'
import { LiveRun } from './live-run.ts'
import { notFound } from './not-found.ts'
import { type QueryRequest, RefusedRun, type Run, type RunResult } from './run.ts'
import { type HostParts, RunHost } from './run-host.ts'
import { RunReader } from './run-reader.ts'
import { isRunId } from './runs.ts'

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
      const { text, threadId, signal } = readRequest(given, specialist)
      const ids = this.#bridge.prepareRun(this.#handle.number)
      const write = (message: Message) => message.u8(this.#approver).text(text)
      return this.#run<O>(Operation.runStart, ids.runId, threadId ?? ids.threadId, write, signal)
    } catch (error) {
      return new RefusedRun(asBailiwick(error)) as Run<never>
    }
  }

  resume(runId: string): Run<unknown> {
    try {
      assertOpen(this.#handle)
      if (!isRunId(runId)) throw notFound()
      const write = (message: Message) => message.u8(this.#approver)
      return this.#run<unknown>(Operation.runResume, runId, undefined, write, undefined)
    } catch (error) {
      return new RefusedRun(asBailiwick(error))
    }
  }

  get #approver(): number {
    return this.#parts.approve === undefined ? 0 : 1
  }

  #run<O>(
    operation: Operation,
    runId: string,
    threadId: string | undefined,
    write: (message: Message) => void,
    signal: AbortSignal | undefined,
  ): Run<O> {
    const host = new RunHost(this.#bridge, runId, this.#parts)
    this.#bridge.addHost(runId, host)
    const submitted = this.#bridge.submit(
      operation,
      this.#handle.number,
      (message) => {
        message.text(runId)
        write(message)
      },
      (answer) => answer.json<RunResult<O>>(),
    )
    const cancel = () => {
      const nothing = () => {}
      // It may be over, or the handle closed: then there is nothing to cancel.
      this.#bridge
        .submit(Operation.runCancel, this.#handle.number, (message) => message.text(runId), nothing)
        .catch(nothing)
    }
    const result = submitted.finally(() => {
      signal?.removeEventListener('abort', cancel)
      this.#bridge.removeHost(runId, host)
      host.end()
    })
    if (signal?.aborted) cancel()
    else signal?.addEventListener('abort', cancel, { once: true })
    const begun = operation === Operation.runStart ? Promise.resolve() : Promise.race([host.asked, settled(submitted)])
    const reader = new RunReader(this.#bridge, this.#handle, runId)
    return new LiveRun<O>({ runId, ...(threadId === undefined ? {} : { threadId }), reader, result, begun, cancel })
  }
}

function settled(promise: Promise<unknown>): Promise<void> {
  const nothing = () => {}
  return promise.then(nothing, nothing)
}

/** Checks a request and writes it as the core reads it. */
function readRequest(
  given: string | QueryRequest,
  specialist: string | undefined,
): { text: string; threadId: string | undefined; signal: AbortSignal | undefined } {
  const request: QueryRequest = typeof given === 'string' ? { prompt: given } : given
  assertOptions(request, 'The request')
  const { prompt, threadId, actor, signal, limits } = request
  if (typeof prompt === 'string') assertText(prompt, 'prompt')
  if (threadId !== undefined) assertFilled(threadId, 'threadId')
  if (actor !== undefined) assertFilled(actor, 'actor')
  if (limits !== undefined) assertOptions(limits, 'limits')
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new InvalidInputError('signal must be an AbortSignal.')
  }
  const text = jsonText({ specialist, prompt, threadId, actor, limits })
  return { text, threadId, signal }
}

function assertFilled(value: unknown, name: string): void {
  assertText(value, name)
  if (value === '') throw new InvalidInputError(`${name} must not be empty. Leave it out instead.`)
}

/** What a caller gets for an error, which may be its own: a getter of its request may throw anything. */
function asBailiwick(error: unknown): BailiwickError {
  if (AnyError.isInstance(error)) return error
  if (error instanceof RangeError || error instanceof TypeError) {
    return new InvalidInputError('The request cannot be read.', { cause: error })
  }
  return error instanceof ClosedError ? error : new InternalError('The run could not be begun.', { cause: error })
}

import { quietly } from '../common/quietly.ts'
import { BailiwickError } from '../errors/index.ts'
import { type Attributes, type Context, FAILED, type OpenTelemetry, type Span, type SpanContext } from './api.ts'
import { ERROR_TYPE, OTHER_ERROR } from './conventions.ts'
import type { SpanStart } from './gen-ai.ts'

/** An operation with a span. It ends once; calls after its end are ignored. */
export interface Activity<Result = void> {
  /** Whether its span is recorded. */
  readonly isRecording: boolean
  /** Runs `work` with the span active: what starts in it, however late, lies below the span. */
  run<T>(work: () => T): T
  /** It is done. */
  end(result: Result): void
  /**
   * It failed. The span keeps the code of an error of this package, or of a failure that has one; of any other error it
   * keeps nothing, since its name and message are not ours.
   */
  fail(error: unknown): void
}

/** An activity of a host that has no OpenTelemetry. */
export const untracedActivity: Activity<unknown> = {
  isRecording: false,
  run: (work) => work(),
  end: () => {},
  fail: () => {},
}

/**
 * An activity with a span. `describe` says what its result adds to the span; it is called only for spans that are kept. What
 * the host's span processors throw is dropped: it must not make a call fail whose work is done.
 */
export class TracedActivity<Result> implements Activity<Result> {
  /** The span's place in the trace, for what is started below it. */
  readonly context: Context
  readonly #api: OpenTelemetry
  readonly #span: Span
  readonly #describe: (result: Result) => Attributes
  #ended = false

  constructor(api: OpenTelemetry, span: Span, context: Context, describe: (result: Result) => Attributes) {
    this.#api = api
    this.#span = span
    this.#describe = describe
    this.context = api.trace.setSpan(context, span)
  }

  get isRecording(): boolean {
    return this.#span.isRecording()
  }

  /** Says more, and under a better name, than when the span started. */
  describe({ name, attributes }: SpanStart): void {
    quietly(() => {
      this.#span.updateName(name)
      this.#span.setAttributes(attributes)
    })
  }

  /** The span as a W3C `traceparent`, by which it is referred to elsewhere. */
  get traceparent(): string | undefined {
    let text: string | undefined
    quietly(() => {
      const { traceId, spanId, traceFlags } = this.#span.spanContext()
      const written = `00-${traceId}-${spanId}-${(traceFlags & 0xff).toString(16).padStart(2, '0')}`
      if (parsed(written) !== undefined) text = written
    })
    return text
  }

  /** Refers to another span. What is no `traceparent` is left out. */
  link(traceparent: string): void {
    const context = parsed(traceparent)
    if (context !== undefined) quietly(() => this.#span.addLink?.({ context: { ...context, isRemote: true } }))
  }

  run<T>(work: () => T): T {
    return this.#api.context.with(this.context, work)
  }

  end(result: Result): void {
    this.#finish(() => this.#span.setAttributes(this.#describe(result)))
  }

  fail(error: unknown): void {
    this.#finish(() => {
      const type = errorTypeOf(error)
      this.#span.setAttributes({ [ERROR_TYPE]: type })
      this.#span.setStatus({ code: FAILED, message: type })
    })
  }

  #finish(say: () => void): void {
    if (this.#ended) return
    this.#ended = true
    quietly(() => {
      if (this.#span.isRecording()) say()
    })
    quietly(() => this.#span.end())
  }
}

/** Parses a `traceparent`. An id of zeros is none. */
function parsed(traceparent: string): SpanContext | undefined {
  const [, traceId = '', spanId = '', flags = ''] =
    /^00-(?!0+-)([0-9a-f]{32})-(?!0+-)([0-9a-f]{16})-([0-9a-f]{2})$/.exec(traceparent) ?? []
  return traceId === '' ? undefined : { traceId, spanId, traceFlags: Number.parseInt(flags, 16) }
}

/** Returns the code of a package error, thrown or carried by a result or an event. */
function errorTypeOf(error: unknown): string {
  if (BailiwickError.isInstance(error)) return error.code
  if (typeof error !== 'object' || error === null || error instanceof Error) return OTHER_ERROR
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && /^[A-Z][A-Z_]{1,40}$/.test(code) ? code : OTHER_ERROR
}

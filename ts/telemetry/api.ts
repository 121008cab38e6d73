import { VERSION } from '../common/version.ts'

/** The used part of `@opentelemetry/api`, by its shape: the declarations must compile where it is not installed. */
export interface OpenTelemetry {
  readonly trace: {
    getTracer(name: string, version?: string): Tracer
    setSpan(context: Context, span: Span): Context
  }
  readonly context: {
    active(): Context
    with<A extends unknown[], R>(context: Context, work: (...given: A) => R, self?: undefined, ...given: A): R
  }
}

/** Makes spans. */
export interface Tracer {
  startSpan(name: string, options: { kind: number; attributes: Attributes }, context: Context): Span
}

export interface Span {
  setAttributes(attributes: Attributes): unknown
  updateName(name: string): unknown
  setStatus(status: { code: number; message?: string }): unknown
  isRecording(): boolean
  spanContext(): SpanContext
  /** Absent from spans of older SDKs. */
  addLink?(link: { context: SpanContext & { isRemote: boolean } }): unknown
  end(): void
}

/** Identity of a span in other processes. */
export interface SpanContext {
  readonly traceId: string
  readonly spanId: string
  readonly traceFlags: number
}

/** Context of a trace. Opaque. */
export interface Context {
  getValue(key: symbol): unknown
  setValue(key: symbol, value: unknown): Context
  deleteValue(key: symbol): Context
}

/** Attributes of a span. A list has one type; `undefined` is left out. */
export interface Attributes {
  [name: string]: string | number | boolean | string[] | number[] | boolean[] | undefined
}

/** `SpanKind` of the API. */
export const SpanKind = { internal: 0, client: 2 } as const
/** `SpanStatusCode.ERROR` of the API. */
export const FAILED = 2

/** The API and what makes spans in our name. */
export interface Tracing {
  readonly api: OpenTelemetry
  readonly tracer: Tracer
}

let found: Promise<Tracing | undefined> | undefined

/** The API, if the host has installed it. It is looked for once in a thread, when the first runtime is made. */
export function findTracing(): Promise<Tracing | undefined> {
  found ??= load()
  return found
}

async function load(): Promise<Tracing | undefined> {
  try {
    const api: OpenTelemetry = await import('@opentelemetry/api')
    // A host may set its tracer up later: until then this one does nothing.
    return { api, tracer: api.trace.getTracer('bailiwick', VERSION) }
  } catch {
    // Absent, or broken: then the host has no tracer either.
    return undefined
  }
}

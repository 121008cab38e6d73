import { type Attributes, SpanStatusCode } from '@opentelemetry/api'
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-node'

const exporter = new InMemorySpanExporter()
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
provider.register()

/** A tracer of the host's. */
export const hostTracer = provider.getTracer('host')

/** What a span is, as far as tests look at it. */
export interface SeenSpan {
  readonly name: string
  readonly attributes: Attributes
  /** The name of the span that it lies below, among those that were taken with it. */
  readonly parent: string | undefined
  /** The text of its error, if it failed. */
  readonly error: string | undefined
}

/** The spans that ended since the last time, in the order in which they ended. */
export function takeSpans(): SeenSpan[] {
  const spans = takeRawSpans()
  return spans.map(({ name, attributes, status, parentSpanContext }) => ({
    name,
    attributes,
    parent: spans.find((span) => span.spanContext().spanId === parentSpanContext?.spanId)?.name,
    error: status.code === SpanStatusCode.ERROR ? status.message : undefined,
  }))
}

/** The same with everything that the SDK keeps. */
export function takeRawSpans(): ReadableSpan[] {
  const spans = [...exporter.getFinishedSpans()]
  exporter.reset()
  return spans
}

/** All that a span could tell, as text. */
export function everythingIn(spans: readonly ReadableSpan[]): string {
  return JSON.stringify(
    spans.map(({ name, attributes, status, events, links, resource, instrumentationScope }) => [
      name,
      attributes,
      status,
      events,
      links,
      resource.attributes,
      instrumentationScope,
    ]),
  )
}

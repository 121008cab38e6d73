import { quietly } from '../common/quietly.ts'
import { type Activity, TracedActivity, untracedActivity } from './activity.ts'
import { type Attributes, findTracing, SpanKind, type Tracing } from './api.ts'
import {
  type AgentEnd,
  type AgentStart,
  agentEnd,
  agentStart,
  type ChatEnd,
  type ChatStart,
  chatEnd,
  chatStart,
  type SpanStart,
  type ToolEnd,
  type ToolStart,
  toolEnd,
  toolStart,
} from './gen-ai.ts'
import type { CheckedOptions } from './options.ts'

/**
 * The spans of one runtime. Without OpenTelemetry, or without a tracer of the host's, every verb does what it is about and
 * nothing else. A span lies below `parent`, if given, otherwise below the active span.
 */
export class Telemetry {
  readonly #tracing: Tracing | undefined
  readonly #options: CheckedOptions

  constructor(tracing: Tracing | undefined, options: CheckedOptions) {
    this.#tracing = tracing
    this.#options = options
  }

  /** Whether the host has OpenTelemetry. */
  get isPossible(): boolean {
    return this.#tracing !== undefined
  }

  /** Whether content is recorded. */
  get recordsContent(): boolean {
    return this.#options.recordContent
  }

  /** Does `work` in a span of this name, which is active meanwhile and fails as it does. */
  async during<T>(name: string, work: () => T | Promise<T>): Promise<T> {
    const activity = this.#start<void>(SpanKind.internal, undefined, () => ({ name, attributes: {} }), noAttributes)
    try {
      const value = await activity.run(work)
      activity.end()
      return value
    } catch (error) {
      activity.fail(error)
      throw error
    }
  }

  /** An agent begins to work: `invoke_agent <agent>`. */
  startAgent(start: AgentStart, parent?: Activity<never>): Activity<AgentEnd> {
    const { recordContent } = this.#options
    const begin = () => agentStart(start, recordContent)
    return this.#start(SpanKind.internal, parent, begin, (end) => agentEnd(end, recordContent))
  }

  /** More is known of an agent than when it began. */
  describeAgent(activity: Activity<AgentEnd>, start: AgentStart): void {
    if (activity instanceof TracedActivity) activity.describe(agentStart(start, this.#options.recordContent))
  }

  /** Starts the span of a model request: `chat <model>`. */
  startChat(start: ChatStart, parent?: Activity<never>): Activity<ChatEnd> {
    const { recordContent } = this.#options
    const begin = () => chatStart(start, recordContent)
    return this.#start(SpanKind.client, parent, begin, (end) => chatEnd(end, recordContent))
  }

  /** A tool is called: `execute_tool <tool>`. */
  startTool(start: ToolStart, parent?: Activity<never>): Activity<ToolEnd> {
    const { recordContent } = this.#options
    const begin = () => toolStart(start, recordContent)
    return this.#start(SpanKind.internal, parent, begin, (end) => toolEnd(end, recordContent))
  }

  #start<Result>(
    kind: number,
    parent: Activity<never> | undefined,
    begin: () => SpanStart,
    describe: (result: Result) => Attributes,
  ): Activity<Result> {
    if (this.#tracing === undefined) return untracedActivity
    const { api, tracer } = this.#tracing
    const { name, attributes } = begin()
    let activity: Activity<Result> = untracedActivity
    quietly(() => {
      const context = parent instanceof TracedActivity ? parent.context : api.context.active()
      // Ours come last: a host's attribute of the same name must not make a span say what is not so.
      const options = { kind, attributes: { ...this.#options.attributes(), ...attributes } }
      activity = new TracedActivity(api, tracer.startSpan(name, options, context), context, describe)
    })
    return activity
  }
}

/** Returns the telemetry of a runtime that is being made. Never rejects. */
export async function telemetryFor(options: CheckedOptions): Promise<Telemetry> {
  return new Telemetry(await findTracing(), options)
}

function noAttributes(): Attributes {
  return {}
}

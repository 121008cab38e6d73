import type { AgentSpec } from '../spec/definitions/agent.ts'
import type { RuntimeSpec } from '../spec/index.ts'
import type { ModelRequest } from '../types/callbacks.ts'
import type { JsonValue } from '../types/json.ts'
import type { RunResult, RunSummary } from '../types/runs.ts'
import type { TokenUsage } from '../types/tenant.ts'
import type { Message, Part } from '../types/threads.ts'
import { type Activity, TracedActivity, untracedActivity } from './activity.ts'
import type { AgentEnd, AgentStart, ToolEnd } from './gen-ai.ts'
import { ModelAnswer, sumOfUsage } from './model-answer.ts'
import type { Telemetry } from './telemetry.ts'

/** Dependencies of a run's spans. */
export interface RunTracing {
  readonly telemetry: Telemetry
  readonly spec: RuntimeSpec
}

/** The agent that sent a callback request. */
interface AgentContext {
  readonly agent: string
  /** The place of its frame in the order in which the run's frames began, from 1. 0: none of its own, as of a summary of its messages. */
  readonly frame: number
}

/** A request to a model, as the core makes it. */
interface ModelCallback extends AgentContext {
  /** `provider/model`. */
  readonly model: string
  /** Messages that are new to the model. */
  readonly messages: readonly Message[]
}

/** A call of a tool, as the core makes it. */
interface ToolCallback extends AgentContext {
  readonly tool: string
  readonly callId: string
  readonly input: unknown
}

/** A request to a model. */
export interface Chat {
  readonly activity: Activity<undefined>
  /** Takes in an event of its answer. */
  hear(event: unknown): void
}

/** A running agent. */
interface Working {
  readonly agent: AgentSpec | undefined
  readonly activity: Activity<AgentEnd>
  /** 0 as long as it is not known. */
  frame: number
  /** The tools of its last answer, without agents that have begun; `undefined` if it was not heard. */
  called: string[] | undefined
  usage: Partial<TokenUsage>
  output: readonly Part[] | undefined
}

const NO_FRAME = 0
const FIRST_FRAME = 1
const unheard: Chat = { activity: untracedActivity, hear: () => {} }

/**
 * The spans of one run: its running agents and their callback requests, which name their agent. A run that was resumed in
 * the middle of an agent's frame starts that agent's span with its first callback request.
 */
export class RunSpans {
  readonly #telemetry: Telemetry
  readonly #agents: readonly AgentSpec[]
  readonly #tools: RuntimeSpec['tools']
  readonly #runId: string
  readonly #root: Activity<AgentEnd>
  readonly #working: Working[]
  #threadId: string | undefined

  /** Starts the run's span, also for a resumed run: it is the span of the entry agent, if that is known already. */
  constructor(
    { telemetry, spec }: RunTracing,
    runId: string,
    of: { agent?: string | undefined; threadId?: string; prompt?: unknown },
  ) {
    this.#telemetry = telemetry
    this.#agents = spec.agents
    this.#tools = spec.tools
    this.#runId = runId
    this.#threadId = of.threadId
    const agent = spec.agents.find(({ name }) => name === of.agent)
    this.#root = telemetry.startAgent({ ...this.#start(agent), ...promptOf(of.prompt) })
    this.#working = [newcomer(agent, this.#root, FIRST_FRAME)]
  }

  /** Whether spans are recorded. */
  get isRecording(): boolean {
    return this.#root.isRecording
  }

  /** The run's span as a W3C `traceparent`, which its journal keeps; `undefined` if no spans are recorded. */
  get traceparent(): string | undefined {
    return this.isRecording && this.#root instanceof TracedActivity ? this.#root.traceparent : undefined
  }

  /** The run was begun in another span, maybe of another trace. */
  linkTo(traceparent: string): void {
    if (this.#root instanceof TracedActivity) this.#root.link(traceparent)
  }

  /** Adds the summary of a resumed run. */
  learn({ agent, threadId }: RunSummary): void {
    this.#threadId = threadId
    const known = this.#agents.find(({ name }) => name === agent)
    this.#working[0] = newcomer(known, this.#root, FIRST_FRAME)
    this.#telemetry.describeAgent(this.#root, this.#start(known))
  }

  /** Starts the span of a model request. */
  chat(callback: ModelCallback, request: ModelRequest): Chat {
    if (!this.isRecording) return unheard
    const agent = this.#agentOf(callback)
    const { settings, system, messages, outputSchema } = request
    const start = {
      ...this.#ofRun,
      provider: callback.model.slice(0, callback.model.indexOf('/')),
      model: request.modelId,
      ...(settings === undefined ? {} : { settings }),
      structured: outputSchema !== undefined,
      system,
      messages,
    }
    const span = this.#telemetry.startChat(start, agent.activity)
    const answer = new ModelAnswer(this.#telemetry.recordsContent)
    let isOver = false
    const end = () => {
      isOver = true
      const said = answer.end()
      agent.usage = sumOfUsage([agent.usage, said.usage ?? {}])
      if (callback.frame !== NO_FRAME) {
        agent.output = said.output
        agent.called = answer.called
      }
      span.end(said)
    }
    const fail = (error: unknown) => {
      // Of an answer that broke off, its agent has used what was told by then.
      if (!isOver) agent.usage = sumOfUsage([agent.usage, answer.end().usage ?? {}])
      isOver = true
      span.fail(error)
    }
    const { isRecording } = span
    const activity = { isRecording, end, run: span.run.bind(span), fail } as Activity<undefined>
    return { activity, hear: (event) => answer.hear(event) }
  }

  /** Starts the span of a tool call. */
  tool({ tool, callId, input, ...context }: ToolCallback): Activity<ToolEnd> {
    if (!this.isRecording) return untracedActivity
    const description = this.#tools.find(({ name }) => name === tool)?.description
    const start = { ...this.#ofRun, tool, callId, ...(description && { description }), input: input as JsonValue }
    return this.#telemetry.startTool(start, this.#agentOf(context).activity)
  }

  /** Runs a decision of the host about a call or a plan, with the span of its agent active. */
  approval<T>({ agent, frame }: AgentContext, decide: () => T): T {
    if (!this.isRecording) return decide()
    return this.#agentOf({ agent, frame }).activity.run(decide)
  }

  /** Ends the spans with the result of the run. Agents that are still running get its status. */
  end(result: RunResult<unknown>): void {
    const { status, text, usage, threadId } = result
    if (result.status === 'failed') {
      this.fail(result.error)
      return
    }
    this.#leave(1, status)
    if (this.#threadId === undefined) this.#telemetry.describeAgent(this.#root, { ...this.#start(), threadId })
    const output: Part[] = [{ type: 'text', text }]
    this.#root.end({ status, usage: sumOfUsage(Object.values(usage)), output })
  }

  /** Ends the spans with an error: the run failed or could not be resumed here. */
  fail(error: unknown): void {
    for (const { activity } of this.#working.toReversed()) activity.fail(error)
  }

  get #ofRun(): { readonly runId: string; readonly threadId?: string } {
    return { runId: this.#runId, ...(this.#threadId === undefined ? {} : { threadId: this.#threadId }) }
  }

  get #last(): Working {
    return this.#working.at(-1) as Working
  }

  #start(agent?: AgentSpec): AgentStart {
    const { name, description } = agent ?? {}
    return { ...this.#ofRun, ...(name && { agent: name }), ...(description && { description }) }
  }

  #agentOf({ agent, frame, messages }: AgentContext & { readonly messages?: readonly Message[] }): Working {
    if (frame === NO_FRAME) {
      const at = this.#working.findLastIndex((working) => working.agent?.name === agent)
      if (at >= 0) this.#leave(at + 1)
      else this.#enter(agent, frame, undefined)
      return this.#last
    }
    // One agent is at work at a time: those that began after it have ended.
    this.#leave(this.#working.findLastIndex((working) => working.frame <= frame) + 1)
    if (this.#last.frame === NO_FRAME && this.#last.agent?.name === agent) this.#last.frame = frame
    if (this.#last.frame !== frame) this.#enter(agent, frame, messages)
    return this.#last
  }

  /** Adds the span of an agent below that of the agent that has called it. Those between have ended. */
  #enter(name: string, frame: number, input: readonly Message[] | undefined): void {
    const agent = this.#agents.find((known) => known.name === name)
    const caller = this.#working.findLastIndex((working) => this.#mayHaveCalled(working, name, agent))
    this.#leave(Math.max(caller, 0) + 1)
    const at = this.#last.called?.indexOf(name) ?? -1
    if (at >= 0) this.#last.called?.splice(at, 1)
    const start = { ...this.#start(agent), ...(input && { input }) }
    this.#working.push(newcomer(agent, this.#telemetry.startAgent(start, this.#last.activity), frame))
  }

  /** Whether an agent has called this one: in its last answer, if that was heard, or in a plan. */
  #mayHaveCalled({ agent: caller, called }: Working, name: string, agent: AgentSpec | undefined): boolean {
    if (called?.includes(name)) return true
    // A planner's plan is carried out below it, by the executor and the agents that are steps of the plan.
    if (caller?.role === 'planner') {
      return (
        agent?.role === 'executor' ||
        this.#agents.some(({ role, tools }) => role === 'executor' && tools.includes(name))
      )
    }
    return called === undefined && (caller?.tools.includes(name) === true || caller?.routes?.includes(name) === true)
  }

  /** Ends the spans of agents above this number of frames. */
  #leave(stay: number, status?: string): void {
    for (const { activity, usage, output } of this.#working.splice(stay).toReversed()) {
      activity.end({ usage, ...(status && { status }), ...(output && { output }) })
    }
  }
}

function newcomer(agent: AgentSpec | undefined, activity: Activity<AgentEnd>, frame: number): Working {
  return { agent, activity, frame, called: undefined, usage: {}, output: undefined }
}

/** Returns the prompt as a message. The core has not checked it yet: entries that are no part are left out. */
function promptOf(prompt: unknown): { readonly input?: readonly Message[] } {
  const parts: unknown[] = Array.isArray(prompt) ? prompt : [{ type: 'text', text: prompt }]
  return { input: [{ messageId: '', role: 'user', createdAt: 0, parts: parts.filter(isAskable) }] }
}

function isAskable(part: unknown): part is Part {
  const { type, text, reference, mediaType } = (part ?? {}) as { readonly [name: string]: unknown }
  if (type === 'text') return typeof text === 'string'
  return type === 'file' && typeof reference === 'string' && typeof mediaType === 'string'
}

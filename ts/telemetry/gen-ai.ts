import type { ModelSettings } from '../types/callbacks.ts'
import type { JsonValue } from '../types/json.ts'
import type { TokenUsage } from '../types/tenant.ts'
import type { Message, Part } from '../types/threads.ts'
import type { Attributes } from './api.ts'
import { instructionsText, messagesText, outputText } from './content.ts'
import { GenAi, GenAiContent, Operations, Own } from './conventions.ts'

/** Attributes of every span of a run. */
interface OfRun {
  readonly runId: string
  /** The tenant's own thread, if there is one. */
  readonly threadId?: string
}

/** An agent that begins to work. */
export interface AgentStart extends OfRun {
  /** Unknown for a resumed run. */
  readonly agent?: string
  readonly description?: string
  /** The request. Content. */
  readonly input?: readonly Message[]
}

/** Result of an agent. */
export interface AgentEnd {
  readonly usage?: Partial<TokenUsage>
  /** Status of the run, such as `completed` or `suspended`. */
  readonly status?: string
  /** The answer. Content. */
  readonly output?: readonly Part[]
}

/** A request to a model. */
export interface ChatStart extends OfRun {
  /** The part of `provider/model` before the slash. */
  readonly provider: string
  /** The part after it. */
  readonly model: string
  readonly settings?: ModelSettings
  /** Whether the answer must fit a schema. */
  readonly structured?: boolean
  /** Content. */
  readonly system?: string
  /** Content. */
  readonly messages?: readonly Message[]
}

/** A model's answer. */
export interface ChatEnd {
  readonly usage?: Partial<TokenUsage>
  readonly finishReason?: string
  /** Parts of the request that the provider ignored. */
  readonly warnings?: readonly string[]
  /** Content. */
  readonly output?: readonly Part[]
}

/** A call of a tool. */
export interface ToolStart extends OfRun {
  readonly tool: string
  readonly callId: string
  readonly description?: string
  /** Content. */
  readonly input?: JsonValue
}

/** Result of a tool. */
export interface ToolEnd {
  /** Content. */
  readonly result?: JsonValue
}

/** The name of a span and what it says when it starts. */
export interface SpanStart {
  readonly name: string
  readonly attributes: Attributes
}

/** `content`: whether content is recorded. */
export function agentStart(start: AgentStart, content: boolean): SpanStart {
  return {
    name: start.agent === undefined ? Operations.agent : `${Operations.agent} ${start.agent}`,
    attributes: {
      [GenAi.operation]: Operations.agent,
      [GenAi.agent]: start.agent,
      [GenAi.agentDescription]: start.description,
      ...ofRun(start),
      ...(content && start.input !== undefined && { [GenAiContent.input]: messagesText(start.input) }),
    },
  }
}

/** Returns the attributes that an agent's result adds to its span. */
export function agentEnd(end: AgentEnd, content: boolean): Attributes {
  return {
    [Own.status]: end.status,
    ...ofUsage(end.usage),
    ...(content && end.output !== undefined && { [GenAiContent.output]: outputText(end.output) }),
  }
}

/** `content`: whether content is recorded. */
export function chatStart(start: ChatStart, content: boolean): SpanStart {
  const { settings = {} } = start
  return {
    name: `${Operations.chat} ${start.model}`,
    attributes: {
      [GenAi.operation]: Operations.chat,
      [GenAi.provider]: start.provider,
      [GenAi.model]: start.model,
      [GenAi.stream]: true,
      [GenAi.temperature]: settings.temperature,
      [GenAi.maxTokens]: settings.maxOutputTokens,
      [GenAi.seed]: settings.seed,
      [GenAi.outputType]: start.structured ? 'json' : undefined,
      ...ofRun(start),
      ...(content && start.system !== undefined && { [GenAiContent.instructions]: instructionsText(start.system) }),
      ...(content && start.messages !== undefined && { [GenAiContent.input]: messagesText(start.messages) }),
    },
  }
}

/** Returns the attributes that a model's answer adds to its span. */
export function chatEnd(end: ChatEnd, content: boolean): Attributes {
  return {
    [GenAi.finishReasons]: end.finishReason === undefined ? undefined : [end.finishReason],
    [Own.warnings]: end.warnings?.slice(),
    ...ofUsage(end.usage),
    ...(content && end.output !== undefined && { [GenAiContent.output]: outputText(end.output, end.finishReason) }),
  }
}

/** `content`: whether content is recorded. */
export function toolStart(start: ToolStart, content: boolean): SpanStart {
  return {
    name: `${Operations.tool} ${start.tool}`,
    attributes: {
      [GenAi.operation]: Operations.tool,
      [GenAi.tool]: start.tool,
      [GenAi.toolType]: 'function',
      [GenAi.toolDescription]: start.description,
      [GenAi.callId]: start.callId,
      ...ofRun(start),
      ...(content && start.input !== undefined && { [GenAiContent.arguments]: JSON.stringify(start.input) }),
    },
  }
}

/** Returns the attributes that a tool's answer adds to its span. */
export function toolEnd(end: ToolEnd, content: boolean): Attributes {
  return content && end.result !== undefined ? { [GenAiContent.result]: JSON.stringify(end.result) } : {}
}

function ofRun({ runId, threadId }: OfRun): Attributes {
  return { [Own.run]: runId, [GenAi.conversation]: threadId }
}

function ofUsage(usage: Partial<TokenUsage> = {}): Attributes {
  return {
    [GenAi.inputTokens]: usage.inputTokens,
    [GenAi.outputTokens]: usage.outputTokens,
    [GenAi.cacheReadTokens]: usage.cacheReadTokens,
    [GenAi.cacheWriteTokens]: usage.cacheWriteTokens,
    [GenAi.cacheCreationTokens]: usage.cacheWriteTokens,
    [GenAi.reasoningTokens]: usage.reasoningTokens,
  }
}

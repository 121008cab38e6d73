// The names of OpenTelemetry's GenAI conventions, which are still in development: they are written here and nowhere else.
// From github.com/open-telemetry/semantic-conventions-genai v0.1.0. Tokens written to a cache have another name there
// (`cache_write`) than in every released package (`cache_creation`, @opentelemetry/semantic-conventions 1.45.0): both are set.

/** Names of operations: `gen_ai.operation.name` and the first word of the span's name. */
export const Operations = { agent: 'invoke_agent', chat: 'chat', tool: 'execute_tool' } as const

/** The attributes of the conventions that we set. */
export const GenAi = {
  operation: 'gen_ai.operation.name',
  provider: 'gen_ai.provider.name',
  conversation: 'gen_ai.conversation.id',
  agent: 'gen_ai.agent.name',
  agentDescription: 'gen_ai.agent.description',
  model: 'gen_ai.request.model',
  stream: 'gen_ai.request.stream',
  temperature: 'gen_ai.request.temperature',
  maxTokens: 'gen_ai.request.max_tokens',
  seed: 'gen_ai.request.seed',
  outputType: 'gen_ai.output.type',
  finishReasons: 'gen_ai.response.finish_reasons',
  tool: 'gen_ai.tool.name',
  toolType: 'gen_ai.tool.type',
  toolDescription: 'gen_ai.tool.description',
  callId: 'gen_ai.tool.call.id',
  inputTokens: 'gen_ai.usage.input_tokens',
  outputTokens: 'gen_ai.usage.output_tokens',
  cacheReadTokens: 'gen_ai.usage.cache_read.input_tokens',
  cacheWriteTokens: 'gen_ai.usage.cache_write.input_tokens',
  /** The same number by its name in the released packages. */
  cacheCreationTokens: 'gen_ai.usage.cache_creation.input_tokens',
  reasoningTokens: 'gen_ai.usage.reasoning.output_tokens',
} as const

/** Attributes that hold content, set only when the host asks for it. */
export const GenAiContent = {
  instructions: 'gen_ai.system_instructions',
  input: 'gen_ai.input.messages',
  output: 'gen_ai.output.messages',
  arguments: 'gen_ai.tool.call.arguments',
  result: 'gen_ai.tool.call.result',
} as const

/** The class of an error, by the general conventions. */
export const ERROR_TYPE = 'error.type'
/** Type of an error from outside the package: its own name may be anything. */
export const OTHER_ERROR = '_OTHER'

/** Our own attributes. */
export const Own = {
  run: 'bailiwick.run.id',
  status: 'bailiwick.run.status',
  warnings: 'bailiwick.model.warnings',
} as const

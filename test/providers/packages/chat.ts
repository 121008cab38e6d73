import { createCohere } from '@ai-sdk/cohere'
import { createDeepSeek } from '@ai-sdk/deepseek'
import { createGroq } from '@ai-sdk/groq'
import { createMistral } from '@ai-sdk/mistral'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { chatCompletions, countedByGroq } from '../wires/chat-completions.ts'
import { cohere as cohereWire } from '../wires/cohere.ts'
import type { Provider } from './provider.ts'

// biome-ignore lint/suspicious/noExplicitAny: the wire formats are what the tests look at
const schemaOf = ({ response_format: format }: any) => format?.json_schema?.schema

export const mistral: Provider = {
  package: '@ai-sdk/mistral',
  modelId: 'mistral-medium-latest',
  create: (baseURL) => createMistral({ apiKey: 'key', baseURL }),
  wire: chatCompletions({
    reasoning: (text) => ({ content: [{ type: 'thinking', thinking: [{ type: 'text', text }] }] }),
    id: /^[a-zA-Z0-9]{9}$/,
    isStrict: true,
  }),
  reasoning: ['"type":"thinking"', 'I look.'],
  schemaOf,
}

export const groq: Provider = {
  package: '@ai-sdk/groq',
  modelId: 'openai/gpt-oss-120b',
  create: (baseURL) => createGroq({ apiKey: 'key', baseURL }),
  wire: chatCompletions({ reasoning: (reasoning) => ({ reasoning }), used: countedByGroq }),
  reasoning: ['"reasoning":"I look."'],
  schemaOf,
}

export const deepseek: Provider = {
  package: '@ai-sdk/deepseek',
  modelId: 'deepseek-reasoner',
  create: (baseURL) => createDeepSeek({ apiKey: 'key', baseURL }),
  wire: chatCompletions({ reasoning: (text) => ({ reasoning_content: text }) }),
  reasoning: ['"reasoning_content":"I look."'],
  // The package tells the schema in a system message.
  schemaOf: ({ messages }) => JSON.parse(/\{.*\}/.exec(messages[0].content)?.[0] ?? 'null'),
  warned: { settings: { seed: 7 }, warning: 'seed' },
}

export const cohere: Provider = {
  package: '@ai-sdk/cohere',
  modelId: 'command-a-reasoning-08-2025',
  create: (baseURL) => createCohere({ apiKey: 'key', baseURL }),
  wire: cohereWire,
  schemaOf: ({ response_format: format }) => format?.json_schema,
}

export const openaiCompatible: Provider = {
  package: '@ai-sdk/openai-compatible',
  modelId: 'model-1',
  create: (baseURL) =>
    createOpenAICompatible({
      name: 'local',
      apiKey: 'key',
      baseURL,
      supportsStructuredOutputs: true,
      includeUsage: true,
    }),
  wire: chatCompletions({ reasoning: (text) => ({ reasoning_content: text }) }),
  reasoning: ['"reasoning_content":"I look."'],
  schemaOf,
}

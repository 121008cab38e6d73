import { createGoogle } from '@ai-sdk/google'
import { createVertex } from '@ai-sdk/google-vertex'
import { gemini, grounded, parts } from '../wires/gemini.ts'
import { signature } from '../wires/wire.ts'
import type { Provider } from './provider.ts'

const shared = {
  wire: gemini,
  reasoning: [`"thoughtSignature":"${signature}"`],
  schemaOf: ({ generationConfig }) => generationConfig?.responseSchema ?? generationConfig?.responseJsonSchema,
  ran: {
    answer: parts(
      { executableCode: { language: 'PYTHON', code: 'print(3)' } },
      { codeExecutionResult: { outcome: 'OUTCOME_OK', output: '3' } },
      { text: 'Three.' },
    ),
    kept: [
      { type: 'opaque', data: { type: 'tool-call', toolName: 'code_execution', providerExecuted: true } },
      { type: 'opaque', data: { type: 'tool-result', toolName: 'code_execution' } },
      { type: 'text', text: 'Three.' },
    ],
    sent: ['"executableCode"', '"code":"print(3)"', '"codeExecutionResult"'],
  },
  file: {
    answer: parts(
      { text: 'A shoe.' },
      { inlineData: { mimeType: 'image/png', data: 'AQID' }, thoughtSignature: signature },
    ),
    kept: [
      { type: 'text', text: 'A shoe.' },
      { type: 'opaque', data: { type: 'file', mediaType: 'image/png', data: 'AQID' } },
    ],
    sent: ['"data":"AQID"', `"thoughtSignature":"${signature}"`],
  },
  source: {
    answer: grounded('Three.', 'https://example.org/shoes', 'Shoes'),
    kept: [
      { type: 'opaque', data: { type: 'source', url: 'https://example.org/shoes', title: 'Shoes' } },
      { type: 'text', text: 'Three.' },
    ],
    sent: [],
  },
  early: { inputTokens: 10, outputTokens: 1 },
} satisfies Partial<Provider>

export const google: Provider = {
  package: '@ai-sdk/google',
  modelId: 'gemini-3-pro-preview',
  create: (baseURL) => createGoogle({ apiKey: 'key', baseURL }),
  ...shared,
}

export const googleVertex: Provider = {
  package: '@ai-sdk/google-vertex',
  modelId: 'gemini-3-pro-preview',
  create: (baseURL) => createVertex({ apiKey: 'key', baseURL }),
  ...shared,
}

import { createAnthropic } from '@ai-sdk/anthropic'
import { block, blocks, textBlock, anthropic as wire } from '../wires/anthropic.ts'
import { signature } from '../wires/wire.ts'
import type { Provider } from './provider.ts'

const called = block(
  0,
  { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: {} },
  { type: 'input_json_delta', partial_json: '{"query":"shoes"}' },
)
const found = block(1, {
  type: 'web_search_tool_result',
  tool_use_id: 'srvtoolu_1',
  content: [
    {
      type: 'web_search_result',
      url: 'https://example.org/shoes',
      title: 'Shoes',
      encrypted_content: 'ZW5j',
      page_age: null,
    },
  ],
})
const kept = [
  {
    type: 'opaque',
    data: { type: 'tool-call', toolCallId: 'srvtoolu_1', toolName: 'web_search', input: { query: 'shoes' } },
  },
  { type: 'opaque', data: { type: 'tool-result', toolCallId: 'srvtoolu_1' } },
  { type: 'opaque', data: { type: 'source', url: 'https://example.org/shoes' } },
]
const sent = ['"server_tool_use"', '"srvtoolu_1"', '"web_search_tool_result"', '"encrypted_content":"ZW5j"']

const asked = block(
  2,
  { type: 'mcp_tool_use', id: 'mcptoolu_1', name: 'lookup', input: {}, server_name: 'shop' },
  { type: 'input_json_delta', partial_json: '{"id":3}' },
)
const answered = block(3, {
  type: 'mcp_tool_result',
  tool_use_id: 'mcptoolu_1',
  is_error: false,
  content: [{ type: 'text', text: '3' }],
})

export const anthropic: Provider = {
  package: '@ai-sdk/anthropic',
  modelId: 'claude-sonnet-4-5',
  create: (baseURL) => createAnthropic({ apiKey: 'key', baseURL }),
  wire,
  reasoning: ['"type":"thinking"', `"signature":"${signature}"`],
  schemaOf: ({ output_config: config, output_format: format }) => (config?.format ?? format)?.schema,
  ran: {
    answer: blocks('end_turn', called, found, asked, answered, textBlock(4, 'Three.')),
    kept: [
      ...kept,
      { type: 'opaque', data: { type: 'tool-call', toolCallId: 'mcptoolu_1', toolName: 'lookup' } },
      { type: 'opaque', data: { type: 'tool-result', toolCallId: 'mcptoolu_1' } },
      { type: 'text', text: 'Three.' },
    ],
    sent: [...sent, '"mcp_tool_use"', '"server_name":"shop"', '"mcp_tool_result"'],
  },
  source: { answer: blocks('end_turn', called, found), kept, sent },
  paused: { answer: blocks('pause_turn', called), kept: kept.slice(0, 1), sent: ['"server_tool_use"', '"srvtoolu_1"'] },
  early: { inputTokens: 10, outputTokens: 1 },
  warned: { settings: { seed: 7 }, warning: 'seed' },
}

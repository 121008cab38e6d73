import { createXai } from '@ai-sdk/xai'
import { item, items, responses, textItem } from '../wires/responses.ts'
import { signature } from '../wires/wire.ts'
import type { Provider } from './provider.ts'

const search = {
  type: 'web_search_call',
  id: 'ws_1',
  name: 'web_search',
  arguments: '{"query":"shoes"}',
  call_id: '',
  status: 'completed',
  action: { type: 'search', query: 'shoes' },
}
const citation = {
  type: 'url_citation',
  url: 'https://example.org/shoes',
  title: 'Shoes',
  start_index: 0,
  end_index: 2,
}

export const xai: Provider = {
  package: '@ai-sdk/xai',
  modelId: 'grok-4',
  create: (baseURL) => createXai({ apiKey: 'key', baseURL }),
  wire: responses,
  reasoning: [`"encrypted_content":"${signature}"`],
  schemaOf: ({ text }) => text?.format?.schema,
  ran: {
    answer: items(item(0, search), textItem(1, 'Three.')),
    kept: [
      { type: 'opaque', data: { type: 'tool-call', toolCallId: 'ws_1', providerExecuted: true } },
      { type: 'opaque', data: { type: 'tool-result', toolCallId: 'ws_1' } },
      { type: 'text', text: 'Three.' },
    ],
    // The package does not put such calls into a request: xAI keeps them itself.
    sent: [],
  },
  source: {
    answer: items(textItem(0, 'Three.', [citation])),
    kept: [
      { type: 'text', text: 'Three.' },
      { type: 'opaque', data: { type: 'source', url: citation.url } },
    ],
    sent: [],
  },
}

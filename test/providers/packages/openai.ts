import { createOpenAI } from '@ai-sdk/openai'
import { item, items, reasoningItem, responses, textItem } from '../wires/responses.ts'
import type { Provider } from './provider.ts'

const action = { type: 'search', query: 'shoes' }
const searched = item(
  1,
  { type: 'web_search_call', id: 'ws_1', status: 'in_progress' },
  { type: 'web_search_call', id: 'ws_1', status: 'completed', action },
)
const image = item(
  0,
  { type: 'image_generation_call', id: 'ig_1', status: 'in_progress' },
  { type: 'image_generation_call', id: 'ig_1', status: 'completed', result: 'AQID' },
)
const citation = {
  type: 'url_citation',
  start_index: 0,
  end_index: 2,
  url: 'https://example.org/shoes',
  title: 'Shoes',
}

export const openai: Provider = {
  package: '@ai-sdk/openai',
  modelId: 'gpt-5',
  create: (baseURL) => createOpenAI({ apiKey: 'key', baseURL }),
  wire: responses,
  // OpenAI keeps the item, and the package names it.
  reasoning: ['{"type":"item_reference","id":"rs_0"}'],
  schemaOf: ({ text }) => text?.format?.schema,
  ran: {
    answer: items(reasoningItem(0, 'I search.'), searched, textItem(2, 'Three.')),
    kept: [
      { type: 'reasoning', text: 'I search.' },
      { type: 'opaque', data: { type: 'tool-call', toolCallId: 'ws_1', providerExecuted: true } },
      { type: 'opaque', data: { type: 'tool-result', toolCallId: 'ws_1' } },
      { type: 'text', text: 'Three.' },
    ],
    sent: ['"rs_0"', '"ws_1"'],
  },
  file: {
    answer: items(image, textItem(1, 'A shoe.')),
    kept: [
      { type: 'opaque', data: { type: 'tool-call', toolCallId: 'ig_1' } },
      { type: 'opaque', data: { type: 'tool-result', toolCallId: 'ig_1', output: { value: { result: 'AQID' } } } },
      { type: 'text', text: 'A shoe.' },
    ],
    sent: ['"ig_1"'],
  },
  source: {
    answer: items(textItem(0, 'Three.', [citation])),
    kept: [
      { type: 'text', text: 'Three.' },
      { type: 'opaque', data: { type: 'source', url: citation.url, title: 'Shoes' } },
    ],
    sent: [],
  },
  warned: { settings: { seed: 7 }, warning: 'seed' },
}

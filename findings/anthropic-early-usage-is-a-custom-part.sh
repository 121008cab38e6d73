#!/usr/bin/env bash
# @ai-sdk/anthropic 4.0.105: the stream of an answer has, before any content, a part of the type "custom", kind "anthropic.message_start", whose
# provider metadata has the tokens of the input. It comes without `includeRawChunks`. Custom parts are content that a prompt can hold, so
# whoever keeps them all to give them back keeps this head of the protocol, too.
# Expected: parts of content alone, and the tokens with "finish", or in raw chunks for who asks for them.
# Seen: stream-start, response-metadata, custom anthropic.message_start, text-start, text-delta, text-end, finish.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts @ai-sdk/anthropic@4.0.105
cat >finding.mjs <<'JS'
import { createAnthropic } from '@ai-sdk/anthropic'
const usage = { input_tokens: 10, output_tokens: 1 }
const events = [
  { type: 'message_start', message: { id: 'msg_1', type: 'message', role: 'assistant', model: 'm', content: [], stop_reason: null, stop_sequence: null, usage } },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hello' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 2 } },
  { type: 'message_stop' },
]
const text = events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('')
const fetch = async () => new Response(text, { headers: { 'content-type': 'text/event-stream' } })
const model = createAnthropic({ apiKey: 'none', fetch }).languageModel('m')
const { stream } = await model.doStream({ prompt: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }] })
const seen = []
for await (const part of stream) {
  if (part.type === 'custom') console.log(JSON.stringify(part.providerMetadata))
  seen.push(part.type === 'custom' ? `custom ${part.kind}` : part.type)
}
console.log(seen.join(', '))
JS
node finding.mjs | tee seen.txt
diff seen.txt - <<'SEEN'
{"anthropic":{"id":"msg_1","model":"m","usage":{"input_tokens":10,"output_tokens":1}}}
stream-start, response-metadata, custom anthropic.message_start, text-start, text-delta, text-end, finish
SEEN

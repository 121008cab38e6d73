#!/usr/bin/env bash
# @ai-sdk/deepseek 3.0.56: a user's message that holds nothing but a file of the type text/csv is sent with an empty content. The
# file is left out; a warning among the stream's first part is all that tells.
# Expected: an error, as other packages give for files that they cannot send, or the file's text in the message.
# Seen: `"messages":[{"role":"user","content":""}]`, and one warning of the type "unsupported".
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts @ai-sdk/deepseek@3.0.56
cat >finding.mjs <<'JS'
import { createDeepSeek } from '@ai-sdk/deepseek'
let body
const answer = ['{"id":"1","choices":[{"index":0,"delta":{"content":"Three."},"finish_reason":"stop"}]}', '[DONE]']
const fetch = async (_, request) => {
  body = JSON.parse(request.body)
  return new Response(answer.map((data) => `data: ${data}\n\n`).join(''), { headers: { 'content-type': 'text/event-stream' } })
}
const model = createDeepSeek({ apiKey: 'none', fetch }).languageModel('deepseek-chat')
const table = { type: 'data', data: new TextEncoder().encode('shoes;3') }
const content = [{ type: 'file', mediaType: 'text/csv', data: table }]
const { stream } = await model.doStream({ prompt: [{ role: 'user', content }] })
const parts = []
for await (const part of stream) parts.push(part)
console.log(JSON.stringify(body.messages))
console.log(parts.find(({ type }) => type === 'stream-start').warnings.map(({ type }) => type).join())
JS
node finding.mjs | tee seen.txt
diff seen.txt - <<'SEEN'
[{"role":"user","content":""}]
unsupported
SEEN

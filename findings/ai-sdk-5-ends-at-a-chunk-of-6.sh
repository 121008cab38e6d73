#!/usr/bin/env bash
# ai 5.0.271 and 6.0.325: one server cannot stream approvals of tools to pages of both. Version 6 has the chunk `tool-approval-request`, which follows the call
# that needs it. The transport of version 5 does not skip a chunk of a type that it does not know: it ends the stream there with an
# AI_TypeValidationError, so that a page shows an error in the place of a call that waits, and nothing of what comes after it.
# Expected: what a version does not know is left out, as unknown `data-` parts are, and the rest of the stream is read.
# Seen: version 5 has the call, and not the text `Wait.` behind it; version 6 reads all, with the state `approval-requested`.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts ai5@npm:ai@5.0.271 ai6@npm:ai@6.0.325 zod@4.6.7
cat >finding.mjs <<'JS'
const chunks = [
  { type: 'start', messageId: 'm' },
  { type: 'data-note', data: 1 },
  { type: 'tool-input-available', toolCallId: 'c', toolName: 'send', input: {} },
  { type: 'tool-approval-request', approvalId: 'a', toolCallId: 'c' },
  { type: 'text-start', id: 't' },
  { type: 'text-delta', id: 't', delta: 'Wait.' },
  { type: 'text-end', id: 't' },
  { type: 'finish' },
]
const body = chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('')
const fetch = async () => new Response(body, { headers: { 'content-type': 'text/event-stream' } })
for (const version of ['ai5', 'ai6']) {
  const { DefaultChatTransport, readUIMessageStream } = await import(version)
  const transport = new DefaultChatTransport({ fetch, api: 'http://localhost/' })
  const stream = await transport.sendMessages({ chatId: 'x', messages: [], trigger: 'submit-message' })
  let shown
  let error = 'no error'
  try {
    for await (const message of readUIMessageStream({ stream, terminateOnError: true })) shown = message
  } catch ({ name }) {
    error = name
  }
  const parts = shown.parts.map(({ type, text, state }) => `${type} ${text ?? state ?? ''}`.trim())
  console.log(`${version}: ${parts.join(', ')}: ${error}`)
}
JS
node finding.mjs | tee seen.txt
diff seen.txt - <<'SEEN'
ai5: data-note, tool-send input-available: AI_TypeValidationError
ai6: data-note, tool-send approval-requested, text Wait.: no error
SEEN

#!/usr/bin/env bash
# @modelcontextprotocol/client 2.4.0: `callTool` with `allowInputRequired: true` hands a result over that asks for input, but for tools with an
# output schema: it misses structured content in that result and throws, and what the server asked is lost. Automatic answers
# (`autoFulfill`) are not concerned: they are given before the output is checked.
# Expected: the result of the type input_required, for every tool; the schema is that of the output.
# Seen: so for a tool without an output schema, and for one whose `toolDefinition` is given without it; else a ProtocolError.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts @modelcontextprotocol/client@2.4.0 @modelcontextprotocol/server@2.4.0 zod@4.6.7
cat >finding.mjs <<'JS'
import { Client, InMemoryTransport } from '@modelcontextprotocol/client'
import { inputRequired, McpServer } from '@modelcontextprotocol/server'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import { z } from 'zod'
const requestedSchema = { type: 'object', properties: { name: { type: 'string' } } }
const ask = () => inputRequired({ inputRequests: { who: inputRequired.elicit({ message: 'Who?', requestedSchema }) } })
const [near, far] = InMemoryTransport.createLinkedPair()
const serving = serveStdio(
  () => {
    const server = new McpServer({ name: 'travel', version: '1.0.0' })
    server.registerTool('without', { description: 'Asks' }, ask)
    server.registerTool('with', { description: 'Asks', outputSchema: z.object({ booked: z.boolean() }) }, ask)
    return server
  },
  { transport: far },
)
const options = { capabilities: { elicitation: { form: {} } }, versionNegotiation: { mode: 'auto' } }
const client = new Client({ name: 'finding', version: '1.0.0' }, options)
await client.connect(near)
const { tools } = await client.listTools()
const { outputSchema: _, ...toolDefinition } = tools.find(({ name }) => name === 'with')
for (const [label, name, more] of [['without', 'without', {}], ['with', 'with', {}], ['with, defined without', 'with', { toolDefinition }]]) {
  const call = client.callTool({ name, arguments: {} }, { allowInputRequired: true, ...more })
  console.log(`${label}: ${await call.then(({ resultType }) => resultType, ({ name, message }) => `${name}: ${message}`)}`)
}
await client.close()
await serving.close()
JS
node finding.mjs | tee seen.txt
diff seen.txt - <<'SEEN'
without: input_required
with: ProtocolError: Tool with has an output schema but did not return structured content
with, defined without: input_required
SEEN

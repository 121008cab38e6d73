import { VERSION } from '../../common/version.ts'

/** The package that the project's files import. */
const PACKAGE = 'bailiwick'

/** The files of a new project, by their paths in it. */
export function projectFiles(name: string): ReadonlyMap<string, string> {
  return new Map([
    ['package.json', `${JSON.stringify(manifest(name), null, 2)}\n`],
    ['main.js', program],
    ['README.md', readme(name)],
    ['.gitignore', 'node_modules\ndata\n'],
  ])
}

/** Returns a package name that npm accepts, made from a folder's name. */
export function packageNameOf(folder: string): string {
  const name = folder
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
  return name === '' ? 'my-agents' : name.slice(0, 100)
}

function manifest(name: string): object {
  return {
    name,
    version: '0.1.0',
    private: true,
    type: 'module',
    scripts: { start: 'node main.js' },
    dependencies: { [PACKAGE]: VERSION },
  }
}

const program = `// One tenant with one agent, which has one tool and keeps what it found. Run it: npm start
import {
  createRuntime,
  defineReference,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  defineTool,
  openStore,
  withTenant,
} from '${PACKAGE}'
import { scriptedModel } from '${PACKAGE}/testing'

const orders = defineReference({ name: 'orders', description: 'Orders of a shop' })

const listOrders = defineTool({
  name: 'list_orders',
  description: 'Lists the orders of a year',
  input: {
    type: 'object',
    properties: { year: { type: 'integer' } },
    required: ['year'],
    additionalProperties: false,
  },
  effects: 'read',
// A large result is stored once, under this type; the model sees a preview of it.
  result: orders,
})

const clerk = defineSpecialist({
  name: 'clerk',
  model: 'scripted/any',
  prompt: 'Answer questions about the orders of this shop.',
  tools: [listOrders],
})

const topology = defineRuntime({ tenant: defineTenant('acme', 'v1'), agents: [clerk], references: [orders] })

// It answers by a script, so this runs without a key. README.md says how to put a real model in its place.
const model = scriptedModel([
  [
    { type: 'tool.call', callId: 'call-1', tool: 'list_orders', input: '{"year":2026}' },
    { type: 'finish', reason: 'tool-calls', usage: { inputTokens: 20, outputTokens: 8 } },
  ],
  [
    { type: 'text.delta', id: 'answer', delta: 'There were 200 orders in 2026.' },
    { type: 'finish', reason: 'stop', usage: { inputTokens: 60, outputTokens: 9 } },
  ],
])

const tools = {
  list_orders: ({ year }) =>
    Array.from({ length: 200 }, (_, index) => ({ order: index + 1, year, product: \`product \${index % 7}\` })),
}

const store = await openStore('sled:./data')
const acme = await createRuntime(topology, { store, tools, models: { scripted: model } })

const run = acme.query({ prompt: 'How many orders were there in 2026?', threadId: 'first' })
for await (const event of run) console.log(event.type)
const { status, text } = await run.result()
console.log(\`\${status}: \${text}\`)

const { items } = await acme.references.list({ type: 'orders' })
for (const { id, byteLength, glimpse } of items) console.log(id, byteLength, JSON.stringify(glimpse))

// Another tenant of the same store. It may know the id; for it there is no such thing.
const globex = await createRuntime(withTenant(topology, defineTenant('globex', 'v1')), {
  store,
  tools,
  models: { scripted: model },
})
const [ofAcme] = await globex.references.resolveMany([items[0].id])
console.log(ofAcme === undefined ? 'globex: not found' : 'globex: found, which must not be')

await store.close()
`

function readme(name: string): string {
  return `# ${name}

A first project with bailiwick: one tenant, one agent with a tool, one reference.

    npm install
    npm start

Everything is kept in \`./data\`, sealed with keys of each tenant; \`data/root.key\` wraps those keys. Bring a root key of your own
with the environment variable BAILIWICK_ROOT_KEY (32 bytes as base64) before you keep anything that matters.

## A real model

The agent's model is \`scripted/any\`: the provider \`scripted\` is what \`models\` of \`createRuntime\` says, here a script. Any provider of
the AI SDK will do. Install it, name the model in the agent, and hand it over:

    npm install @ai-sdk/anthropic

    import { createAnthropic } from '@ai-sdk/anthropic'
    import { fromAiSdk } from '${PACKAGE}/ai-sdk'

    models: { anthropic: fromAiSdk(createAnthropic()) }

## What else there is

    npx bailiwick --help

\`npx bailiwick doctor ./data\` reads every record of the store; \`npx bailiwick isolation memory:\` runs the tenant-isolation suite.
`
}

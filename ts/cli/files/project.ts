import { VERSION } from '../../common/version.ts'

/** The package that the project's files import. */
const PACKAGE = 'bailiwick'

/** The files of a new project, by their paths in it. */
export function projectFiles(name: string): ReadonlyMap<string, string> {
  return new Map([
    ['package.json', `${JSON.stringify(manifest(name), null, 2)}\n`],
    ['main.js', program],
    ['demo.js', demo],
    ['README.md', readme(name)],
    ['.gitignore', 'node_modules\ndata\ncharges.txt\n'],
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

const program = `// main.js
import { createRuntime, defineRuntime, defineSpecialist, defineTenant, defineTool } from '${PACKAGE}'
import { model, pay } from './demo.js'

const charge = defineTool({
  name: 'charge',
  description: 'Charges a customer',
  input: { type: 'object', properties: { customer: { type: 'string' }, euros: { type: 'integer' } } },
  approval: 'always', // a person decides about exactly these arguments
  onInterrupted: 'retry', // after a crash it is called again, with the same idempotency key
})
const clerk = defineSpecialist({ name: 'clerk', model: 'demo/any', prompt: 'Charge customers.', tools: [charge] })
const spec = defineRuntime({ tenant: defineTenant('acme', 'v1'), agents: [clerk] })
const acme = await createRuntime(spec, { store: './data', models: { demo: model }, tools: { charge: pay } })

const [interrupted] = (await acme.runs.list({ status: 'interrupted' })).items
const [pending] = (await acme.approvals.pending()).items
if (pending) await acme.approvals.respond(pending.approvalId, { decision: 'approve', actor: 'lee' })
const open = interrupted ?? pending
const run = open ? acme.runs.resume(open.runId) : acme.query('Charge kim 42 euros')
const { status, text, approvals } = await run.result()
console.log(status, approvals?.[0].subject ?? text)
await acme.close()
`

const demo = `// Stand-ins for what your program has: a model, and the service that takes payments.
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { scriptedModel } from '${PACKAGE}/testing'

const usage = { inputTokens: 20, outputTokens: 8 }

/** Answers by a script, so that this runs without a key. README.md says how to put a real model in its place. */
export const model = scriptedModel(({ messages }) => {
  const isCharged = messages.some(({ role }) => role === 'tool')
  if (isCharged) {
    return [
      { type: 'text.delta', id: 'answer', delta: 'Kim is charged 42 euros.' },
      { type: 'finish', reason: 'stop', usage },
    ]
  }
  return [
    { type: 'tool.call', callId: 'call-1', tool: 'charge', input: '{"customer":"kim","euros":42}' },
    { type: 'finish', reason: 'tool-calls', usage },
  ]
})

const file = 'charges.txt'

/** Charges once for each key, as payment services do. Then it kills this process, before the result can be stored. */
export function pay({ customer, euros }, { idempotencyKey }) {
  const charges = existsSync(file) ? readFileSync(file, 'utf8') : ''
  if (charges.includes(idempotencyKey)) return 'This was charged before. Nothing is charged twice.'
  appendFileSync(file, \`\${idempotencyKey} \${customer} \${euros} euros\\n\`)
  console.log(\`charged \${customer} \${euros} euros, and now kill -9\`)
  process.kill(process.pid, 'SIGKILL')
}
`

function readme(name: string): string {
  return `# ${name}

An agent of one tenant. Its tool needs approval, and the run survives \`kill -9\`. Run it three times:

    npm install
    npm start    # suspended: a person has to approve the charge, and the process has ended
    npm start    # lee approves; the tool charges, and the process is killed before it can store that
    npm start    # a new process resumes the run; \`charges.txt\` has one charge

Whatever happened is on a local page: \`npx bailiwick inspect ./data --tenant acme\`.

Everything is kept in \`./data\`, sealed with keys of each tenant; \`data/root.key\` wraps those keys. Bring a root key of your own
with the environment variable BAILIWICK_ROOT_KEY (32 bytes as base64) before you keep anything that matters.

## A real model

The agent's model is \`demo/any\`: the provider \`demo\` is what \`models\` of \`createRuntime\` says, here a script in \`demo.js\`. Any
provider of the AI SDK will do. Install it, name the model in the agent, and hand it over:

    npm install @ai-sdk/anthropic

    import { createAnthropic } from '@ai-sdk/anthropic'
    import { fromAiSdk } from '${PACKAGE}/ai-sdk'

    models: { anthropic: fromAiSdk(createAnthropic()) }

## What else there is

    npx bailiwick --help

\`npx bailiwick doctor ./data\` reads every record of the store; \`npx bailiwick isolation memory:\` runs the tenant-isolation suite.
`
}

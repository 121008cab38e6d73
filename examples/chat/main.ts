// A chat for people of several tenants: Hono serves a page in React, and the agents' runs outlive the process.
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { openDesk } from './server/desk.ts'
import { modelFor } from './server/model.ts'
import { startServer } from './server/server.ts'
import { openSessions } from './server/sessions.ts'

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      data: { type: 'string', default: './chat-data' },
      port: { type: 'string', default: '8788' },
    },
  })
  const desk = await openDesk(`sled:${values.data}`, modelFor(process.env))
  const sessions = await openSessions(values.data, process.env['CHAT_PASSWORD'])
  // The build puts the page beside this program.
  const page = fileURLToPath(new URL('page/', import.meta.url))
  const server = await startServer({ desk, sessions, page, log: console.error }, Number(values.port))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => server.close())
  process.stdout.write(`A chat at ${server.url}
Sign in as kim or lee, who share the tenant acme, or as mallory of globex. The password is ${sessions.password}
`)
}

await main().catch((error: Error) => {
  process.stderr.write(`${error.message}\nTry: npm run example:chat -- --port 0 --data ./chat-data\n`)
  process.exit(2)
})

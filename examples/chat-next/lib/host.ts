import { createAnthropic } from '@ai-sdk/anthropic'
import { createHost, type Host } from 'bailiwick'
import { fromAiSdk } from 'bailiwick/ai-sdk'
import { spec, tools } from './agents.ts'
import { demoModel } from './demo-model.ts'

// A module of Next.js is loaded several times in one process: for pages, for routes, and again after each change in development.
// The store is opened once, so its host is kept where all of them find it. Restart `next dev` after a change of the agents.
const shared = globalThis as { chatHost?: Promise<Host> | undefined }

/** The one host of this process: it serves every tenant, and goes on with runs by itself. */
export function host(): Promise<Host> {
  shared.chatHost ??= start().catch((error) => {
    shared.chatHost = undefined
    throw error
  })
  return shared.chatHost
}

async function start(): Promise<Host> {
  const key = process.env['ANTHROPIC_API_KEY']
  const host = await createHost(spec, {
    store: process.env['STORE'] ?? './data',
    // Without a key, a script stands for the model.
    models: { anthropic: key ? fromAiSdk(createAnthropic({ apiKey: key })) : demoModel },
    tools,
    onError: (error, about) => console.error(error, about),
  })
  await host.start()
  return host
}

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import {
  createRuntime,
  defineDataEnvironment,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  defineTool,
  openStore,
} from '../../ts/index.ts'
import { freshFolder } from '../support/stores.ts'
import { calls, says, script } from './models.ts'

const canary = 'canary-7f3a91c2'
const secrets = { API_KEY: `sk-${canary}-api`, DB_URL: `postgres://u:${canary}-db@host/db` }

/** Every byte below a folder, file names included. */
function everything(folder: string): Buffer[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name)
    return [Buffer.from(name), ...(statSync(path).isDirectory() ? everything(path) : [readFileSync(path)])]
  })
}

it('tenant, secrets and keys are in no prompt, event, error, trace or file', async () => {
  const folder = join(freshFolder(), 'store')
  const rootKey = new Uint8Array(32).fill(0x5a)
  const store = await openStore(`sled:${folder}`, { rootKey })
  const input = { type: 'object' } as const
  const leak = defineTool({ name: 'leak', description: 'x', input })
  const ask = defineTool({ name: 'ask', description: 'x', approval: 'always', input })
  const agent = defineSpecialist({ name: 'one', model: ['test/a', 'test/b'], prompt: 'Help.', tools: [leak, ask] })
  const spec = defineRuntime({
    tenant: defineTenant(`tenant-${canary}`, `version-${canary}`),
    agents: [agent],
    providers: { test: { apiKeyEnv: 'API_KEY' } },
    dataEnvironment: defineDataEnvironment({ databases: { main: { urlEnv: 'DB_URL' } } }),
  })
  const seen: unknown[] = []
  const model = script(calls(['leak', {}], ['ask', {}]), says('Done.'))
  const runtime = await createRuntime(spec, {
    store,
    env: secrets,
    models: {
      test: ({ apiKey }) => {
        seen.push(apiKey === secrets.API_KEY)
        return {
          async *stream(request) {
            if (request.modelId === 'a') throw new Error(`401 for the key ${apiKey}`)
            yield* model.stream(request)
          },
        }
      },
    },
    tools: {
      leak: () => {
        throw new Error(`cannot connect to ${secrets.DB_URL}`)
      },
      ask: () => 'asked',
    },
    approve: async () => ({ decision: 'approve', actor: 'kim' }),
  })
  const output: unknown[] = []
  const run = runtime.query({ prompt: 'Go', actor: 'kim' })
  output.push(await run.result())
  for await (const event of run) output.push(event)
  output.push(model.requests, (await runtime.traces.list({ runId: run.runId })).items, await runtime.runs.list())
  output.push(await runtime.approvals.history(), (await runtime.threads.messages(run.threadId as string)).items)
  const failing = runtime.query('Go')
  output.push(await failing.result())
  expect(seen).toEqual([true])
  expect(output.at(-1)).toMatchObject({ status: 'failed' })
  expect(JSON.stringify(output)).toContain('[redacted]')
  expect(JSON.stringify(output)).not.toContain(canary)
  await runtime.close()
  await store.close()
  const key = Buffer.from(rootKey)
  for (const bytes of everything(folder)) {
    for (const secret of [
      Buffer.from(canary),
      Buffer.from(canary, 'utf16le'),
      key,
      Buffer.from(key.toString('base64')),
    ]) {
      expect(bytes.includes(secret)).toBe(false)
    }
  }
})

// Root keys are for stores alone: whatever they are called, no spec reads them and no text has them.
import { Worker } from 'node:worker_threads'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  createRuntime,
  defineDataEnvironment,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  openStore,
  SpecError,
  type Store,
  type StoreOptions,
} from '../../../ts/index.ts'
import { isRootKey, rememberRootKey, rememberVariable } from '../../../ts/store/root-keys.ts'
import { calls, says, script } from '../../loop/models.ts'
import { look } from '../../loop/specs.ts'
import { freshUrl } from '../../support/stores.ts'

/** A key that no other test knows. */
function freshKey(): { bytes: Uint8Array; text: string } {
  const bytes = crypto.getRandomValues(new Uint8Array(32))
  return { bytes, text: Buffer.from(bytes).toString('base64') }
}

/** Sets an environment variable of a name that no other test knows. */
function freshVariable(value: string): string {
  const name = `ROOT_${crypto.randomUUID().replaceAll('-', '_')}`
  vi.stubEnv(name, value)
  onTestFinished(() => void vi.unstubAllEnvs())
  return name
}

async function opened(options: StoreOptions): Promise<Store> {
  const store = await openStore(await freshUrl('memory'), options)
  onTestFinished(() => store.close())
  return store
}

const agents = [defineSpecialist({ name: 'one', model: 'test/m', prompt: 'x', tools: [look] })]
const tenant = defineTenant('acme', 'v1')

/** A spec that names a variable in each of the places where one may. */
const places = {
  'providers.test.apiKeyEnv': (name: string) => ({ providers: { test: { apiKeyEnv: name } } }),
  'providers.test.baseUrlEnv': (name: string) => ({ providers: { test: { baseUrlEnv: name } } }),
  'dataEnvironment.databases.main.urlEnv': (name: string) => ({
    dataEnvironment: defineDataEnvironment({ databases: { main: { urlEnv: name } } }),
  }),
}

/** How a root key may come to be in a variable of this name. */
const ways: { readonly [way: string]: () => Promise<{ store: Store; name: string; text: string }> } = {
  'the variable that the store was opened by': async () => {
    const { text } = freshKey()
    const name = freshVariable(text)
    return { store: await opened({ rootKeyEnv: name }), name, text }
  },
  'a second name of it': async () => {
    const { text } = freshKey()
    return { store: await opened({ rootKeyEnv: freshVariable(text) }), name: freshVariable(text), text }
  },
  'a variable whose bytes were passed': async () => {
    const { bytes, text } = freshKey()
    return { store: await opened({ rootKey: bytes }), name: freshVariable(text), text }
  },
  'a variable whose bytes were fetched, in hex': async () => {
    const { bytes } = freshKey()
    const text = Buffer.from(bytes).toString('hex')
    return { store: await opened({ rootKey: async () => bytes }), name: freshVariable(text), text }
  },
  'the next key of a rotation, without padding': async () => {
    const [{ bytes }, next] = [freshKey(), freshKey()]
    const store = await opened({ rootKey: bytes })
    await store.rotateRootKey(next.bytes)
    const text = next.text.replace('=', '')
    return { store, name: freshVariable(text), text }
  },
}

describe.each(Object.entries(ways))('%s', (_, way) => {
  it.each(Object.entries(places))('is refused in %s', async (path, part) => {
    const { store, name } = await way()
    const spec = defineRuntime({ tenant, agents, ...part(name) })
    const made = vi.fn()
    for (const env of [undefined, process.env, { [name]: process.env[name] }]) {
      const options = { store, models: { test: made }, tools: { look: () => 1 }, ...(env && { env }) }
      const error = await createRuntime(spec, options).catch((error: unknown) => error)
      expect(SpecError.isInstance(error) && error.issues.map((issue) => issue.path)).toEqual([path])
    }
    expect(made).not.toHaveBeenCalled()
  })

  it('is in no text that a tool or a model fails with', async () => {
    const { store, text } = await way()
    const model = script(calls(['look', {}]))
    const tools = {
      look: () => {
        throw new Error(`cannot use key=${text}; it was "${text}"`)
      },
    }
    const models = {
      test: {
        async *stream(request: Parameters<typeof model.stream>[0]) {
          if (model.requests.length === 1) throw new Error(`the model got ${text}`)
          yield* model.stream(request)
        },
      },
    }
    const runtime = await createRuntime(defineRuntime({ tenant, agents }), { store, models, tools })
    const run = runtime.query('Go')
    const seen: unknown[] = [await run.result()]
    for await (const event of run) seen.push(event)
    seen.push((await runtime.traces.list({ runId: run.runId })).items)
    expect(JSON.stringify(seen)).toContain('key=[redacted]')
    expect(JSON.stringify(seen)).toContain('the model got [redacted]')
    expect(JSON.stringify(seen)).not.toContain(text.slice(0, 40))
  })
})

it('a variable that a store is opened by later is not read for a model that is made then', async () => {
  const { text } = freshKey()
  const name = freshVariable(text)
  const spec = defineRuntime({ tenant, agents, providers: { test: { apiKeyEnv: name } } })
  const made = vi.fn(() => script(says('Hello.')))
  const store = await opened({})
  const runtime = await createRuntime(spec, {
    store,
    models: { test: made },
    tools: { look: () => 1 },
    env: process.env,
  })
  await opened({ rootKeyEnv: name })
  const result = await runtime.query('Go').result()
  expect(result).toMatchObject({ status: 'failed' })
  expect(JSON.stringify(result)).toContain(`${name} holds a root key`)
  expect(made).not.toHaveBeenCalled()
})

it('the default environment has no root key, and a key in the password of an address is in no text', async () => {
  const { text } = freshKey()
  const url = freshVariable('https://user:pass-4711-word@models.example/v1')
  const rootName = freshVariable(text)
  const store = await opened({ rootKeyEnv: rootName })
  const spec = defineRuntime({ tenant, agents, providers: { test: { baseUrlEnv: url } } })
  const models = {
    test: ({ baseUrl }: { baseUrl?: string }) => ({
      // biome-ignore lint/correctness/useYield: it fails before it says anything
      async *stream(): AsyncGenerator<never> {
        throw new Error(`no answer from ${baseUrl}`)
      },
    }),
  }
  const runtime = await createRuntime(spec, { store, models, tools: { look: () => 1 } })
  const result = JSON.stringify(await runtime.query('Go').result())
  expect(result).toContain('https://user:[redacted]@models.example')
})

it('an invalid root key protects no other variables', async () => {
  for (const wrong of [new Uint8Array(0), new Uint8Array(31), '', 'x']) rememberRootKey(wrong)
  expect([isRootKey('ANY', ''), isRootKey('ANY', 'x'), isRootKey('UNSET_ANYWHERE')]).toEqual([false, false, false])
})

it('a worker knows the root keys of the thread that started it', async () => {
  const { bytes, text } = freshKey()
  rememberVariable('ROOT_OF_ANOTHER_THREAD')
  rememberRootKey(bytes)
  expect(isRootKey('ANY', text)).toBe(true)
  const program = `
    const { parentPort, getEnvironmentData } = require('node:worker_threads')
    const { variables, hashes } = getEnvironmentData('bailiwick.root-keys.1')
    parentPort.postMessage([variables.has('ROOT_OF_ANOTHER_THREAD'), hashes.size > 0])`
  const worker = new Worker(program, { eval: true })
  expect(await new Promise((resolve) => worker.once('message', resolve))).toEqual([true, true])
  await worker.terminate()
})

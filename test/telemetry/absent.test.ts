import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { expect, test } from 'vitest'
import { addonPath } from '../../scripts/lib/platform.mjs'
import { inRoot } from '../../scripts/lib/root.mjs'
import { runNode } from '../support/run-node.ts'
import { freshFolder } from '../support/stores.ts'

/** Uses what is traced, and tells whether OpenTelemetry was there and how the part of a handle looks. */
const program = `
  import { createRequire } from 'node:module'
  process.env.BAILIWICK_NATIVE_PATH = process.argv[2]
  const { createRuntime, defineRuntime, defineTenant } = await import('bailiwick')
  const spec = defineRuntime({ tenant: defineTenant('acme', 'v1') })
  const telemetry = { attributes: () => { throw new Error('asked for attributes') }, recordContent: true }
  const runtime = await createRuntime(spec, { store: 'memory:', telemetry })
  const { id } = await runtime.references.put('note', { hello: 'world' })
  const computed = await runtime.cache.getOrCompute('key', {}, () => 7)
  const found = (await runtime.references.resolve(id)).json()
  let installed = true
  try { createRequire(import.meta.url).resolve('@opentelemetry/api') } catch { installed = false }
  const wrapped = Object.hasOwn(runtime.references, 'put')
  await runtime.close()
  console.log(JSON.stringify({ installed, wrapped, found, computed }))
`

/** A project that has the built package, and the given folder as its OpenTelemetry API. */
async function runIn(api?: string): Promise<unknown> {
  const project = freshFolder()
  const installed = join(project, 'node_modules', 'bailiwick')
  mkdirSync(installed, { recursive: true })
  cpSync(inRoot('package.json'), join(installed, 'package.json'))
  cpSync(inRoot('dist'), join(installed, 'dist'), { recursive: true })
  if (api !== undefined) cpSync(api, join(project, 'node_modules', '@opentelemetry', 'api'), { recursive: true })
  writeFileSync(join(project, 'program.mjs'), program)
  return JSON.parse(await runNode(['program.mjs', inRoot(addonPath)], project, process.execPath))
}

test('without the API everything works, and nothing is wrapped', async () => {
  expect(await runIn()).toEqual({ installed: false, wrapped: false, found: { hello: 'world' }, computed: 7 })
})

test('with the API and no tracer everything works', async () => {
  const expected = { installed: true, wrapped: true, found: { hello: 'world' }, computed: 7 }
  expect(await runIn(inRoot('node_modules', '@opentelemetry', 'api'))).toEqual(expected)
})

test('an API that cannot be loaded counts as absent', async () => {
  const broken = join(freshFolder(), 'api')
  mkdirSync(broken)
  writeFileSync(join(broken, 'package.json'), JSON.stringify({ name: '@opentelemetry/api', main: 'index.js' }))
  writeFileSync(join(broken, 'index.js'), "throw new Error('broken')")
  expect(await runIn(broken)).toMatchObject({ installed: true, wrapped: false, found: { hello: 'world' } })
})

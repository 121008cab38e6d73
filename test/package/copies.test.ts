// Several installs of the package in one process, as a host gets them by its dependencies.
import { copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { addonFile, addonPath, platformName } from '../../scripts/lib/platform.mjs'
import { inRoot } from '../../scripts/lib/root.mjs'
import { VERSION } from '../../ts/common/version.ts'
import { runNode } from '../support/run-node.ts'
import { freshFolder } from '../support/stores.ts'

let folder: string
beforeEach(() => {
  folder = freshFolder()
})

/** Installs what is built into a folder, as of a version, with an addon of its own. */
function install(name: string, version: string): void {
  const modules = join(folder, name, 'node_modules')
  cpSync(inRoot('dist'), join(modules, 'bailiwick', 'dist'), { recursive: true })
  writeManifest(inRoot('package.json'), join(modules, 'bailiwick'), version)
  const platform = join(modules, '@bailiwick', platformName())
  writeManifest(inRoot(dirname(addonPath), 'package.json'), platform, version)
  copyFileSync(inRoot(addonPath), join(platform, addonFile))
  writeFileSync(join(folder, name, 'index.mjs'), "export * from 'bailiwick'\n")
}

function writeManifest(original: string, place: string, version: string): void {
  mkdirSync(place, { recursive: true })
  const manifest = { ...JSON.parse(readFileSync(original, 'utf8')), version }
  writeFileSync(join(place, 'package.json'), JSON.stringify(manifest))
}

function write(file: string, lines: readonly string[]): void {
  writeFileSync(join(folder, file), lines.join('\n'))
}

/** Runs a module in the folder and gives the JSON that it prints. */
async function run(lines: readonly string[]): Promise<unknown> {
  write('main.mjs', lines)
  return JSON.parse(await runNode(['main.mjs'], folder))
}

const both = ["import * as one from './one/index.mjs'", "import * as two from './two/index.mjs'"]
const url = "'sled:./store'"
const locked = [`const error = await two.openStore(${url}).catch((error) => error)`]
const said = 'console.log(JSON.stringify([one.StoreLockedError.isInstance(error), error.code, error.message]))'

describe('two installs in one process', () => {
  beforeEach(() => {
    install('one', '1.2.3')
    install('two', '1.2.4')
  })

  const elsewhere = () => join('one', 'node_modules', '@bailiwick', platformName(), addonFile)

  test('a store that the other install has open is reported as in this process, with version and place', async () => {
    const printed = await run([
      ...both,
      `const store = await one.openStore(${url})`,
      ...locked,
      said,
      'await store.close()',
    ])
    expect(printed).toEqual([true, 'STORE_LOCKED', expect.stringContaining('another copy of bailiwick')])
    expect(String(printed)).toContain(`version 1.2.3, ${join(folder, elsewhere())}`)
    expect(String(printed)).toContain('npm ls bailiwick')
  })

  test('and so it does where the other belongs to a worker', async () => {
    write('worker.mjs', [
      "import { parentPort } from 'node:worker_threads'",
      "import { openStore } from './one/index.mjs'",
      `const store = await openStore(${url})`,
      "parentPort.postMessage('open')",
      'setInterval(() => store.url, 1 << 30)',
    ])
    const printed = await run([
      "import { once } from 'node:events'",
      "import { Worker } from 'node:worker_threads'",
      ...both,
      "const worker = new Worker('./worker.mjs')",
      "await once(worker, 'message')",
      ...locked,
      said,
      'await worker.terminate()',
    ])
    expect(printed).toEqual([
      true,
      'STORE_LOCKED',
      expect.stringContaining(`version 1.2.3, ${join(folder, elsewhere())}`),
    ])
  })

  test('a store that another process has open is reported as such', async () => {
    write('child.mjs', [
      "import { openStore } from './one/index.mjs'",
      `await openStore(${url})`,
      "process.send('open')",
      'setInterval(() => {}, 1 << 30)',
    ])
    const printed = await run([
      "import { once } from 'node:events'",
      "import { fork } from 'node:child_process'",
      "import * as one from './one/index.mjs'",
      'const two = one',
      "const child = fork('./child.mjs')",
      "await once(child, 'message')",
      ...locked,
      said,
      'child.kill()',
    ])
    expect(printed).toEqual([true, 'STORE_LOCKED', expect.stringMatching(/^Another process has this store open\./)])
  })

  test('the spec of one install opens a runtime of the other, and objects shared by mistake name their owner', async () => {
    const printed = await run([
      ...both,
      "const spec = one.defineRuntime({ tenant: one.defineTenant('acme', 'v1'), limits: { valueBytes: 10 } })",
      "const runtime = await two.createRuntime(spec, { store: 'memory:' })",
      "const other = two.withTenant(spec, two.defineTenant('globex', 'v1'))",
      "const refused = await runtime.references.put('note', 'much too long').catch((error) => error)",
      "const store = await one.openStore('memory:')",
      'const foreign = await two.createRuntime(spec, { store }).catch((error) => error)',
      'const told = [JSON.stringify(runtime.spec) === JSON.stringify(spec), other.tenant.resourceId, refused.code]',
      'console.log(JSON.stringify([...told, foreign.code, foreign.message]))',
      'await store.close()',
      'await runtime.close()',
    ])
    const message = expect.stringContaining(`store was opened by another copy of bailiwick (version ${VERSION})`)
    expect(printed).toEqual([true, 'globex', 'QUOTA_EXCEEDED', 'INVALID_INPUT', message])
  })
})

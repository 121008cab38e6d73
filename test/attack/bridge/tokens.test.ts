import { existsSync } from 'node:fs'
import process from 'node:process'
import { describe, expect, it } from 'vitest'
import { faultsAddonPath } from '../../../scripts/lib/platform.mjs'
import { inRoot } from '../../../scripts/lib/root.mjs'
import type { NativeAddon, NativeEnvironment } from '../../../ts/native/addon.ts'
import { Bridge } from '../../../ts/native/bridge.ts'
import { loadAddon } from '../../../ts/native/loader.ts'
import { Operation } from '../../../ts/native/operations.ts'
import { gate } from '../../loop/models.ts'
import { codeOf } from '../../support/failures.ts'
import { openFresh, runtimeFor } from '../../support/stores.ts'

const faultsAddon = inRoot(faultsAddonPath)
if (!existsSync(faultsAddon)) throw new Error(`There is no ${faultsAddon}. Run npm test, which builds it.`)
process.env['BAILIWICK_NATIVE_PATH'] = faultsAddon

const addon = loadAddon()
let environment: NativeEnvironment | undefined
const { createEnvironment } = addon
addon.createEnvironment = (doorbell) => {
  environment = createEnvironment(doorbell)
  return environment
}

function skipTo(next: number): void {
  addon.skipTokens?.(environment as NativeEnvironment, next)
}

describe('the numbers of calls', () => {
  it.each([2 ** 31, 2 ** 32, 2 ** 40, 2 ** 52])(
    'an open call keeps its answer while others pass %d',
    async (border) => {
      const store = await openFresh('memory')
      const [acme, globex] = [await runtimeFor(store, 'acme'), await runtimeFor(store, 'globex')]
      await acme.cache.set('key', 'of acme')
      const { opened, open } = gate()
      skipTo(1_000_000)
      // One that is open for as long as the host likes.
      const begun = gate()
      const computing = globex.cache.getOrCompute('mine', {}, () => {
        begun.open()
        return opened.then(() => 'of globex')
      })
      await begun.opened
      const waiting = globex.cache.getOrCompute('mine', {}, () => 'never')
      await globex.cache.get('anything')
      // Tokens of 31 bits would come to the same numbers again from here.
      for (const start of [border - 50, border + 1_000_000 - 50]) {
        skipTo(start)
        const answers = await Promise.all(Array.from({ length: 200 }, () => acme.cache.get('key')))
        expect(answers).toEqual(Array.from({ length: 200 }, () => 'of acme'))
      }
      open()
      expect(await Promise.all([computing, waiting])).toEqual(['of globex', 'of globex'])
    },
  )

  it('after the last number a call is refused, and nothing of it is done', async () => {
    const store = await openFresh('memory')
    const runtime = await runtimeFor(store, 'acme')
    await runtime.cache.set('key', 'value')
    skipTo(2 ** 53 - 3)
    await runtime.cache.get('key')
    await runtime.cache.get('key')
    expect(await codeOf(() => runtime.cache.set('key', 'another'))).toBe('INTERNAL')
    skipTo(2 ** 33)
    expect(await runtime.cache.get('key')).toBe('value')
  })

  it('should two calls get one number, the second is refused', async () => {
    const tokens = [7, 7, 8]
    const doubling: NativeAddon = { ...addon, submit: () => tokens.shift() as number }
    const native = new Bridge(doubling)
    const nothing = () => {}
    native.submit(Operation.usage, 1, nothing, nothing).catch(nothing)
    expect(await codeOf(() => native.submit(Operation.usage, 1, nothing, nothing))).toBe('INTERNAL')
  })
})

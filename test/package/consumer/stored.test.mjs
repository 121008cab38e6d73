import { storeAndFind } from './stored.mjs'

// The names of vitest and jest alike.
const { expect, test } = /** @type {typeof import('vitest')} */ (/** @type {unknown} */ (globalThis))

test('a stored value is found', async () => {
  expect(await storeAndFind()).toEqual({ hello: 'world' })
})

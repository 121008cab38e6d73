import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { inRoot } from '../../scripts/lib/root.mjs'
import { VERSION } from '../../ts/common/version.ts'

test('the version that we tell is that of the package', () => {
  expect(VERSION).toBe(JSON.parse(readFileSync(inRoot('package.json'), 'utf8')).version)
})

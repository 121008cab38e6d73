import { expect, it } from 'vitest'
import { runtimeInThread } from './runtime.ts'

it('puts and resolves', async () => {
  expect(await runtimeInThread()).toEqual({ text: 'hello' })
})

import { expect, it } from 'vitest'
import { createRuntime, defineRuntime, defineSpecialist, defineTool } from '../../ts/index.ts'
import { openFresh } from '../support/stores.ts'
import { acme } from '../unit/support.ts'
import { calls, gate, says, script } from './models.ts'

const input = { type: 'object' } as const

it('a hook around a tool calls no handler any more once its call has ended', async () => {
  const [late, refused] = [gate(), gate()]
  let isPaid = false
  const quick = defineTool({ name: 'pay', description: 'Pays', input, timeoutMs: 50 })
  const runtime = await createRuntime(
    defineRuntime({
      tenant: acme,
      agents: [defineSpecialist({ name: 'clerk', model: 'test/m', prompt: 'Help.', tools: [quick] })],
    }),
    {
      store: await openFresh('memory'),
      models: { test: script(calls(['pay', {}]), says('Done.')) },
      tools: {
        pay: () => {
          isPaid = true
          return 'paid'
        },
      },
      around: {
        async tool(_, next) {
          await late.opened
          try {
            return await next()
          } finally {
            refused.open()
          }
        },
      },
    },
  )
  const result = await runtime.query('Go').result()
  late.open()
  await refused.opened
  expect([result.status, isPaid]).toEqual(['completed', false])
})

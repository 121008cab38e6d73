import { describe, expect, it } from 'vitest'
import {
  createRuntime,
  defineReference,
  defineRuntime,
  defineTenant,
  type Model,
  type Runtime,
  type Store,
} from '../../../ts/index.ts'
import { neighbour } from '../../../ts/isolation/neighbour.ts'
import { usage } from '../../loop/models.ts'
import { specOf } from '../../loop/specs.ts'
import { openFresh, runtimeFor } from '../../support/stores.ts'

/** A tree of alternatives, as everybody writes one. */
const expression = {
  $ref: '#/$defs/expression',
  $defs: {
    expression: {
      anyOf: [
        { type: 'number' },
        {
          type: 'object',
          required: ['op', 'args'],
          properties: { args: { type: 'array', items: { $ref: '#/$defs/expression' } }, op: { const: 'add' } },
        },
        {
          type: 'object',
          required: ['op', 'args'],
          properties: { args: { type: 'array', items: { $ref: '#/$defs/expression' } }, op: { const: 'multiply' } },
        },
      ],
    },
  },
}

/** A value that is wrong at its leaf alone. */
function wrong(depth: number): object {
  let value: object = { op: 'add', args: ['wrong'] }
  for (let level = 0; level < depth; level += 1) value = { op: level % 2 ? 'add' : 'multiply', args: [value, 1] }
  return value
}

async function agentOf(store: Store, model: Model, result: () => unknown): Promise<Runtime> {
  return await createRuntime(specOf('attacker'), {
    store,
    models: { test: model },
    tools: { look: () => result() as never },
  })
}

/** What one tenant may do that grows with its data; each resolves once it is over, however it ended. */
const heavy: { readonly [what: string]: (store: Store) => Promise<unknown> } = {
  'wrong values against a recursive schema': async (store) => {
    const references = [defineReference({ name: 'expression', schema: expression })]
    const spec = defineRuntime({ tenant: defineTenant('attacker', 'v1'), references })
    const runtime = await createRuntime(spec, { store })
    const puts = [4, 12, 30, 45].map((depth) => runtime.references.put('expression', wrong(depth) as never))
    const refused = await Promise.allSettled(puts)
    expect(refused.map((put) => (put.status === 'rejected' ? put.reason.code : 'taken'))).toEqual(
      puts.map(() => 'INVALID_INPUT'),
    )
  },
  'large results of tools': async (store) => {
    const rows = Array.from({ length: 40_000 }, (_, index) => ({ index, name: `row ${index}`, value: index / 7 }))
    const model: Model = {
      async *stream({ messages }) {
        if (messages.length > 1) yield { type: 'text.delta', id: 't', delta: 'done' }
        else yield { type: 'tool.call', callId: 'one', tool: 'look', input: '{}' }
        yield { type: 'finish', reason: messages.length > 1 ? 'stop' : 'tool-calls', usage }
      },
    }
    const runtime = await agentOf(store, model, () => rows)
    const runs = Array.from({ length: 4 }, () => runtime.query('Go').result())
    expect((await Promise.all(runs)).map(({ status }) => status)).toEqual(runs.map(() => 'completed'))
  },
  'deltas of many ids': async (store) => {
    const model: Model = {
      async *stream() {
        for (let index = 0; index < 20_000; index += 1) {
          yield { type: 'reasoning.delta', id: `${index % 1000}`, delta: 'x' }
        }
        yield { type: 'finish', reason: 'stop', usage }
      },
    }
    const runtime = await agentOf(store, model, () => 'x')
    expect(await runtime.query('Go').result()).toMatchObject({ status: 'completed' })
  },
  'verifying a ledger': async (store) => {
    const { approvals } = await runtimeFor(store, 'attacker')
    const decide = async (order: number) => {
      const { approvalId } = await approvals.request({ tool: 'refund', input: { order } })
      await approvals.respond(approvalId, { decision: 'approve', actor: 'kim' })
    }
    await Promise.all(Array.from({ length: 300 }, (_, order) => decide(order)))
    expect(await approvals.verify()).toMatchObject({ ok: true, size: 300 })
  },
  'listing everything': async (store) => {
    const { references } = await runtimeFor(store, 'attacker')
    for (let part = 0; part < 4; part += 1) {
      await references.putMany(Array.from({ length: 250 }, (_, index) => ({ type: 'note', value: { part, index } })))
    }
    const lists = Array.from({ length: 8 }, () => references.list({ limit: 1000 }))
    for (const { items: listed } of await Promise.all(lists)) expect(listed).toHaveLength(1000)
  },
  'large puts': async (store) => {
    const { references } = await runtimeFor(store, 'attacker')
    const put = (first: number) => references.put('file', new Uint8Array(8 << 20).fill(first))
    await Promise.all(Array.from({ length: 8 }, (_, first) => put(first)))
  },
}

describe.each(Object.entries(heavy))('beside %s', (_, work) => {
  it('a neighbour is answered at its usual speed during it', async () => {
    const store = await openFresh('memory')
    const beside = await neighbour(await runtimeFor(store, 'victim'))
    const alone = await beside.transcript()
    let isOver = false
    const working = work(store).finally(() => {
      isOver = true
    })
    do expect(await beside.transcript()).toEqual(alone)
    while (!isOver)
    await working
  })
})

import { describe, expect, it } from 'vitest'
import * as bailiwick from '../../ts/index.ts'
import { type Change, handlers, model, specOf, waiting } from '../fixtures/waiting/life.mjs'
import { codeOf } from '../support/failures.ts'
import { openStoreOf, storesIn } from '../support/fixtures.ts'

type Kind = (typeof waiting)[number]

/** How each run ends: with this text, suspended once more, or refused with this code. */
type Ends = { readonly [kind in Kind]: string }

const onwards: Ends = { send: 'sent', ask: 'this', wire: 'paid', nap: 'time', look: 'seen' }
const all = (end: string): Ends => ({ send: end, ask: end, wire: end, nap: end, look: end })
const optional = { type: 'object', properties: { note: { type: 'string' } } }
const required = { ...optional, required: ['note'] }

/** The table of docs/guides/hosts.md, Deploys. */
const table: [string, Change, Ends][] = [
  ['nothing: another machine goes on with a copy', {}, onwards],
  ['the prompt', { prompt: 'Other.' }, onwards],
  ['the model', { model: 'other' }, onwards],
  ['whether a tool needs an approval', { approval: 'never' }, onwards],
  ['the input schema, and the input fits', { input: optional }, { ...onwards, send: 'suspended' }],
  [
    'the input schema, and the input does not fit',
    { input: required },
    { send: 'INPUT_INVALID', ask: 'this', wire: 'INPUT_INVALID', nap: 'INPUT_INVALID', look: 'INPUT_INVALID' },
  ],
  ['the tools: they are gone', { isWithoutTools: true }, all('TOOL_UNKNOWN')],
  ['the agent: it is gone', { agent: 'other' }, all('SPEC_INVALID')],
]

describe.each(storesIn('waiting'))('runs that wait in the store %s of an earlier version', (name) => {
  it.each(table)('go on, ask again or are refused, after a deploy has changed %s', async (_, change, ends) => {
    const { store, facts } = await openStoreOf<{ readonly [kind in Kind]: string }>('waiting', name)
    const { called, tools } = handlers(bailiwick)
    const acme = await bailiwick.createRuntime(specOf(bailiwick, change), { store, models: { test: model }, tools })
    const [approval] = (await acme.approvals.pending()).items
    await acme.approvals.respond(approval?.approvalId ?? '', { decision: 'approve', actor: 'kim' })
    for (const { waitId, kind } of (await acme.waits.list()).items) {
      if (kind === 'answer') await acme.waits.settle(waitId, { value: 'this' })
      if (kind === 'event') await acme.waits.settle(waitId, { value: 'paid' })
    }
    const ended: { [kind: string]: string } = {}
    for (const kind of waiting) {
      const run = acme.runs.resume(facts[kind])
      const outcome = await run.result().then(
        ({ status, text }) => (status === 'completed' ? text : status),
        (error: unknown) => codeOf(() => Promise.reject(error)),
      )
      ended[kind] = await outcome
    }
    expect(ended).toEqual(ends)
    // A handler is called for a run that has its result, once.
    const made = waiting.filter((kind) => kind !== 'ask' && ends[kind] === onwards[kind])
    expect(called.toSorted()).toEqual(made.toSorted())
  })
})

it('there are stores of earlier versions', () => {
  expect(storesIn('waiting')).toContain('c265c98.json.gz')
})

import type { Runtime } from 'bailiwick'
import { freshBytes } from './values.ts'

const MIB = 1 << 20

/** The contents of the store. */
export interface Filled {
  readonly ids: readonly string[]
  readonly approvalId: string
  readonly messageId: string
}

/** Every verb of a tenant that takes or returns data, with large data. */
export function verbsOf(
  runtime: Runtime,
  filled: Filled,
): { readonly [verb: string]: (number: number) => Promise<unknown> } {
  const { references, cache, plans, approvals, threads, traces, runs } = runtime
  const { ids, approvalId, messageId } = filled
  const all = { limit: 1000 }
  // Arguments belong to the caller: one of each, slightly different for each call, so that they are not counted 32 times.
  const [large, medium, text, longer] = [
    freshBytes(4 * MIB),
    freshBytes(MIB),
    'x'.repeat(MIB - 500),
    'x'.repeat(4 * MIB),
  ]
  const dense = Array.from({ length: 200_000 }, (_, number) => number % 10)
  const other = (bytes: Uint8Array, number: number) => {
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, number)
    return bytes
  }
  return {
    'references.put': (number) => references.put('rows', other(large, number)),
    'references.put of JSON': (number) => {
      dense[0] = number
      return references.put('rows', dense)
    },
    'references.putMany': (number) =>
      references.putMany([
        { type: 'rows', value: other(medium, number) },
        { type: 'others', value: other(medium, number) },
      ]),
    'references.resolve': (number) => references.resolve(ids[number % ids.length] ?? ''),
    'references.resolveMany': () => references.resolveMany(ids.slice(0, 2)),
    'references.resolveMany, one often': () => references.resolveMany(Array.from({ length: 1000 }, () => ids[0] ?? '')),
    'references.describe': (number) => references.describe(ids[number % ids.length] ?? ''),
    'references.list': () => references.list(all),
    'cache.get': (number) => cache.get(`${number % 10}`),
    'cache.get, too large': () => cache.get('large'),
    'cache.set': (number) => cache.set(`own-${number}`, other(large, number)),
    'cache.getOrCompute': () => cache.getOrCompute('large', {}, () => 1),
    'cache.getOrCompute, waiting': (number) => cache.getOrCompute(`computed-${number >> 5}`, {}, () => large),
    'plans.save': (number) =>
      plans.save({ type: 'report', goal: `${number}`, steps: [{ id: 'a', tool: 'x', input: text }] }),
    'plans.load': (number) => plans.load('p', { version: 1 + (number % 60) }),
    'plans.list': () => plans.list(all),
    'plans.history': () => plans.history('p'),
    'approvals.request': (number) => approvals.request({ tool: 'pay', input: [number, text] }),
    'approvals.get': () => approvals.get(approvalId),
    'approvals.pending': () => approvals.pending(all),
    'approvals.history': () => approvals.history(all),
    'approvals.verify': () => approvals.verify(),
    'threads.list': () => threads.list(all),
    'threads.messages': () => threads.messages('t', all),
    'threads.append': (number) =>
      threads.append(`own-${number}`, [{ role: 'user', parts: [{ type: 'text', text: longer }], createdAt: 1 }]),
    'threads.fork': () => threads.fork('t', { through: messageId }),
    'traces.list': () => traces.list(all),
    'runs.list': () => runs.list(all),
    usage: () => runtime.usage(),
  }
}

/** Their names. */
export const verbs = Object.keys(verbsOf({} as Runtime, { ids: [], approvalId: '', messageId: '' }))

import { readFileSync } from 'node:fs'
import type { ConsistencyProof, EraseReceipt, InclusionProof } from '../../ts/index.ts'
import { verifyConsistency, verifyInclusion, verifyReceipt } from '../../ts/index.ts'

/** One way to spoil a fixture: `remove` the part, `set` it, or put the character `to` at code point `at` of it. */
export interface Mutation {
  readonly of: 'inclusion' | 'consistency' | 'receipt' | 'ruled'
  readonly index: number
  readonly path: readonly (string | number)[]
  readonly remove?: true
  readonly set?: unknown
  readonly at?: number
  readonly to?: string
}

/** What crates/model/examples/ledger_fixtures.rs wrote. */
export interface Fixtures {
  readonly publicKey: string
  /** Another key of the same name. */
  readonly otherKey: string
  readonly origin: string
  readonly inclusion: readonly InclusionProof[]
  readonly consistency: readonly ConsistencyProof[]
  readonly receipt: readonly EraseReceipt[]
  readonly mutations: readonly Mutation[]
  /** Proofs of records that were decided under a rule. */
  readonly ruled: readonly InclusionProof[]
  readonly ruledMutations: readonly Mutation[]
}

export const fixtures: Fixtures = JSON.parse(readFileSync(new URL('../fixtures/ledger.json', import.meta.url), 'utf8'))

/** The verifier of each list of fixtures. */
export const verifiers = {
  inclusion: (value: unknown, key = fixtures.publicKey) => verifyInclusion(value as InclusionProof, key),
  ruled: (value: unknown, key = fixtures.publicKey) => verifyInclusion(value as InclusionProof, key),
  consistency: (value: unknown, key = fixtures.publicKey) => verifyConsistency(value as ConsistencyProof, key),
  receipt: (value: unknown, key = fixtures.publicKey) => verifyReceipt(value as EraseReceipt, key),
} as const

/** The kinds of fixtures. */
export const kinds = ['inclusion', 'consistency', 'receipt'] as const

/** A copy of the fixture that a mutation names, spoilt. */
export function mutated(mutation: Mutation): unknown {
  const copy = structuredClone(fixtures[mutation.of][mutation.index])
  const steps = [...mutation.path]
  const last = steps.pop()
  // biome-ignore lint/suspicious/noExplicitAny: any part of any fixture
  const parent: any = steps.reduce((part: any, step) => part[step], copy)
  if (last === undefined || !(last in parent)) throw new Error(`There is nothing at ${mutation.path.join('.')}.`)
  if (mutation.remove && Array.isArray(parent)) parent.splice(Number(last), 1)
  else if (mutation.remove) delete parent[last]
  else if (mutation.at === undefined) parent[last] = mutation.set
  else parent[last] = [...parent[last]].with(mutation.at, mutation.to).join('')
  return copy
}

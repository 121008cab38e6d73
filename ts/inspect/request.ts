import type { IncomingMessage } from 'node:http'
import type { Runtime } from '../tenant/runtime.ts'

/** The inspected tenant. */
export interface Subject {
  /** A handle of the one tenant. Everything shown comes through it. */
  readonly runtime: Runtime
  /** Key that checks the ledger's proofs: `Store.publicKey`. */
  readonly publicKey: string
  /** Whether the handle has the spec of a host, and so its limits. */
  readonly isHosted?: boolean
}

/** The person at the browser. */
export interface Person {
  /** Whether they may decide. */
  readonly mayAct: boolean
  /** Their name, if it is known. Else a form asks for it. */
  readonly name?: string
}

/** A request of a browser that may ask. */
export interface Ask {
  readonly request: IncomingMessage
  /** As it was sent: what stands for an id in it is still encoded. */
  readonly path: string
  readonly search: URLSearchParams
  /** Whether nothing may change. */
  readonly isReading: boolean
  readonly formToken: string
  readonly person: Person
}

/** The part of a list that a request asks for. */
export function pageOf({ search }: Ask, limit = 50): { limit: number; cursor?: string } {
  const cursor = search.get('cursor')
  return cursor === null ? { limit } : { limit, cursor }
}

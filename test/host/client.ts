import { createLocalJWKSet, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { onTestFinished } from 'vitest'
import { type Host, startHost } from '../../examples/host/host.ts'
import { openShops } from '../../examples/host/shop.ts'
import type { RunEvent } from '../../ts/index.ts'
import { type EngineName, openFresh } from '../support/stores.ts'

const issuer = 'https://issuer.test'
const audience = 'shops'
const keys = await generateKeyPair('EdDSA', { extractable: true })

/** The public key, as whoever attacks has it, too. */
export const publicKey = keys.publicKey
const trustedKeys = createLocalJWKSet({ keys: [await exportJWK(publicKey)] })

/** What a token says, if nothing else is said. */
export function claims(tenant: unknown, sub: string, more: Record<string, unknown> = {}): JWTPayload {
  const now = Math.floor(Date.now() / 1000)
  return { iss: issuer, aud: audience, sub, tenant, scope: 'approve', iat: now, exp: now + 3600, ...more }
}

/** A token of the issuer that the host trusts. */
export function tokenFor(tenant: unknown, sub = 'kim', more: Record<string, unknown> = {}): Promise<string> {
  return new SignJWT(claims(tenant, sub, more)).setProtectedHeader({ alg: 'EdDSA' }).sign(keys.privateKey)
}

/** Starts a host of shops, which ends with the test. */
export async function freshHost(
  engine: EngineName = 'memory',
  { now = Date.now, maxOpen }: { readonly now?: () => number; readonly maxOpen?: number } = {},
): Promise<Host> {
  const store = await openFresh(engine)
  const trusted = { keys: trustedKeys, issuer, audience, now }
  const host = await startHost({ trusted, shops: await openShops(store, maxOpen) })
  onTestFinished(() => host.close())
  return host
}

/** An answer, with all that another answer could differ in. */
export interface Answer {
  readonly status: number
  readonly headers: readonly (readonly [string, string])[]
  readonly body: string
}

/** Sends requests with one token. */
export class Client {
  readonly #url: string
  readonly #token: string

  constructor(host: Host, token: string) {
    this.#url = host.url
    this.#token = token
  }

  /** An answer whose body is not read yet. */
  open(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(this.#url + path, {
      method,
      headers: { authorization: `Bearer ${this.#token}`, ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
  }

  async send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer> {
    const response = await this.open(method, path, body, headers)
    const sent = [...response.headers].filter(([name]) => name !== 'date')
    return { status: response.status, headers: sent, body: await response.text() }
  }

  /** The events of an answer, to its end. */
  async events(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<RunEvent[]> {
    const { status, body: text } = await this.send(method, path, body, headers)
    if (status !== 200) throw new Error(`${status}: ${text}`)
    return eventsIn(text)
  }
}

/** The events in the text of a stream. */
export function eventsIn(text: string): RunEvent[] {
  return text
    .split('\n\n')
    .filter((block) => block !== '')
    .map((block) => JSON.parse(/^data: (.*)$/m.exec(block)?.[1] ?? '') as RunEvent)
}

/** The types of events, without deltas. */
export function kindsOf(events: readonly RunEvent[]): string[] {
  return events.map(({ type }) => type).filter((type) => !type.endsWith('.delta'))
}

/** What an attacker is after: things of each kind that a tenant has. */
export interface Belongings {
  readonly runId: string
  readonly approvalId: string
  readonly threadId: string
  readonly referenceId: string
}

/** Gives a tenant a run that waits for an approval, and a reference. */
export async function furnish(owner: Client): Promise<Belongings> {
  const suspended = await owner.events('POST', '/query', { prompt: 'Refund order 17' })
  const asked = suspended.find((event) => event.type === 'approval.requested')
  const listed = await owner.events('POST', '/query', { prompt: 'List the orders' })
  const kept = listed.find((event) => event.type === 'reference.created')
  if (asked === undefined || kept === undefined) throw new Error('It is not what a shop does.')
  const { runId, approval } = asked
  const { threadId } = JSON.parse((await owner.send('GET', `/runs/${runId}`)).body) as { threadId: string }
  return { runId, approvalId: approval.approvalId, threadId, referenceId: kept.reference }
}

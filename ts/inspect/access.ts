import type { IncomingMessage } from 'node:http'
import { crypto } from '../ledger/crypto.ts'

/** A secret of 256 bits, for a URL or a cookie. */
export function newSecret(): string {
  return crypto().randomBytes(32).toString('base64url')
}

/** Whether two secrets are the same, without telling by the time how far they are. */
export function sameSecret(one: string, other: string): boolean {
  const { createHash, timingSafeEqual } = crypto()
  const [left, right] = [one, other].map((text) => createHash('sha256').update(text).digest())
  return left !== undefined && right !== undefined && timingSafeEqual(left, right)
}

/**
 * Controls access to the page: only the browser that first opened the printed link has it. The token of the link is valid once; the
 * browser gets for it is a cookie that no script can read and no other site can have sent.
 */
export class Access {
  readonly token = newSecret()
  /** Is in every form of the page, where no other site can read it. */
  readonly formToken = newSecret()
  readonly #session = newSecret()
  readonly #cookie: string
  readonly #host: string
  readonly #origin: string
  #isTokenUsed = false

  /** @param origin where the page is: `http://127.0.0.1:<port>` */
  constructor(origin: string) {
    const { host, port } = new URL(origin)
    this.#host = host
    this.#origin = origin
    // Cookies know no ports: two pages on one machine must not overwrite each other's.
    this.#cookie = `bailiwick-inspect-${port}`
  }

  /**
   * Whether a request names this page by its address. A name that another DNS server resolves to the loopback address is not
   * it, so what a browser lets that name's pages read is nothing.
   */
  isForHere({ headers }: IncomingMessage): boolean {
    return headers.host === this.#host
  }

  /** The header that starts the session, once, for the token of the link. */
  exchange(token: string): string | undefined {
    if (this.#isTokenUsed || !sameSecret(token, this.token)) return undefined
    this.#isTokenUsed = true
    return `${this.#cookie}=${this.#session}; Path=/; HttpOnly; SameSite=Strict`
  }

  /** Whether a request comes from the browser that has the session. */
  isKnown({ headers }: IncomingMessage): boolean {
    const start = `${this.#cookie}=`
    const given = (headers.cookie ?? '').split('; ').filter((cookie) => cookie.startsWith(start))
    // Two cookies of one name: one was planted.
    const [only] = given
    return only !== undefined && given.length === 1 && sameSecret(only.slice(start.length), this.#session)
  }

  /** Whether a request that changes something was sent by this page itself. */
  isFromHere({ headers }: IncomingMessage): boolean {
    const site = headers['sec-fetch-site']
    return headers.origin === this.#origin && (site === undefined || site === 'same-origin')
  }
}

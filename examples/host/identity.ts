import { BailiwickError, defineTenant, type Tenant } from 'bailiwick'
import { errors, type JWTVerifyGetKey, jwtVerify } from 'jose'

/** The caller and the tenant, from a verified token and nothing else in a request. */
export interface Identity {
  readonly tenant: Tenant
  /** The token's subject: the actor of requests and decisions. */
  readonly actor: string
  readonly mayApprove: boolean
  /** Expiry of the token in epoch milliseconds; streams end with it. */
  readonly expiresAt: number
}

/** The trusted issuer. */
export interface Issuer {
  /** Public keys only: an attacker who controls the host cannot make tokens. `createRemoteJWKSet` fetches them from an issuer. */
  readonly keys: JWTVerifyGetKey
  readonly issuer: string
  readonly audience: string
  /** The time, epoch milliseconds. */
  readonly now: () => number
}

/** Returns the sender of a request; `undefined` for a token that is absent, forged, expired or for another audience. */
export async function identify(authorization: string, trusted: Issuer): Promise<Identity | undefined> {
  const { keys, now, ...expected } = trusted
  try {
    const token = /^Bearer ([\w.-]+)$/i.exec(authorization)?.[1] ?? ''
    const { payload } = await jwtVerify<{ tenant?: unknown; scope?: unknown }>(token, keys, {
      ...expected,
      // One asymmetric algorithm: this excludes `none` and a public key used as a secret.
      algorithms: ['EdDSA'],
      requiredClaims: ['exp', 'sub', 'tenant'],
      currentDate: new Date(now()),
    })
    const { tenant, sub: actor = '', scope, exp = 0 } = payload
    if (actor === '' || typeof tenant !== 'string') return undefined
    const mayApprove = typeof scope === 'string' && scope.split(' ').includes('approve')
    // Agents and tools belong to the topology, so one version serves all tenants.
    return { tenant: defineTenant(tenant, 'v1'), actor, mayApprove, expiresAt: exp * 1000 }
  } catch (error) {
    // Only the issuer may learn the reason. An internal error, or keys that cannot be fetched, is thrown.
    const isTokens = error instanceof errors.JOSEError && !(error instanceof errors.JWKSTimeout)
    if (isTokens || BailiwickError.isInstance(error)) return undefined
    throw error
  }
}

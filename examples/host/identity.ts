import { BailiwickError, defineTenant, type Tenant } from 'bailiwick'
import { errors, type JWTVerifyGetKey, jwtVerify } from 'jose'

/** The caller and the tenant, from a verified token and nothing else in a request. */
export interface Identity {
  readonly tenant: Tenant
  /** The token's subject: the actor of requests and decisions. */
  readonly actor: string
  /** Whether this person may decide approvals. */
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

/** Agents and tools belong to the topology, so one version serves all tenants. */
const VERSION = 'v1'

/** Returns the sender of a request; `undefined` for a token that is absent, forged, expired or for another audience. */
export async function identify(authorization: string | undefined, trusted: Issuer): Promise<Identity | undefined> {
  const token = /^Bearer ([\w.-]+)$/i.exec(authorization ?? '')?.[1]
  if (token === undefined) return undefined
  try {
    const { payload } = await jwtVerify<{ tenant?: unknown; scope?: unknown }>(token, trusted.keys, {
      // One asymmetric algorithm: this excludes `none` and a public key used as a secret.
      algorithms: ['EdDSA'],
      issuer: trusted.issuer,
      audience: trusted.audience,
      requiredClaims: ['exp', 'sub', 'tenant'],
      currentDate: new Date(trusted.now()),
    })
    const { tenant, sub = '', scope, exp = 0 } = payload
    if (sub === '' || typeof tenant !== 'string') return undefined
    return {
      tenant: defineTenant(tenant, VERSION),
      actor: sub,
      mayApprove: typeof scope === 'string' && scope.split(' ').includes('approve'),
      expiresAt: exp * 1000,
    }
  } catch (error) {
    // Only the issuer may learn the reason. An internal error, or keys that cannot be fetched, is thrown.
    const isTokens = error instanceof errors.JOSEError && !(error instanceof errors.JWKSTimeout)
    if (isTokens || BailiwickError.isInstance(error)) return undefined
    throw error
  }
}

import { BailiwickError, defineTenant, type Tenant } from 'bailiwick'
import { errors, type JWTVerifyGetKey, jwtVerify } from 'jose'

/** Who asks, for which tenant: from a verified token, and from nothing else in a request. */
export interface Identity {
  readonly tenant: Tenant
  /** The token's subject: the actor of whatever is asked and decided. */
  readonly actor: string
  /** Whether this person may decide approvals. */
  readonly mayApprove: boolean
  /** When the token ends, epoch milliseconds; streams end with it. */
  readonly expiresAt: number
}

/** Whom the host believes. */
export interface Issuer {
  /** Public keys alone: whoever takes over the host cannot make tokens. `createRemoteJWKSet` gets them from an issuer. */
  readonly keys: JWTVerifyGetKey
  readonly issuer: string
  readonly audience: string
  /** The time, epoch milliseconds. */
  readonly now: () => number
}

/** Every agent and tool is the topology's, so that one version serves all tenants. */
const VERSION = 'v1'

/** Who sent a request; `undefined` for a token that is absent, forged, expired or meant for somebody else, all alike. */
export async function identify(authorization: string | undefined, trusted: Issuer): Promise<Identity | undefined> {
  const token = /^Bearer ([\w.-]+)$/i.exec(authorization ?? '')?.[1]
  if (token === undefined) return undefined
  try {
    const { payload } = await jwtVerify<{ tenant?: unknown; scope?: unknown }>(token, trusted.keys, {
      // One algorithm and asymmetric: neither `none` nor a public key that is used as a secret gets through.
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
    // The reason is nobody's business but the issuer's. A defect of ours, or keys that cannot be fetched, is no reason.
    const isTokens = error instanceof errors.JOSEError && !(error instanceof errors.JWKSTimeout)
    if (isTokens || BailiwickError.isInstance(error)) return undefined
    throw error
  }
}

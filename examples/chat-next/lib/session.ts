import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { errors, jwtVerify, SignJWT } from 'jose'

/** Who is signed in. Nothing else in a request says whose tenant it is. */
export interface User {
  readonly name: string
  readonly tenant: string
}

export const SESSION_SECONDS = 8 * 60 * 60
const algorithm = 'HS256'

// Stands for your table of users or your identity provider. Real passwords are hashed.
const users = [
  { name: 'kim', password: 'kim-demo', tenant: 'acme' },
  { name: 'lee', password: 'lee-demo', tenant: 'acme' },
  { name: 'robin', password: 'robin-demo', tenant: 'globex' },
]

/** Returns the user with this name and password. */
export function userOf(name: unknown, password: unknown): User | undefined {
  return users.find((user) => user.name === name && user.password === password)
}

/** Makes the content of the cookie. */
export function seal({ name, tenant }: User): Promise<string> {
  return new SignJWT({ tenant })
    .setProtectedHeader({ alg: algorithm })
    .setSubject(name)
    .setExpirationTime(`${SESSION_SECONDS}s`)
    .sign(secret())
}

/** Returns the user of a cookie; `undefined` if it is absent, forged or expired. */
export async function open(cookie: string | undefined): Promise<User | undefined> {
  try {
    const { payload } = await jwtVerify(cookie ?? '', secret(), {
      algorithms: [algorithm],
      requiredClaims: ['sub', 'exp', 'tenant'],
    })
    return { name: String(payload.sub), tenant: String(payload['tenant']) }
  } catch (error) {
    if (error instanceof errors.JOSEError) return undefined
    throw error
  }
}

/** The key of sessions: SESSION_SECRET, or a random one that is kept in a file, so that sessions outlive the server. */
function secret(): Uint8Array {
  const given = process.env['SESSION_SECRET']
  if (given) return new TextEncoder().encode(given)
  const file = '.session-key'
  try {
    writeFileSync(file, randomBytes(32), { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  return readFileSync(file)
}

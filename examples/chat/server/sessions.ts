import { randomBytes, scryptSync, timingSafeEqual } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Context } from 'hono'
import { deleteCookie, getSignedCookie, setSignedCookie } from 'hono/cookie'

/** A person who has signed in. */
export interface Person {
  readonly name: string
  readonly tenant: string
}

/** The people of the example. Yours are in a database, each with a password of their own, or at an identity provider. */
const people: readonly Person[] = [
  { name: 'kim', tenant: 'acme' },
  { name: 'lee', tenant: 'acme' },
  { name: 'mallory', tenant: 'globex' },
]

const COOKIE = 'chat-session'
const SESSION_MS = 8 * 60 * 60 * 1000

/** Signs people in and out, and says who sends a request. */
export interface Sessions {
  /** The password of all people of the example. */
  readonly password: string
  /** Sets the cookie of a session. `undefined`: no such person, or a wrong password. */
  signIn(c: Context, name: string, password: string): Promise<Person | undefined>
  signOut(c: Context): void
  /** The person of the signed cookie and of nothing else in a request; `undefined` if it is absent, forged or expired. */
  personOf(c: Context): Promise<Person | undefined>
}

/** Opens the sessions of a server. Their key is in a file beside the data, so that people stay signed in when the server starts again. */
export async function openSessions(folder: string, password = randomBytes(9).toString('base64url')): Promise<Sessions> {
  const key = keyIn(folder)
  const salt = randomBytes(16)
  const hash = scryptSync(password, salt, 32)
  return {
    password,
    async signIn(c, name, given) {
      // The hash is computed for unknown names too: the time tells nobody which names exist.
      const isRight = timingSafeEqual(scryptSync(given, salt, 32), hash)
      const person = people.find((one) => one.name === name)
      if (person === undefined || !isRight) return undefined
      const value = JSON.stringify({ name, until: Date.now() + SESSION_MS })
      // Behind a proxy with TLS, set `secure` too.
      const options = { path: '/', httpOnly: true, sameSite: 'Strict', maxAge: SESSION_MS / 1000 } as const
      await setSignedCookie(c, COOKIE, value, key, options)
      return person
    },
    signOut: (c) => void deleteCookie(c, COOKIE, { path: '/' }),
    async personOf(c) {
      const value = await getSignedCookie(c, key, COOKIE)
      if (typeof value !== 'string') return undefined
      // Only what this server has signed is parsed.
      const { name, until } = JSON.parse(value) as { readonly name: string; readonly until: number }
      return until > Date.now() ? people.find((one) => one.name === name) : undefined
    },
  }
}

function keyIn(folder: string): string {
  const file = join(folder, 'session.key')
  mkdirSync(folder, { recursive: true })
  try {
    writeFileSync(file, randomBytes(32).toString('base64url'), { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  return readFileSync(file, 'utf8')
}

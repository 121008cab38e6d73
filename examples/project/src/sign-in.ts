// Who sends a request. Sign-in is yours: verify a session or a signed token here, and take the tenant from nothing else.

export interface Person {
  tenant: string
  name: string
}

/** Tokens for trying it out, which everybody knows. */
const people = new Map<string, Person>([
  ['demo-lee', { tenant: 'acme', name: 'lee' }],
  ['demo-ann', { tenant: 'globex', name: 'ann' }],
])

/** Returns whose token stands in the header Authorization. */
export function personOf(authorization = ''): Person | undefined {
  if (process.env['NODE_ENV'] === 'production') throw new Error('Put your sign-in into src/sign-in.ts.')
  return people.get(authorization.replace(/^Bearer /i, ''))
}

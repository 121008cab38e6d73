import { BailiwickError, type ErrorCode, type Runtime } from 'bailiwick'
import { cookies } from 'next/headers'
import { host } from './host.ts'
import { open, type User } from './session.ts'

/** The user of a request, with the runtime of their tenant: ids are looked up there and nowhere else. */
export interface Caller extends User {
  readonly runtime: Runtime
}

/** Returns who is signed in. */
export async function caller(): Promise<Caller | undefined> {
  const user = await open((await cookies()).get('session')?.value)
  return user && { ...user, runtime: await (await host()).runtime(user.tenant) }
}

const statuses: { readonly [C in ErrorCode]?: number } = {
  INVALID_INPUT: 400,
  NOT_FOUND: 404,
  THREAD_BUSY: 409,
  QUOTA_EXCEEDED: 429,
}

/** Answers a request of a user who is signed in. A foreign id is not found, like an absent one. */
export async function answer(handle: (caller: Caller) => Promise<Response>): Promise<Response> {
  const user = await caller()
  if (user === undefined) return new Response('Sign in first.', { status: 401 })
  try {
    return await handle(user)
  } catch (error) {
    const status = BailiwickError.isInstance(error) ? statuses[error.code] : undefined
    if (status !== undefined) return new Response((error as Error).message, { status })
    console.error(error)
    return new Response('The server failed.', { status: 500 })
  }
}

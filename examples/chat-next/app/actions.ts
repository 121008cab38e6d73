'use server'

import { randomUUID } from 'node:crypto'
import { ApprovalClosedError, WaitClosedError } from 'bailiwick'
import { cookies } from 'next/headers'
import { redirect } from 'next/navigation'
import { type Caller, caller } from '../lib/caller.ts'
import { stopRun } from '../lib/chats.ts'
import { SESSION_SECONDS, seal, userOf } from '../lib/session.ts'

// A browser can call each of these with anything: what comes is checked, and the tenant is that of the session.

export async function signIn(form: FormData): Promise<void> {
  const user = userOf(form.get('name'), form.get('password'))
  if (user === undefined) redirect('/?wrong')
  const options = { httpOnly: true, sameSite: 'lax', maxAge: SESSION_SECONDS, path: '/' } as const
  // Set `secure` too, once the site is behind TLS.
  ;(await cookies()).set('session', await seal(user), options)
  redirect('/')
}

export async function signOut(): Promise<void> {
  ;(await cookies()).delete('session')
  redirect('/')
}

export async function beginChat(): Promise<void> {
  redirect(`/chat/${randomUUID()}?new`)
}

/** Decides about a call. The host goes on with its run. */
export async function decide(approvalId: string, isApproved: boolean): Promise<void> {
  const { runtime, name } = await signedIn()
  const decision = isApproved === true ? 'approve' : 'reject'
  await unlessClosed(runtime.approvals.respond(String(approvalId), { decision, actor: name }))
}

/** Answers a question. The host goes on with its run. */
export async function reply(waitId: string, value: string): Promise<void> {
  const { runtime, name } = await signedIn()
  await unlessClosed(runtime.waits.settle(String(waitId), { value: String(value) }, { actor: name }))
}

/** Stops the answer that is being written in a chat. */
export async function stop(chatId: string): Promise<void> {
  const { runtime } = await signedIn()
  await stopRun(runtime, String(chatId))
}

async function signedIn(): Promise<Caller> {
  return (await caller()) ?? redirect('/')
}

/** Somebody else may have decided first: the page then shows what they said. */
async function unlessClosed(decision: Promise<unknown>): Promise<void> {
  try {
    await decision
  } catch (error) {
    if (!ApprovalClosedError.isInstance(error) && !WaitClosedError.isInstance(error)) throw error
  }
}

import type { UIMessage } from 'ai'

/** A person who has signed in. */
export interface Person {
  readonly name: string
  readonly tenant: string
}

/** A chat in the list. */
export interface ChatSummary {
  readonly id: string
  readonly title: string
}

/** News of a chat; `server/changes.ts` says what it means. */
export interface Change {
  readonly threadId: string
  readonly answerId: string
  readonly type: 'goes-on' | 'ended'
}

/** A refusal by the server. Its message is for people. */
export class Refusal extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** As `fetch`: a server that is about to end (503) is one that cannot be reached, and browsers have a TypeError for that. */
export const reach: typeof fetch = async (input, init) => {
  const response = await fetch(input, init)
  if (response.status === 503) throw new TypeError('network error: the server is about to end')
  return response
}

/** Asks the server. Rejects with Refusal, and with TypeError while the server cannot be reached. */
async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const response = await reach(`/api${path}`, init)
  if (response.ok) return response
  throw new Refusal(response.status, await response.text())
}

const post = (path: string, body: object = {}) =>
  ask(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) })

export const api = {
  signIn: async (name: string, password: string): Promise<Person> =>
    (await post('/session', { name, password })).json(),
  signOut: () => ask('/session', { method: 'DELETE' }),
  /** `undefined` if nobody is signed in. */
  whoAmI: async (): Promise<Person | undefined> => {
    const response = await fetch('/api/session')
    return response.ok ? await response.json() : undefined
  },
  chats: async (): Promise<ChatSummary[]> => (await ask('/chats')).json(),
  messages: async (id: string): Promise<UIMessage[]> => (await ask(`/chats/${encodeURIComponent(id)}`)).json(),
  stop: (id: string) => post(`/chats/${encodeURIComponent(id)}/stop`),
  decide: (approvalId: string, decision: 'approve' | 'reject') => post(`/approvals/${approvalId}`, { decision }),
  answer: (waitId: string, value: string) => post(`/waits/${waitId}`, { value }),
}

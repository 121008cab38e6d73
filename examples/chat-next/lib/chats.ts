import { NotFoundError, type Page, type RunSummary, type Runtime } from 'bailiwick'
import { toUIMessages } from 'bailiwick/ai-sdk'

/** A chat in the list. */
export interface ChatSummary {
  readonly id: string
  readonly title: string
  readonly startedBy: string
}

/** The newest chats of the tenant. */
export async function listChats({ threads }: Runtime): Promise<ChatSummary[]> {
  const { items } = await threads.list({ limit: 50 })
  return Promise.all(
    items.map(async ({ threadId, actor = '' }) => {
      const [first] = (await threads.messages(threadId, { limit: 1 })).items
      const text = first?.parts
        .map((part) => (part.type === 'text' ? part.text : ''))
        .join(' ')
        .trim()
      return { id: threadId, title: text?.slice(0, 60) || 'A file', startedBy: actor }
    }),
  )
}

/** The messages of a chat, with what its calls wait for; `undefined` if the tenant has no such chat. */
export async function readChat({ threads, approvals, waits }: Runtime, threadId: string) {
  try {
    const messages = await all((cursor) => threads.messages(threadId, cursor))
    return toUIMessages(messages, {
      fileUrl,
      onError: shownError,
      approvals: await all((cursor) => approvals.pending(cursor)),
      waits: await all((cursor) => waits.list(cursor)),
    })
  } catch (error) {
    if (NotFoundError.isInstance(error)) return undefined
    throw error
  }
}

/** Where the page finds the content of a reference, and back. */
export const fileUrl = (reference: string) => `/api/files/${reference}`
export const referenceOf = (url: string) => /^\/api\/files\/(ref_[a-z2-7]{32})$/.exec(url)?.[1]

/** The text that people see for an error: nothing of its message, which may name hosts and accounts. */
export function shownError(error: unknown): string {
  return (error as { code?: string }).code === 'INTERRUPTED' ? 'Stopped.' : 'An error occurred.'
}

/** Cancels the run that has a chat. What it has written stays. */
export async function stopRun({ runs }: Runtime, threadId: string): Promise<void> {
  const { items } = await runs.list({ threadId })
  const run = items.find(({ status }) => active.has(status))
  if (run !== undefined) await runs.cancel(run.runId)
}

const active: ReadonlySet<RunSummary['status']> = new Set(['queued', 'running', 'interrupted', 'suspended'])

async function all<T>(read: (page: { cursor?: string }) => Promise<Page<T>>): Promise<T[]> {
  const items: T[] = []
  let cursor: string | undefined
  do {
    const page = await read(cursor === undefined ? {} : { cursor })
    items.push(...page.items)
    cursor = page.cursor
  } while (cursor !== undefined)
  return items
}

import { mkdir, open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { unlessGone } from '../../inspect/view/gone.ts'
import type { Runtime } from '../../tenant/runtime.ts'
import type { Page } from '../../types/page.ts'
import { eventsOf } from '../commands/tenant/runs.ts'

/** The exported tenant, and the store's public key. */
export interface Exported {
  readonly runtime: Runtime
  readonly publicKey: string
}

/** Progress so far. */
export interface Done {
  lines: number
  values: number
}

/** Number of lines in each file. */
export type LineCounts = { readonly [file: string]: number }

/** Items in one page; a page of large items ends earlier. */
const PAGE = 100

/** Files are for their owner alone, and replace nothing. */
const created = { flag: 'wx', mode: 0o600 } as const

/** Writes everything that a tenant's handle can list into a folder. */
export async function exportInto(folder: string, { runtime, publicKey }: Exported, done: Done): Promise<LineCounts> {
  const values = join(folder, 'references')
  await mkdir(values, { mode: 0o700 })
  const files: { readonly [file: string]: AsyncIterable<unknown> } = {
    'references.jsonl': referencesOf(runtime, values, done),
    'plans.jsonl': versionsOf(runtime),
    'approvals.jsonl': approvalsOf(runtime),
    'ledger.jsonl': every((page) => runtime.approvals.history(page)),
    'threads.jsonl': every((page) => runtime.threads.list(page)),
    'messages.jsonl': messagesOf(runtime),
    'runs.jsonl': every((page) => runtime.runs.list(page)),
    'events.jsonl': eventsOfRuns(runtime),
    'waits.jsonl': every((page) => runtime.waits.list(page)),
    'traces.jsonl': hostEvents(runtime),
  }
  const lines: { [file: string]: number } = {}
  for (const [file, rows] of Object.entries(files)) lines[file] = await writeLines(join(folder, file), rows, done)
  // A ledger without records has no signed state.
  const checkpoint = lines['ledger.jsonl'] === 0 ? undefined : await runtime.approvals.checkpoint()
  if (checkpoint !== undefined) await writeJson(join(folder, 'checkpoint.json'), checkpoint)
  const { storage, tokens } = await runtime.usage()
  await writeJson(join(folder, 'usage.json'), { storage, tokens })
  const { resourceId } = runtime.tenant
  await writeJson(join(folder, 'tenant.json'), { format: 1, resourceId, exportedAt: Date.now(), publicKey, lines })
  return lines
}

async function writeJson(file: string, value: unknown): Promise<void> {
  await writeFile(file, `${JSON.stringify(value, undefined, 2)}\n`, created)
}

/** Writes a line for each, as they come, and gives their number. */
async function writeLines(file: string, rows: AsyncIterable<unknown>, done: Done): Promise<number> {
  const made = await open(file, created.flag, created.mode)
  try {
    let lines = 0
    for await (const row of rows) {
      await made.write(`${JSON.stringify(row)}\n`)
      lines += 1
      done.lines += 1
    }
    await made.sync()
    return lines
  } finally {
    await made.close()
  }
}

/** Everything in a list, a page at a time. */
async function* every<T>(list: (page: { limit: number; cursor?: string }) => Promise<Page<T>>): AsyncGenerator<T> {
  let cursor: string | undefined
  do {
    const page: Page<T> = await list({ limit: PAGE, ...(cursor === undefined ? {} : { cursor }) })
    yield* page.items
    cursor = page.cursor
  } while (cursor !== undefined)
}

/** Yields the description of each value after writing the value itself. */
async function* referencesOf({ references }: Runtime, folder: string, done: Done): AsyncGenerator<unknown> {
  for await (const reference of every((page) => references.list(page))) {
    // It may have expired or been deleted since it was listed.
    const found = await unlessGone(references.resolve(reference.id))
    if (found === undefined) continue
    await writeFile(join(folder, reference.id), found.bytes, created)
    done.values += 1
    yield reference
  }
}

async function* versionsOf({ plans }: Runtime): AsyncGenerator<unknown> {
  for await (const { planId } of every((page) => plans.list(page))) {
    yield* (await unlessGone(plans.history(planId))) ?? []
  }
}

async function* approvalsOf({ approvals }: Runtime): AsyncGenerator<unknown> {
  yield* every((page) => approvals.pending(page))
  for await (const { approvalId } of every((page) => approvals.history(page))) {
    const approval = await unlessGone(approvals.get(approvalId))
    if (approval !== undefined) yield approval
  }
}

async function* messagesOf({ threads }: Runtime): AsyncGenerator<unknown> {
  for await (const { threadId } of every((page) => threads.list(page))) {
    let cursor: string | undefined
    do {
      const page = await unlessGone(
        threads.messages(threadId, { limit: PAGE, ...(cursor === undefined ? {} : { cursor }) }),
      )
      for (const message of page?.items ?? []) yield { threadId, ...message }
      cursor = page?.cursor
    } while (cursor !== undefined)
  }
}

async function* eventsOfRuns(runtime: Runtime): AsyncGenerator<unknown> {
  for await (const { runId } of every((page) => runtime.runs.list(page))) {
    yield* (await unlessGone(eventsOf(runtime, runId))) ?? []
  }
}

async function* hostEvents({ traces }: Runtime): AsyncGenerator<unknown> {
  for await (const event of every((page) => traces.list(page))) if (!('runId' in event)) yield event
}

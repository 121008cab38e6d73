// What a store holds once its scenarios are over, one JSON text a line.
import type { Host, Message, RunSummary, Runtime, Store, WaitRecord } from 'bailiwick'
import { all, from } from './clients.ts'
import { tenants } from './scenarios.ts'
import type { World } from './world.ts'

/** One thread. */
export interface ThreadReport {
  readonly tenant: string
  readonly number: number
  readonly messages: readonly Message[]
  readonly runs: readonly Pick<RunSummary, 'runId' | 'status' | 'usage'>[]
  readonly waits: readonly Pick<WaitRecord, 'waitId' | 'callId' | 'status' | 'createdAt'>[]
}

/** All of a store. What is not over is named, by the ids of runs, waits and approvals. */
export interface StoreReport {
  readonly isHealthy: boolean
  readonly unfinished: readonly string[]
  /** Numbers of all threads, runs and waits. */
  readonly threads: number
  readonly runs: number
  readonly waits: number
}

async function threadReport(runtime: Runtime, tenant: string, number: number): Promise<ThreadReport> {
  const threadId = `${tenant}-${number}`
  const messages = await all((cursor) => runtime.threads.messages(threadId, from(cursor)))
  const runs = await all((cursor) => runtime.runs.list({ threadId, ...from(cursor) }))
  const waits: WaitRecord[] = []
  for (const { runId } of runs) waits.push(...(await all((cursor) => runtime.waits.list({ runId, ...from(cursor) }))))
  return {
    tenant,
    number,
    messages,
    runs: runs.map(({ runId, status, usage }) => ({ runId, status, usage })),
    waits: waits.map(({ waitId, callId, status, createdAt }) => ({ waitId, callId, status, createdAt })),
  }
}

/** Prints a line for each thread, and one for the store. */
export async function printReport(store: Store, host: Host, world: World): Promise<void> {
  world.refresh()
  const unfinished: string[] = []
  const counts = { threads: 0, runs: 0, waits: 0 }
  for (const tenant of tenants) {
    const runtime = await host.runtime(tenant)
    for (let number = 0; number < world.next(tenant); number += 1) {
      console.log(JSON.stringify(await threadReport(runtime, tenant, number)))
    }
    const runs = await all((cursor) => runtime.runs.list(from(cursor)))
    const waits = await all((cursor) => runtime.waits.list(from(cursor)))
    const pending = await all((cursor) => runtime.approvals.pending(from(cursor)))
    const isOver = (status: string) => status === 'completed' || status === 'steered'
    unfinished.push(...runs.flatMap(({ runId, status }) => (isOver(status) ? [] : [`${runId} ${status}`])))
    unfinished.push(...waits.flatMap(({ waitId, status }) => (status === 'open' ? [waitId] : [])))
    unfinished.push(...pending.map(({ approvalId }) => approvalId))
    const threads = await all((cursor) => runtime.threads.list(from(cursor)))
    counts.threads += threads.length
    counts.runs += runs.length
    counts.waits += waits.length
    const { waits: left } = (await runtime.usage()).storage
    if (left.items > 0) unfinished.push(`${left.items} waits of ${tenant} that no run has taken`)
  }
  const { ok: isHealthy } = await store.health()
  console.log(JSON.stringify({ isHealthy, unfinished, ...counts } satisfies StoreReport))
}

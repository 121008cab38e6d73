import type { Runtime } from '../tenant/runtime.ts'

/** Notice for a tenant without records. It does not say whether the tenant ever existed: a store lists no tenants. */
export const emptyNotice =
  'Nothing is kept for this name in this store: it was never used here, it was erased, or all of it has expired. Look whether the name is written as the host writes it.'

/** Whether a store has nothing of the tenant of a handle. */
export async function isEmpty(runtime: Runtime): Promise<boolean> {
  const { storage, tokens } = await runtime.usage()
  if (Object.values(storage).some(({ items }) => items > 0) || Object.keys(tokens).length > 0) return false
  // These are not among the storage.
  const lists = await Promise.all([
    runtime.traces.list({ limit: 1 }),
    runtime.approvals.history({ limit: 1 }),
    runtime.waits.list({ limit: 1 }),
  ])
  return lists.every(({ items }) => items.length === 0)
}

import { deepStrictEqual, notStrictEqual, strictEqual } from 'node:assert/strict'
import { createRuntime, defineTenant, type Runtime, type Store, withTenant } from 'bailiwick'
import type { Loaded } from './load.ts'
import { tick } from './terminal.ts'

const NEVER_EXISTED = `ref_${'a'.repeat(32)}`

/** A tenant's runtime and references, for the checks. */
export interface Holding {
  readonly runtime: Runtime
  readonly loaded: readonly Loaded[]
}

/** Throws at the first broken promise. */
export async function checkIsolation(store: Store, holdings: readonly Holding[]): Promise<void> {
  let own = 0
  for (const holding of holdings) {
    for (const id of ids(holding)) {
      await holding.runtime.references.resolve(id)
      own += 1
    }
  }
  tick(`each tenant reads its own references: ${own} of ${own}`)

  let foreign = 0
  for (const holding of holdings) {
    const expected = await refusal(holding.runtime, NEVER_EXISTED)
    for (const other of holdings) {
      if (other === holding) continue
      for (const id of ids(other)) {
        deepStrictEqual(await refusal(holding.runtime, id), expected)
        strictEqual(await holding.runtime.references.delete(id), false)
        foreign += 1
      }
    }
  }
  tick(`each id of another tenant is not found, exactly like one that never existed: ${foreign} of ${foreign} tries`)

  const [first, second] = holdings as [Holding, Holding]
  const others = new Set(ids(second))
  for (const id of ids(first)) strictEqual(others.has(id), false)
  const [here, there] = await Promise.all(
    [first, second].map(({ runtime }) => runtime.references.put('note', 'the same')),
  )
  notStrictEqual(here?.id, there?.id)
  tick('the same content has a different id for each tenant')

  const { tenant, spec } = first.runtime
  const nextVersion = withTenant(spec, defineTenant(tenant.resourceId, `${tenant.version}-next`))
  const upgraded = await createRuntime(nextVersion, { store })
  for (const id of ids(first)) await upgraded.references.resolve(id)
  await upgraded.close()
  tick(`a new version of a tenant keeps its state (${tenant.version} to ${upgraded.tenant.version})`)
}

/** Returns everything that a caller can see of a failure, except the stack. */
async function refusal(runtime: Runtime, id: string): Promise<object> {
  try {
    await runtime.references.resolve(id)
  } catch (error) {
    const { name, message } = error as Error
    return { class: (error as Error).constructor, name, message, keys: Object.keys(error as Error) }
  }
  throw new Error('A reference of another tenant was resolved.')
}

function ids({ loaded }: Holding): string[] {
  return loaded.flatMap(({ file, parts }) => [file.id, ...parts.map(({ id }) => id)])
}

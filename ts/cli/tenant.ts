import { SpecError, StoreLockedError } from '../errors/index.ts'
import type { RuntimeSpec } from '../spec/index.ts'
import type { OpenStore } from '../store/store.ts'
import type { Runtime } from '../tenant/runtime.ts'
import { UsageError, type Words } from './command.ts'
import { openExisting, rootKeyOption } from './place.ts'

/** The options of every command that is about one tenant of a store. */
export const tenantOptions = {
  tenant: { value: 'resource id', help: 'whose: the resourceId of the tenant; required' },
  'tenant-version': {
    value: 'version',
    help: 'the version of the tenant as the host writes it, which a receipt shows; default -, not said',
  },
  ...rootKeyOption,
} as const

/** Help about the store of a command for one tenant. */
export const tenantNotes = [
  'A running host locks a directory; hosts on a database may go on.',
  'Like every opening, it finishes interrupted work, and removes expired records.',
].join('\n')

/** A store that is open, and the handle of one tenant of it: all that the command sees of it. */
export interface Opened {
  readonly tenant: string
  readonly store: OpenStore
  readonly runtime: Runtime
}

/**
 * Opens the store that an operand names and a handle of the tenant that the options name, and closes both afterwards.
 *
 * @throws UsageError for a wrong or missing name, before anything is opened; InputError, and every error of opening a store
 */
export async function withTenantOf<T>(operand: string, words: Words, use: (opened: Opened) => Promise<T>): Promise<T> {
  const tenant = tenantOf(words.options)
  const spec = await specOf(tenant, words.options['tenant-version'])
  await using store = await openUnlocked(operand, words.options)
  const { createRuntime } = await import('../tenant/create-runtime.ts')
  await using runtime = await createRuntime(spec, { store })
  return await use({ tenant, store, runtime })
}

/** @throws UsageError if there is none */
export function tenantOf({ tenant }: Words['options']): string {
  if (typeof tenant !== 'string') throw new UsageError('--tenant is missing: the resourceId of the tenant.')
  return tenant
}

/** A spec without agents. Its version is part of no key, so any shows the same; a receipt says it. */
async function specOf(tenant: string, version: Words['options'][string] = '-'): Promise<RuntimeSpec> {
  const { defineRuntime, defineTenant } = await import('../spec/index.ts')
  try {
    return defineRuntime({ tenant: defineTenant(tenant, String(version)) })
  } catch (error) {
    if (!SpecError.isInstance(error)) throw error
    const isVersion = error.issues.every(({ path }) => path === 'version')
    const what = isVersion ? '--tenant-version is no version' : '--tenant is no resourceId'
    throw new UsageError(`${what}: ${error.issues.map(({ message }) => message).join(' ')}`)
  }
}

async function openUnlocked(operand: string, options: Words['options']): Promise<OpenStore> {
  try {
    return await openExisting(operand, options)
  } catch (error) {
    if (!StoreLockedError.isInstance(error)) throw error
    throw new StoreLockedError(
      'Another process, such as a running host, has this store open, and a directory is open in one process at a time. ' +
        'Stop it there, use the page of that host (host.inspector), or let it make a copy (store.backup) and look at that.',
    )
  }
}

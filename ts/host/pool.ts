import { InvalidInputError, NotFoundError, TenantMismatchError } from '../errors/index.ts'
import { bridge } from '../native/bridge.ts'
import { checkCallbacks } from '../runs/host/host-parts.ts'
import type { RunStarter } from '../runs/run-starter.ts'
import { defineTenant, type RuntimeSpec, withTenant } from '../spec/index.ts'
import { OpenStore } from '../store/store.ts'
import { handleText, type OpenedParts, readSpec, registered } from '../tenant/create-runtime.ts'
import type { Runtime } from '../tenant/runtime.ts'
import type { Tenant } from '../types/tenant.ts'
import { PooledSession } from './pooled-session.ts'

/** A tenant's own spec. `undefined`: the host does not serve the tenant. */
export type SpecFor = (resourceId: string) => RuntimeSpec | undefined | Promise<RuntimeSpec | undefined>

/** The runtime of one tenant. */
export interface Entry {
  readonly tenant: string
  readonly runtime: Runtime
  readonly session: PooledSession
  /** What starts its runs. */
  readonly starter: () => RunStarter
}

/** Handles of many tenants, of which a limited number is open. */
export class Pool {
  readonly #topology: RuntimeSpec
  readonly #parts: OpenedParts
  readonly #specFor: SpecFor | undefined
  readonly #maxOpen: number
  readonly #told: (type: 'tenant.opened' | 'tenant.closed', tenant: string) => void
  readonly #entries = new Map<string, Promise<Entry>>()
  /** Sessions with a handle in the core, that of the last use last. */
  readonly #open = new Map<PooledSession, Entry>()
  #isClosed = false

  constructor(
    topology: RuntimeSpec,
    parts: OpenedParts,
    { specFor, maxOpen }: { readonly specFor: SpecFor | undefined; readonly maxOpen: number },
    told: (type: 'tenant.opened' | 'tenant.closed', tenant: string) => void,
  ) {
    this.#topology = topology
    this.#parts = parts
    this.#specFor = specFor
    this.#maxOpen = maxOpen
    this.#told = told
  }

  /** The number of open handles. */
  get size(): number {
    return this.#open.size
  }

  /** The tenants with an open handle. */
  get open(): readonly Entry[] {
    return [...this.#open.values()]
  }

  /**
   * Returns the entry of a tenant.
   *
   * @throws NotFoundError (rejected) if `specFor` says that there is no such tenant; what `specFor` throws; SpecError for its spec
   */
  entry(tenant: string | Tenant): Promise<Entry> {
    const resourceId = typeof tenant === 'object' && tenant !== null ? tenant.resourceId : tenant
    if (typeof resourceId !== 'string') {
      throw new InvalidInputError('A host has runtimes for tenants: pass a resourceId or a tenant.')
    }
    const known = this.#entries.get(resourceId)
    if (known !== undefined) return known
    const made = this.#make(resourceId, typeof tenant === 'object' ? tenant : undefined)
    this.#entries.set(resourceId, made)
    made.catch(() => this.#entries.delete(resourceId))
    return made
  }

  /** Closes every handle, for good. */
  async close(): Promise<void> {
    this.#isClosed = true
    const entries = await Promise.allSettled(this.#entries.values())
    this.#entries.clear()
    for (const entry of entries) if (entry.status === 'fulfilled') entry.value.session.park()
    for (const { session } of this.open) session.close()
    for (const entry of entries) if (entry.status === 'fulfilled') entry.value.session.close()
  }

  async #make(resourceId: string, tenant: Tenant | undefined): Promise<Entry> {
    const own = await this.#specOf(resourceId, tenant)
    const { spec, topology } = readSpec(own)
    if (spec.tenant.resourceId !== resourceId) {
      throw new TenantMismatchError('specFor returned the spec of another tenant than the one that it was asked for.')
    }
    const { store, callbacks, telemetry, TenantRuntime } = this.#parts
    if (this.#specFor !== undefined) checkCallbacks(spec, callbacks)
    const number = await registered(spec, topology)
    const text = handleText(spec, callbacks)
    const native = bridge()
    const stored = OpenStore.sessionOf(store)
    const makeHandle = () => native.createHandle(stored.number, number, text)
    const session: PooledSession = new PooledSession(native, stored, makeHandle, {
      used: () => this.#used(entry),
      idle: () => this.#makeRoom(undefined),
      parked: () => this.#parked(entry),
    })
    const close = async () => session.park()
    const runtime = new TenantRuntime({ spec, session, telemetry, store, callbacks, close })
    const entry: Entry = { tenant: resourceId, runtime, session, starter: () => TenantRuntime.starterOf(runtime) }
    if (this.#isClosed) session.close()
    return entry
  }

  async #specOf(resourceId: string, tenant: Tenant | undefined): Promise<RuntimeSpec> {
    const named = tenant ?? defineTenant(resourceId, this.#topology.tenant.version)
    if (this.#specFor === undefined) return withTenant(this.#topology, named)
    const spec = await this.#specFor(resourceId)
    if (spec === undefined) throw new NotFoundError('This host serves no such tenant: its specFor has no spec for it.')
    return spec
  }

  #used(entry: Entry): void {
    const { session } = entry
    const isNew = !this.#open.delete(session)
    this.#open.set(session, entry)
    if (!isNew) return
    if (!this.#entries.has(entry.tenant)) this.#entries.set(entry.tenant, Promise.resolve(entry))
    this.#told('tenant.opened', entry.tenant)
    this.#makeRoom(session)
  }

  /** Closes the handles that are idle longest, while too many are open. */
  #makeRoom(used: PooledSession | undefined): void {
    if (this.#open.size <= this.#maxOpen) return
    for (const session of this.#open.keys()) {
      if (session === used || session.isBusy) continue
      session.park()
      if (this.#open.size <= this.#maxOpen) return
    }
  }

  /** The runtime stays good, and gets another handle when it is used. */
  #parked(entry: Entry): void {
    this.#open.delete(entry.session)
    this.#told('tenant.closed', entry.tenant)
    this.#entries.delete(entry.tenant)
  }
}

import type { Runtime, Tenant } from 'bailiwick'

/** Why there is no runtime to be had: too much of this tenant is under way, or too many tenants are at once. */
export class Busy extends Error {
  readonly because: 'tenant' | 'host'

  constructor(because: 'tenant' | 'host') {
    super(because === 'tenant' ? 'Too many requests of yours are under way.' : 'The host is busy.')
    this.because = because
  }
}

/** Keeps a runtime open until the promise is settled, whichever way. */
export type Keep = (until: Promise<unknown>) => void

interface Entry {
  readonly runtime: Promise<Runtime>
  users: number
}

/** How many runtimes are open, and how much goes on in each. */
export interface RuntimeLimits {
  readonly runtimes: number
  /** Requests, streams and runs of one tenant at once. */
  readonly usersPerTenant: number
}

/** Open runtimes by tenant: bounded; whoever was not used for longest makes room, and what is in use stays open. */
export class Runtimes {
  readonly #open: (tenant: Tenant) => Promise<Runtime>
  readonly #limits: RuntimeLimits
  /** Those used last come last. */
  readonly #entries = new Map<string, Entry>()
  #closed = false

  constructor(open: (tenant: Tenant) => Promise<Runtime>, limits: RuntimeLimits) {
    this.#open = open
    this.#limits = limits
  }

  /** How many are open. */
  get size(): number {
    return this.#entries.size
  }

  /** Works with a tenant's runtime. Throws Busy. */
  async use<T>(tenant: Tenant, work: (runtime: Runtime, keep: Keep) => Promise<T>): Promise<T> {
    const entry = this.#entry(tenant)
    const keep: Keep = (until) => {
      entry.users += 1
      const release = () => {
        entry.users -= 1
      }
      until.then(release, release)
    }
    const worked = entry.runtime.then((runtime) => work(runtime, keep))
    keep(worked)
    return await worked
  }

  /** Closes every runtime: runs that are under way are interrupted, and can be resumed. */
  async close(): Promise<void> {
    this.#closed = true
    const entries = [...this.#entries.values()]
    this.#entries.clear()
    await Promise.all(entries.map(closeEntry))
  }

  #entry(tenant: Tenant): Entry {
    const { resourceId } = tenant
    const known = this.#entries.get(resourceId)
    if (known !== undefined && known.users >= this.#limits.usersPerTenant) throw new Busy('tenant')
    if (known === undefined) this.#makeRoom()
    const entry = known ?? { runtime: this.#open(tenant), users: 0 }
    this.#entries.delete(resourceId)
    this.#entries.set(resourceId, entry)
    entry.runtime.catch(() => {
      if (this.#entries.get(resourceId) === entry) this.#entries.delete(resourceId)
    })
    return entry
  }

  #makeRoom(): void {
    if (this.#closed) throw new Busy('host')
    if (this.#entries.size < this.#limits.runtimes) return
    for (const [resourceId, entry] of this.#entries) {
      if (entry.users > 0) continue
      this.#entries.delete(resourceId)
      // Nobody uses it; the tenant's next request opens another.
      void closeEntry(entry)
      return
    }
    throw new Busy('host')
  }
}

async function closeEntry({ runtime }: Entry): Promise<void> {
  // One that could not be opened was reported to whoever asked for it.
  await runtime.then(
    (open) => open.close(),
    () => {},
  )
}

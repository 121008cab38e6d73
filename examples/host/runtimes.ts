import type { Runtime, Tenant } from 'bailiwick'

/** No runtime is available: too many requests of this tenant, or too many tenants, are active. */
export class Busy extends Error {
  readonly because: 'tenant' | 'host'

  constructor(because: 'tenant' | 'host') {
    super(because === 'tenant' ? 'Too many requests of yours are under way.' : 'The host is busy.')
    this.because = because
  }
}

/** Keeps a runtime open until the promise settles. */
export type Keep = (until: Promise<unknown>) => void

interface Entry {
  readonly runtime: Promise<Runtime>
  users: number
}

/** Limits for open runtimes, and for the requests of each. */
export interface RuntimeLimits {
  readonly runtimes: number
  /** Concurrent requests, streams and runs of one tenant. */
  readonly usersPerTenant: number
}

/** A bounded pool of open runtimes by tenant. The least recently used idle runtime is closed to make room. */
export class Runtimes {
  readonly #open: (tenant: Tenant) => Promise<Runtime>
  readonly #limits: RuntimeLimits
  /** In order of use, the most recent last. */
  readonly #entries = new Map<string, Entry>()
  #closed = false

  constructor(open: (tenant: Tenant) => Promise<Runtime>, limits: RuntimeLimits) {
    this.#open = open
    this.#limits = limits
  }

  /** Number of open runtimes. */
  get size(): number {
    return this.#entries.size
  }

  /** Uses a tenant's runtime. Throws Busy. */
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

  /** Closes every runtime: running runs are interrupted, and can be resumed. */
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
      // It is idle; the tenant's next request opens another.
      void closeEntry(entry)
      return
    }
    throw new Busy('host')
  }
}

async function closeEntry({ runtime }: Entry): Promise<void> {
  // A runtime that could not be opened was reported to its caller.
  await runtime.then(
    (open) => open.close(),
    () => {},
  )
}

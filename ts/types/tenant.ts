/** The identity of a tenant. Frozen; serialises as `{"resourceId":"acme","version":"v1"}`. */
export interface Tenant {
  /** Who: the owner of every record. Compared byte by byte. */
  readonly resourceId: string
  /** The version of the tenant's configuration. Shown in dumps, never part of a storage key. */
  readonly version: string
}

/** Data sources of tools: names of environment variables, never a secret itself. Frozen JSON. */
export interface DataEnvironment {
  /** The only tenant that may use it. A spec of another tenant is refused with TenantMismatchError. */
  readonly tenantId?: string
  /** Databases by a name of your choice (`^[A-Za-z][A-Za-z0-9_-]{0,63}$`). */
  readonly databases?: { readonly [name: string]: { readonly urlEnv: string } }
}

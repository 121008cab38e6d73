import { BailiwickError, defineReference, defineRuntime, defineTenant, type Tenant } from 'bailiwick'

export function tenantOf(resourceId: string): Tenant | undefined {
  try {
    const tenant = defineTenant(resourceId, 'v1')
    // @ts-expect-error a tenant is frozen
    tenant.version = 'v2'
    return defineRuntime({ tenant, references: [defineReference({ name: 'movies', ttlMs: 1_000 })] }).tenant
  } catch (error) {
    if (BailiwickError.isInstance(error)) return undefined
    throw error
  }
}

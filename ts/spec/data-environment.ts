import { freezeDefinition, propertiesOf } from './definition.ts'
import { Issues } from './issues.ts'
import { messages } from './messages.ts'
import { isPlainObject } from './plain-json.ts'
import { dataEnvironmentShape } from './shapes.ts'
import { isTenantId } from './tenant.ts'

/** Where the tools' data lies. Names of environment variables, never a secret itself. Frozen JSON. */
export interface DataEnvironment {
  /** The only tenant that may use it. A spec of another tenant is refused with TenantMismatchError. */
  readonly tenantId?: string
  /** Databases by a name of your choice (`^[A-Za-z][A-Za-z0-9_-]{0,63}$`). */
  readonly databases?: { readonly [name: string]: { readonly urlEnv: string } }
}

/**
 * Where the tools' data lies: for each database the environment variable that holds its URL.
 *
 * @throws SpecError with every problem of the definition
 * @example
 * ```ts
 * defineDataEnvironment({ tenantId: 'acme', databases: { sales: { urlEnv: 'ACME_SALES_URL' } } })
 * ```
 */
export function defineDataEnvironment(definition: DataEnvironment): DataEnvironment {
  const issues = new Issues()
  const given = propertiesOf(definition, issues)
  return freezeDefinition(dataEnvironmentShape, given, {}, issues, checkDataEnvironment) as DataEnvironment
}

/** What a data environment's JSON must hold besides its shape. Bears any JSON. */
export function checkDataEnvironment(environment: unknown, path: string, issues: Issues): void {
  if (!isPlainObject(environment) || environment['tenantId'] === undefined || isTenantId(environment['tenantId']))
    return
  issues.add(path === '' ? 'tenantId' : `${path}.tenantId`, messages.tenantId)
}

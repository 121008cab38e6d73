import type { DataEnvironment } from '../../types/tenant.ts'
import { Issues } from '../checks/issues.ts'
import { messages } from '../checks/messages.ts'
import { isPlainObject } from '../checks/plain-json.ts'
import { dataEnvironmentShape } from '../checks/shapes.ts'
import { freezeDefinition, propertiesOf } from './definition.ts'
import { isTenantId } from './tenant.ts'

/**
 * Defines the data sources of tools: for each database the environment variable that holds its URL.
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

/** Checks the rules of a data environment's JSON that its shape cannot express. Accepts any JSON. */
export function checkDataEnvironment(environment: unknown, path: string, issues: Issues): void {
  if (!isPlainObject(environment) || environment['tenantId'] === undefined || isTenantId(environment['tenantId']))
    return
  issues.add(path === '' ? 'tenantId' : `${path}.tenantId`, messages.tenantId)
}

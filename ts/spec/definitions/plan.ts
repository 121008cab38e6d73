import type { JsonSchema } from '../../types/json.ts'
import { Issues } from '../checks/issues.ts'
import { planShape } from '../checks/shapes.ts'
import { type Schema, toJsonSchema } from '../schema/schema.ts'
import { freezeDefinition, propertiesOf, standardSchemas } from './definition.ts'

/** A type of plans. Frozen JSON. */
export interface PlanType<N extends string = string> {
  readonly name: N
  readonly description?: string
  /** The JSON Schema of a plan's `details`. */
  readonly details?: JsonSchema
}

/** Argument of `definePlan`. */
export interface PlanDefinition<N extends string = string> {
  /** `^[a-z][a-z0-9_-]{0,63}$` */
  readonly name: N
  readonly description?: string
  /** Schema of a plan's details: a Standard Schema that can give its JSON Schema, or a JSON Schema. */
  readonly details?: Schema
}

/**
 * A type of plans, for `definePlanner` and `runtime.plans.save`.
 *
 * @throws SpecError with every problem of the definition
 */
export function definePlan<const N extends string>(definition: PlanDefinition<N>): PlanType<N> {
  const issues = new Issues()
  const given = propertiesOf(definition, issues)
  const draft = { ...given, details: toJsonSchema(given['details'], 'details', issues) }
  const behind = { schemas: standardSchemas(given, ['details']) }
  return freezeDefinition(planShape, draft, { kind: 'plan type', ...behind }, issues) as PlanType<N>
}

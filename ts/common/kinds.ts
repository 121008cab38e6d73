import type { Kind } from '../types/tenant.ts'

/** Every kind, in the order in which dumps list them. */
export const kinds: readonly Kind[] = Object.freeze([
  'references',
  'plans',
  'approvals',
  'cache',
  'threads',
  'runs',
  'traces',
  'waits',
])

import { Buffer } from 'node:buffer'
import { SpecError } from '../errors/index.ts'
import { bridge } from '../native/bridge.ts'
import { runtimeSpecFromDump } from '../spec/dump/from-dump.ts'
import type { RuntimeSpec } from '../spec/index.ts'

/**
 * Reads a dumped spec back: the exact inverse of `JSON.stringify(spec)`, byte for byte. The text is parsed and checked
 * strictly by the core (no duplicate keys, no `__proto__`, no lone surrogates). A tool's schemas come back as JSON Schema.
 *
 * @throws SpecError with every problem; TenantMismatchError if the data environment belongs to another tenant
 */
export function parseRuntimeSpec(json: string | Uint8Array): RuntimeSpec {
  if (typeof json !== 'string' && !(json instanceof Uint8Array)) {
    throw new SpecError([{ path: '', message: 'parseRuntimeSpec takes JSON text as a string or as UTF-8 bytes.' }])
  }
  if (typeof json === 'string' && !json.isWellFormed()) {
    throw new SpecError([{ path: '', message: 'The text holds a lone surrogate, which is not Unicode text.' }])
  }
  // A copy: what is checked and what is read must be the same bytes, even if the memory is shared.
  const bytes = Buffer.from(json as string)
  bridge().checkSpec(bytes)
  return runtimeSpecFromDump(JSON.parse(bytes.toString('utf8')))
}

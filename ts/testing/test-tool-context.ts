import { type Checks, option, readOptions } from '../arguments/options.ts'
import { InvalidInputError } from '../errors/index.ts'
import { defineTenant } from '../spec/definitions/tenant.ts'
import type { Cache } from '../types/cache.ts'
import type { ToolContext } from '../types/callbacks.ts'
import type { References } from '../types/references.ts'

const checks: Checks<Partial<ToolContext>> = {
  tenant: option.any,
  runId: option.any,
  threadId: option.any,
  callId: option.any,
  actor: option.any,
  references: option.any,
  cache: option.any,
  dataEnvironment: option.any,
  signal: option.any,
  idempotencyKey: option.any,
  resumed: option.any,
  progress: option.any,
}

/**
 * A frozen context for calling a tool's handler in a unit test, without a runtime. What `partial` leaves out is filled in;
 * `references` and `cache` then reject with InvalidInputError, because nothing could keep what they are given. A handler
 * that uses them is given those of a runtime on a `testStore`.
 *
 * @example
 * ```ts
 * const result = await search({ text: 'shoes' }, testToolContext({ actor: 'alice' }))
 * ```
 */
export function testToolContext(partial: Partial<ToolContext> = {}): ToolContext {
  return Object.freeze({
    tenant: defineTenant('test-tenant', 'v1'),
    runId: 'test-run',
    threadId: 'test-thread',
    callId: 'test-call',
    references: noReferences,
    cache: noCache,
    dataEnvironment: undefined,
    signal: new AbortController().signal,
    idempotencyKey: 'test-idempotency-key',
    progress: () => {},
    ...(readOptions(partial, checks) as Partial<ToolContext>),
  })
}

const noReferences: References = Object.freeze({
  put: missing('references'),
  putMany: missing('references'),
  resolve: missing('references'),
  resolveMany: missing('references'),
  describe: missing('references'),
  list: missing('references'),
  delete: missing('references'),
})

const noCache: Cache = Object.freeze({
  get: missing('cache'),
  set: missing('cache'),
  delete: missing('cache'),
  getOrCompute: missing('cache'),
})

function missing(what: 'references' | 'cache'): () => Promise<never> {
  return async () => {
    throw new InvalidInputError(
      `This test context has no ${what}. Give it those of a runtime: testToolContext({ ${what}: runtime.${what} }).`,
    )
  }
}

import { describe, expect, it } from 'vitest'
import { errorFromCode } from '../../ts/errors/from-code.ts'
import * as errors from '../../ts/errors/index.ts'

const codes = {
  SPEC_INVALID: errors.SpecError,
  INVALID_INPUT: errors.InvalidInputError,
  NOT_FOUND: errors.NotFoundError,
  TENANT_MISMATCH: errors.TenantMismatchError,
  CONFLICT: errors.ConflictError,
  THREAD_BUSY: errors.ThreadBusyError,
  APPROVAL_CLOSED: errors.ApprovalClosedError,
  APPROVAL_FORBIDDEN: errors.ApprovalForbiddenError,
  QUOTA_EXCEEDED: errors.QuotaExceededError,
  STORE_LOCKED: errors.StoreLockedError,
  STORE_UNAVAILABLE: errors.StoreUnavailableError,
  OUTCOME_UNKNOWN: errors.OutcomeUnknownError,
  STORE_CORRUPT: errors.StoreCorruptError,
  CLOSED: errors.ClosedError,
  INTERNAL: errors.InternalError,
}

describe('errors', () => {
  it.each(Object.entries(codes))('%s has one class, named after itself', (code, errorClass) => {
    const error = errorFromCode(code, 'What to do.')
    expect(error).toBeInstanceOf(errorClass)
    expect(error).toBeInstanceOf(errors.BailiwickError)
    expect(error).toMatchObject({ code, name: errorClass.name })
    expect(error.message).toContain('What to do.')
    expect(errors.BailiwickError.isInstance(error)).toBe(true)
    const recognising = Object.values(codes).filter((other) => other.isInstance(error))
    expect(recognising).toEqual([errorClass])
  })

  it('two errors of one code have the same keys and the same message', () => {
    const [one, two] = [errorFromCode('NOT_FOUND', 'Not found.'), errorFromCode('NOT_FOUND', 'Not found.')]
    expect(Object.getOwnPropertyNames(one)).toEqual(Object.getOwnPropertyNames(two))
    expect({ ...one }).toEqual({ ...two })
  })

  it('a quota names its limit, its maximum and its usage', () => {
    const details = { quota: 'items.references', limit: 10, used: 11 }
    expect(errorFromCode('QUOTA_EXCEEDED', 'Full.', details)).toMatchObject(details)
  })

  it('a busy thread names the run that has it, if there is one', () => {
    const run = { runId: 'run_1', status: 'suspended' }
    expect(errorFromCode('THREAD_BUSY', 'Busy.', run)).toMatchObject(run)
    expect(errorFromCode('THREAD_BUSY', 'Busy.')).toMatchObject({ runId: undefined, status: undefined })
  })

  it('a spec error lists its issues, and its message has them all', () => {
    const issues = [
      { path: '', message: 'One.' },
      { path: 'agents[0].name', message: 'Two.' },
    ]
    const error = errorFromCode('SPEC_INVALID', 'unused', issues) as errors.SpecError
    expect(error.issues).toEqual(issues)
    expect(error.message).toBe('The spec has 2 problems:\n- One.\n- agents[0].name: Two.')
  })

  it('an unknown code is an InternalError that names it', () => {
    for (const code of ['WHATEVER', '__proto__', 'toString']) {
      expect(errors.InternalError.isInstance(errorFromCode(code, 'x'))).toBe(true)
    }
    expect(errorFromCode('WHATEVER', 'x').message).toContain('WHATEVER')
  })

  it('errors of another copy of the package are recognised, and nothing else is', () => {
    class Foreign extends Error {
      readonly code = 'NOT_FOUND'
    }
    Object.defineProperty(Foreign.prototype, Symbol.for('bailiwick.error'), { value: true })
    expect(errors.NotFoundError.isInstance(new Foreign())).toBe(true)
    expect(errors.ClosedError.isInstance(new Foreign())).toBe(false)
    expect(errors.BailiwickError.isInstance(new Foreign())).toBe(true)
    for (const other of [null, undefined, 'NOT_FOUND', { code: 'NOT_FOUND' }, new Error('x')]) {
      expect(errors.BailiwickError.isInstance(other)).toBe(false)
    }
  })

  it('a cause is kept', () => {
    const cause = new Error('below')
    expect(new errors.InternalError('x', { cause }).cause).toBe(cause)
  })
})

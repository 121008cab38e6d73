import { NotFoundError } from '../errors/index.ts'

/** What every id is that is not this tenant's: absent, expired, erased, foreign or malformed. */
export function notFound(): NotFoundError {
  return new NotFoundError(
    'Not found: nothing with this id belongs to this tenant. It may never have existed, have expired or have been deleted.',
  )
}

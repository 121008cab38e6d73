import { NotFoundError } from '../errors/index.ts'

/** Whether a value can be an id of this kind at all. Ids of plans and threads may be the host's own. */
const canBe = {
  reference: (id: string) => id.length === 36 && id.startsWith('ref_'),
  run: (id: string) => /^run_[a-z2-7]{32}$/.test(id),
  wait: (id: string) => /^wait_[a-z2-7]{32}$/.test(id),
  approval: (id: string) => /^approval_[a-z2-7]{32}$/.test(id),
  plan: (id: string) => id.length > 0 && id.length <= 256 && id.isWellFormed(),
  thread: (id: string) => id.isWellFormed(),
  message: (id: string) => id.isWellFormed(),
} as const

export type IdKind = keyof typeof canBe

/** Returns whether a value can be an id of this kind. What cannot is not found, like every id of another tenant. */
export function isId(kind: IdKind, id: unknown): id is string {
  return typeof id === 'string' && canBe[kind](id)
}

/** @throws NotFoundError for what cannot be an id of this kind */
export function assertId(kind: IdKind, id: unknown): asserts id is string {
  if (!isId(kind, id)) throw notFound()
}

/** The error for every id that is not this tenant's: absent, expired, erased, foreign or malformed. */
export function notFound(): NotFoundError {
  return new NotFoundError(
    'Not found: nothing with this id belongs to this tenant. It may never have existed, have expired or have been deleted.',
  )
}

import { NotFoundError } from '../../errors/index.ts'

/** Returns what `find` resolves with, or `undefined` if it rejects with NotFoundError. */
export async function unlessGone<T>(find: Promise<T>): Promise<T | undefined> {
  try {
    return await find
  } catch (error) {
    if (NotFoundError.isInstance(error)) return undefined
    throw error
  }
}

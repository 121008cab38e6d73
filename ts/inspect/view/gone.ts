import { NotFoundError } from '../../errors/index.ts'

/** What `find` gives, or `undefined` where that is no longer there. */
export async function unlessGone<T>(find: Promise<T>): Promise<T | undefined> {
  try {
    return await find
  } catch (error) {
    if (NotFoundError.isInstance(error)) return undefined
    throw error
  }
}

import { BailiwickError } from '../../ts/index.ts'

/** The error that a call is refused with. Fails if it is not refused, throws at once, or is refused with another class. */
export async function failureOf(call: () => Promise<unknown>): Promise<BailiwickError> {
  const promise = call()
  try {
    await promise
  } catch (error) {
    if (BailiwickError.isInstance(error)) return error
    throw new Error('It was refused with an error of another kind.', { cause: error })
  }
  throw new Error('It was not refused.')
}

/** The code that a call is refused with. */
export async function codeOf(call: () => Promise<unknown>): Promise<string> {
  return (await failureOf(call)).code
}

/** Everything of an error that a caller can see, but where it was thrown. */
export function visible(error: Error): object {
  const own = Reflect.ownKeys(error).filter((key) => key !== 'stack')
  return {
    class: error.constructor,
    name: error.name,
    text: String(error),
    own: own.map((key) => [key, Object.getOwnPropertyDescriptor(error, key)]),
  }
}

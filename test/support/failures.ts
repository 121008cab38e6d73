import { BailiwickError } from '../../ts/index.ts'

export { visible } from '../../ts/isolation/answers.ts'

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

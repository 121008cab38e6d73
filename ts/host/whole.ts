import { InvalidInputError } from '../errors/index.ts'

/** @throws InvalidInputError unless it is a whole number, at least `least` */
export function assertWhole(value: number, name: string, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return
  throw new InvalidInputError(`${name} must be a whole number from ${least} on, not ${value}.`)
}

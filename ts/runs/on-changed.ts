import { wordOf } from '../common/shown-values.ts'
import { InvalidInputError } from '../errors/index.ts'

/** @throws InvalidInputError for anything but `keep` and `take` */
export function checkOnChanged(value: unknown, name: string): void {
  if (value === 'keep' || value === 'take') return
  throw new InvalidInputError(`${name} must be 'keep' or 'take', not ${wordOf(value)}.`)
}

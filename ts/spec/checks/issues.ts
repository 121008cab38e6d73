import { SpecError, type SpecIssue } from '../../errors/spec-error.ts'

/** Collects the problems of a spec, one per place: the first found there is the one to mend first. */
export class Issues {
  readonly #byPath = new Map<string, string>()

  add(path: string, message: string): void {
    if (!this.#byPath.has(path)) this.#byPath.set(path, message)
  }

  /** Whether there is a problem at this place or below it. */
  isWithin(path: string): boolean {
    const below = [`${path}.`, `${path}[`]
    return Array.from(this.#byPath.keys()).some((at) => at === path || below.some((start) => at.startsWith(start)))
  }

  get list(): SpecIssue[] {
    return Array.from(this.#byPath, ([path, message]) => ({ path, message }))
  }

  /** Throws a SpecError if there is any problem. */
  throwIfAny(): void {
    if (this.#byPath.size > 0) throw new SpecError(this.list)
  }
}

/** The path of a property or an element: `agents[0].routes[1]`, `providers["open ai"]`. */
export function pathTo(parent: string, key: string | number): string {
  if (typeof key === 'number') return `${parent}[${key}]`
  if (!/^[A-Za-z_$][A-Za-z0-9_$]*$/.test(key)) return `${parent}[${JSON.stringify(key)}]`
  return parent === '' ? key : `${parent}.${key}`
}

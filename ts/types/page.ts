/** Which part of a list. */
export interface PageOptions {
  /** How many items: 1 to 1,000, by default 100. */
  readonly limit?: number
  /** Where the page before ended. */
  readonly cursor?: string
}

/** A part of a list. */
export interface Page<T> {
  readonly items: T[]
  /** Where to go on; opaque, sealed and bound to the tenant. Absent at the end. */
  readonly cursor?: string
}

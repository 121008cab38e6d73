/** Options of a page. */
export interface PageOptions {
  /** Most items: 1 to 1,000, by default 100. */
  readonly limit?: number
  /** Cursor of the previous page. */
  readonly cursor?: string
}

/** A part of a list. */
export interface Page<T> {
  readonly items: T[]
  /** Cursor of the next page; opaque, sealed and bound to the tenant. Absent at the end. */
  readonly cursor?: string
}

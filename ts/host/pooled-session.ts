import { ClosedError } from '../errors/index.ts'
import type { Bridge } from '../native/bridge.ts'
import type { Answer } from '../native/message.ts'
import { Operation } from '../native/operations.ts'
import { nothing, Session, type Write } from '../session/session.ts'

/** What a pool is told of a session. */
export interface SessionEvents {
  /** It is used, and has a handle in the core from now on. */
  readonly used: () => void
  /** Nothing is in flight any more. */
  readonly idle: () => void
  /** It has none any more. */
  readonly parked: () => void
}

/**
 * The calls to one tenant, through a handle in the core that is made when it is needed and given back when the pool says so. Whoever
 * has the runtime notices neither.
 */
export class PooledSession extends Session {
  readonly #makeHandle: () => number
  readonly #events: SessionEvents
  #handle: number | undefined
  #inFlight = 0
  #isToPark = false

  constructor(bridge: Bridge, store: Session, makeHandle: () => number, events: SessionEvents) {
    super(bridge, 0, store)
    this.#makeHandle = makeHandle
    this.#events = events
  }

  override get number(): number {
    this.assertOpen()
    this.#handle ??= this.#makeHandle()
    this.#events.used()
    return this.#handle
  }

  /** Whether calls or runs are in flight. */
  get isBusy(): boolean {
    return this.#inFlight > 0
  }

  override async submit<T>(operation: Operation, write: Write, decode: (answer: Answer) => T): Promise<T> {
    this.#inFlight += 1
    try {
      return await super.submit(operation, write, decode)
    } catch (error) {
      // The tenant may have been erased elsewhere: the next call begins with another handle.
      if (ClosedError.isInstance(error)) this.#isToPark = true
      throw error
    } finally {
      this.#inFlight -= 1
      if (this.#isToPark) this.park()
      else if (!this.isBusy) this.#events.idle()
    }
  }

  /** Gives the handle back, once nothing is in flight. */
  park(): void {
    const handle = this.#handle
    this.#isToPark = handle !== undefined && this.isBusy
    if (handle === undefined || this.isBusy) return
    this.#handle = undefined
    this.#events.parked()
    const close = () => this.bridge.closeHandle(handle)
    // If the flush fails, the last moment of traces is lost; the handle closes all the same.
    this.bridge.submit(Operation.tracesFlush, handle, nothing, nothing).then(close, close).catch(nothing)
  }
}

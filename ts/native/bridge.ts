import { Buffer } from 'node:buffer'
import { performance } from 'node:perf_hooks'
import { setImmediate, setInterval } from 'node:timers'
import { quietly } from '../common/quietly.ts'
import { errorFromCode } from '../errors/from-code.ts'
import { BailiwickError, InternalError, InvalidInputError } from '../errors/index.ts'
import { rejection } from '../errors/rejection.ts'
import type { Resolved } from '../types/references.ts'
import type { NativeAddon, NativeEnvironment } from './addon.ts'
import { loadAddon } from './loader.ts'
import { type Answer, Message } from './message.ts'
import type { Operation } from './operations.ts'
import { lockedMessage } from './other-copies.ts'
import { type FetchedEntry, SharedMemory, State } from './shared-memory.ts'

/** Kept from load time: a host may replace it, as test runners do. */
const defer = queueMicrotask
const FEWEST_A_TURN = 2
const MOST_A_TURN = 1024
const TURN_MS = 0.25
/**
 * Wake-ups after which the next one waits for a turn of the event loop. Node handles up to 1,000 in one go while new ones
 * arrive, as they do if each answer of the host takes only microtasks.
 */
const WAKE_UPS_A_TURN = 64
const KEEP_ALIVE_MS = 1 << 30
/** Failed fetches in a row after which all pending calls are rejected. */
const FETCH_ATTEMPTS = 8

/** Kinds of host callbacks. */
export const Callback = { model: 0, tool: 1, needsApproval: 2, approve: 3, output: 4, input: 5 } as const

export type Callback = (typeof Callback)[keyof typeof Callback]

/** Answers the callback requests of one run. Must not throw. Both methods are called in a microtask of their own. */
export interface CallbackHost {
  /** Must answer with `Bridge.answer`, once. */
  ask(token: number, what: Callback, request: string): void
  /** A callback request has ended: its answer is no longer used. */
  over(token: number): void
}

/** Kinds of answers to a callback request. */
export const Reply = { piece: 0, value: 1, failure: 2 } as const

/**
 * Target of an operation: the number of a store or a topology, or a handle. A handle is released when it is
 * garbage-collected, so every pending call holds it.
 */
export type Target = number | { readonly number: number }

interface Pending {
  readonly target: Target
  readonly decode: (answer: Answer) => unknown
  readonly resolve: (value: never) => void
}

/**
 * This thread's side of the boundary: calls go out with `submit`, a wake-up announces answers, and they are drained a
 * few at a time, so that the callers' code cannot starve the event loop.
 */
export class Bridge {
  readonly #addon: NativeAddon
  readonly #environment: NativeEnvironment
  /** The arena, unless a call is being written into it. */
  #idle: Message | undefined = new Message()
  readonly #shared: SharedMemory
  readonly #pending = new Map<number, Pending>()
  /** Hosts that answer the callback requests of a call that runs agents, by the number of the host. */
  readonly #hosts = new Map<number, CallbackHost>()
  #nextHost = 0
  /** Hosts with open callback requests, by token. */
  readonly #asked = new Map<number, CallbackHost>()
  /** Keeps the process alive while calls are in flight; the wake-up itself does not. */
  readonly #keepAlive = setInterval(() => {}, KEEP_ALIVE_MS).unref()
  // No caller could catch a failure there, and it would end the process.
  readonly #topologies = new FinalizationRegistry<number>((topology) => quietly(() => this.releaseTopology(topology)))
  readonly #handles = new FinalizationRegistry<number>((handle) => quietly(() => this.closeHandle(handle)))
  #aTurn = FEWEST_A_TURN
  #lastTurn = 0
  #scheduled = false
  /** Wake-ups since a turn was scheduled. */
  #wakeUps = 0
  #failedFetches = 0

  constructor(addon: NativeAddon) {
    this.#addon = addon
    this.#environment = guarded(() => addon.createEnvironment(() => this.#ring()))
    this.#shared = new SharedMemory(addon, this.#environment)
  }

  /**
   * Submits an operation. `write` adds the arguments; `decode` reads the answer, whose bytes are gone afterwards.
   * Rejects with the typed error that the core reports.
   */
  submit<T>(
    operation: Operation,
    target: Target,
    write: (message: Message) => void,
    decode: (answer: Answer) => T,
  ): Promise<T> {
    return new Promise<T>((resolve) => {
      const token = this.#send(operation, typeof target === 'number' ? target : target.number, write)
      // The core gives no number twice. Should it ever, the second call must not take the place of the first.
      if (this.#pending.has(token)) throw new InternalError('Two calls have one number. Please report this.')
      if (this.#pending.size === 0) this.#keepAlive.ref()
      this.#pending.set(token, { target, decode, resolve })
      // While earlier answers could not be fetched, the wake-up was sent already and does not come again for this one.
      if (this.#failedFetches > 0) this.#scheduleTurn()
    })
  }

  /**
   * Writes a call and hands it over. While it is written, code of the caller may run (a getter, say) and make a call of
   * its own: that one gets an arena of its own.
   */
  #send(operation: Operation, target: number, write: (message: Message) => void): number {
    return this.#written(write, (message) =>
      this.#addon.submit(this.#environment, operation, target, message.bytes, message.length),
    )
  }

  #written<T>(write: (message: Message) => void, send: (message: Message) => T): T {
    const message = this.#idle ?? new Message()
    this.#idle = undefined
    try {
      written(() => write(message))
      return guarded(() => send(message))
    } finally {
      message.clear()
      this.#idle = message
    }
  }

  /** Gives a new run its ids: the same ones for the same key. */
  prepareRun(handle: number, requestKey?: string): { readonly runId: string; readonly threadId: string } {
    return guarded(() => this.#shared.prepareRun(handle, requestKey))
  }

  /**
   * Registers the host that answers the callback requests of one call, until `removeHost`. The call passes the number: a run's
   * id would not do, because any code may know and pass it.
   */
  addHost(host: CallbackHost): number {
    const number = this.#nextHost
    this.#nextHost += 1
    this.#hosts.set(number, host)
    return number
  }

  removeHost(number: number): void {
    this.#hosts.delete(number)
  }

  /** Answers a callback request, in part or finally. An answer that is no longer awaited is dropped. */
  answer(token: number, kind: (typeof Reply)[keyof typeof Reply], write: (message: Message) => void): void {
    if (kind !== Reply.piece) this.#asked.delete(token)
    this.#written(write, (message) => this.#addon.answer(this.#environment, token, kind, message.bytes, message.length))
  }

  /** Reads a reference that is opened already. `undefined`: ask with `submit`. */
  resolveAtHand(handle: number, id: string): Resolved | undefined {
    try {
      return this.#shared.resolveAtHand(handle, id)
    } catch (error) {
      throw typed(error)
    }
  }

  createHandle(store: number, topology: number, tenant: string): number {
    const bytes = Buffer.from(tenant)
    return guarded(() => this.#addon.createHandle(this.#environment, store, topology, bytes))
  }

  /** Gives a handle back when its owner is collected, unless that was done before. */
  keepHandle(owner: object, handle: number): void {
    this.#handles.register(owner, handle, owner)
  }

  closeHandle(handle: number, owner?: object): void {
    if (owner !== undefined) this.#handles.unregister(owner)
    guarded(() => this.#addon.closeHandle(this.#environment, handle))
  }

  /** Gives a topology back when its owner is collected. */
  keepTopology(owner: object, topology: number): void {
    this.#topologies.register(owner, topology)
  }

  releaseTopology(topology: number): void {
    guarded(() => this.#addon.releaseTopology(this.#environment, topology))
  }

  /** Checks a dumped spec strictly. */
  checkSpec(spec: Uint8Array): void {
    guarded(() => this.#addon.checkSpec(spec))
  }

  #ring(): void {
    if (this.#scheduled) return
    this.#lastTurn = 0
    this.#wakeUps += 1
    if (this.#wakeUps > WAKE_UPS_A_TURN) this.#scheduleTurn()
    else this.#turn()
  }

  readonly #turn = (): void => {
    this.#scheduled = false
    const now = performance.now()
    // The time since the last turn began is what its callers took. While that is short, take more at once.
    if (this.#lastTurn !== 0) {
      const aTurn = now - this.#lastTurn < TURN_MS ? this.#aTurn * 2 : this.#aTurn / 2
      this.#aTurn = Math.min(MOST_A_TURN, Math.max(FEWEST_A_TURN, aTurn))
    }
    this.#lastTurn = now
    if (this.#fetch() > 0) {
      this.#scheduleTurn()
    } else {
      this.#aTurn = Math.max(FEWEST_A_TURN, this.#aTurn / 2)
    }
    if (this.#pending.size === 0) this.#keepAlive.unref()
  }

  #scheduleTurn(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#wakeUps = 0
    setImmediate(this.#turn)
  }

  /** Drains answers. No failure there may end the process, which belongs to the host. */
  #fetch(): number {
    try {
      const waiting = this.#drain()
      this.#failedFetches = 0
      return waiting
    } catch (error) {
      this.#failedFetches += 1
      if (this.#failedFetches < FETCH_ATTEMPTS) return 1
      for (const { resolve } of this.#pending.values()) resolve(rejection(() => typed(error)) as never)
      this.#pending.clear()
      return 0
    }
  }

  /** Fetches some answers, settles their calls and returns how many answers still wait. */
  #drain(): number {
    const { entries, waiting } = this.#shared.fetch(this.#aTurn)
    for (const entry of entries) {
      try {
        this.#deliver(entry)
      } catch {
        // A failure of one answer must not affect the next, which is another caller's.
      }
    }
    return waiting
  }

  #deliver({ token, state, body }: FetchedEntry): void {
    if (state === State.over) {
      const host = this.#asked.get(token)
      this.#asked.delete(token)
      if (host !== undefined) defer(() => quietly(() => host.over(token)))
    } else if (state === State.asked) {
      this.#ask(token, body)
    } else {
      this.#settle(token, state, body)
    }
  }

  /** `u8 what ‖ f64le host ‖ request` */
  #ask(token: number, body: Answer | undefined): void {
    const what = body?.u8() as Callback
    const host = this.#hosts.get(body?.optionalNumber() ?? -1)
    if (body === undefined || host === undefined) {
      this.answer(token, Reply.failure, body === undefined ? noMemory : noHost)
      return
    }
    const request = body.restAsText()
    this.#asked.set(token, host)
    defer(() => {
      try {
        host.ask(token, what, request)
      } catch {
        quietly(() => this.answer(token, Reply.failure, hostFailed))
      }
    })
  }

  #settle(token: number, state: number, body: Answer | undefined): void {
    const pending = this.#pending.get(token)
    if (pending === undefined) return
    this.#pending.delete(token)
    pending.resolve(outcome(pending.decode, state, body) as never)
  }
}

function noHost(message: Message): void {
  message.raw('{"message":"The run has no host in this thread any more."}')
}

function hostFailed(message: Message): void {
  message.raw('{"message":"The host could not be asked."}')
}

function noMemory(message: Message): void {
  message.raw('{"message":"There is no memory for what is asked. Pass large values as references."}')
}

/** Returns the result of a call, or a promise that rejects. */
function outcome(decode: (answer: Answer) => unknown, state: number, body: Answer | undefined): unknown {
  try {
    if (body === undefined) throw new RangeError('There is no memory for it.')
    if (state !== State.failed) return decode(body)
    const failure = body.json<Failure>()
    return rejection(() => fromFailure(failure))
  } catch (cause) {
    return rejection(() => new InternalError('An answer of the core could not be read.', { cause }))
  }
}

let bridgeOfThisThread: Bridge | undefined

/** The bridge of this thread; the addon is loaded at the first call. */
export function bridge(): Bridge {
  bridgeOfThisThread ??= new Bridge(loadAddon())
  return bridgeOfThisThread
}

interface Failure {
  readonly code: string
  readonly message: string
  readonly details?: unknown
}

function fromFailure({ code, message, details }: Failure): Error {
  return errorFromCode(code, code === 'STORE_LOCKED' ? lockedMessage(message) : message, details)
}

/** Runs what writes a call. What cannot be copied (a detached buffer, more than fits a buffer) is bad input. */
function written(write: () => void): void {
  try {
    write()
  } catch (cause) {
    if (BailiwickError.isInstance(cause)) throw cause
    throw new InvalidInputError('The bytes cannot be copied: their buffer is detached, or there are too many.', {
      cause,
    })
  }
}

/** Runs a call into the addon and gives its failure its class. */
function guarded<T>(call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw typed(error)
  }
}

function typed(error: unknown): Error {
  try {
    return fromFailure(JSON.parse((error as Error).message) as Failure)
  } catch {
    return new InternalError('A call into the core failed.', { cause: error })
  }
}

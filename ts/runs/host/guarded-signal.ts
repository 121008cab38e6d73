import type { Redact } from './failures.ts'

type AddOptions = Parameters<AbortSignal['addEventListener']>[2]
type RemoveOptions = Parameters<AbortSignal['removeEventListener']>[2]
type Listener = Parameters<AbortSignal['addEventListener']>[1]
type Handler = AbortSignal['onabort']

const WARNING_CHARACTERS = 2000
const handlers = new WeakMap<AbortSignal, NonNullable<Handler>>()

const { addEventListener, removeEventListener } = AbortSignal.prototype
const onabort = Object.getOwnPropertyDescriptor(AbortSignal.prototype, 'onabort') as PropertyDescriptor

/**
 * Makes controllers whose signals may be handed to the host's code. Node ends the process when a listener of an
 * `AbortSignal` throws, or returns a promise that rejects; a process that serves many tenants must not end for one tool's
 * slip. So listeners of these signals are guarded, and what they throw becomes a warning of the process. Those of a signal
 * that is made of one (`AbortSignal.any`) are not: that one is the host's own.
 */
export function guardedControllers(redact: Redact): () => AbortController {
  let prototype: object | undefined
  return () => {
    const controller = new AbortController()
    prototype ??= guardedPrototype(redact)
    // Methods of one prototype: properties of each signal's own would cost more than the signal.
    Object.setPrototypeOf(controller.signal, prototype)
    return controller
  }
}

function guardedPrototype(redact: Redact): object {
  /** Guard added in place of a listener: one for each listener, so that adding it twice adds it once. */
  const guards = new WeakMap<object, (this: AbortSignal, event: Event) => void>()
  const guardOf = (listener: Listener): Listener => {
    // A value that is no listener is passed on: Node reports it.
    if ((typeof listener !== 'object' && typeof listener !== 'function') || listener === null) return listener
    const guard = guards.get(listener) ?? guarded(listener, redact)
    guards.set(listener, guard)
    return guard
  }
  const prototype = Object.create(AbortSignal.prototype, {
    addEventListener: {
      value(this: AbortSignal, type: string, listener: Listener, options?: AddOptions) {
        addEventListener.call(this, type, guardOf(listener), options)
      },
    },
    removeEventListener: {
      value(this: AbortSignal, type: string, listener: Listener, options?: RemoveOptions) {
        removeEventListener.call(this, type, guards.get(listener) ?? listener, options)
      },
    },
    onabort: {
      get(this: AbortSignal): Handler {
        return handlers.get(this) ?? null
      },
      set(this: AbortSignal, handler: Handler) {
        if (typeof handler === 'function') handlers.set(this, handler)
        else handlers.delete(this)
        onabort.set?.call(this, typeof handler === 'function' ? guardOf(handler) : null)
      },
    },
  }) as object
  return Object.freeze(prototype)
}

/** Calls a listener as Node would. Never throws. */
function guarded(listener: NonNullable<Listener>, redact: Redact) {
  return function (this: AbortSignal, event: Event): void {
    const call = async () => {
      if (typeof listener === 'function') await listener.call(this, event)
      else await listener.handleEvent(event)
    }
    call().catch((error: unknown) => warn(error, redact))
  }
}

/** Never throws. */
function warn(error: unknown, redact: Redact): void {
  try {
    const text = redact(String(error).slice(0, WARNING_CHARACTERS))
    process.emitWarning(`A listener of a callback's signal failed: ${text}`, { code: 'BAILIWICK_LISTENER_FAILED' })
  } catch {
    // Its text cannot be had, or the host does not want to be warned.
  }
}

import process from 'node:process'
import type { Redact } from './failures.ts'

type AddOptions = Parameters<AbortSignal['addEventListener']>[2]
type RemoveOptions = Parameters<AbortSignal['removeEventListener']>[2]
type Listener = Parameters<AbortSignal['addEventListener']>[1]
type Handler = AbortSignal['onabort']

/** What takes secrets out of the warnings of a guarded signal. */
const redactions = new WeakMap<AbortSignal, Redact>()
/** What is added in place of a listener. A listener has one, so that adding it twice adds it once. */
const guards = new WeakMap<object, (this: AbortSignal, event: Event) => void>()
const handlers = new WeakMap<AbortSignal, NonNullable<Handler>>()

const { addEventListener, removeEventListener } = AbortSignal.prototype
const onabort = Object.getOwnPropertyDescriptor(AbortSignal.prototype, 'onabort') as PropertyDescriptor

const guardedPrototype = Object.create(AbortSignal.prototype, {
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

/**
 * A controller whose signal may be handed to the host's code. Node ends the process when a listener of an `AbortSignal`
 * throws, or returns a promise that rejects; a process that serves many tenants must not end for one tool's slip. So
 * listeners of this signal are guarded, and what they throw becomes a warning of the process. Those of a signal that is made
 * of it (`AbortSignal.any`) are not: that one is the host's own.
 */
export function guardedController(redact: Redact): AbortController {
  const controller = new AbortController()
  Object.setPrototypeOf(controller.signal, guardedPrototype)
  redactions.set(controller.signal, redact)
  return controller
}

/** What is called in place of a listener. What is no listener stays as it is: Node says what is wrong with it. */
function guardOf(listener: Listener): Listener {
  if ((typeof listener !== 'object' && typeof listener !== 'function') || listener === null) return listener
  let guard = guards.get(listener)
  if (guard === undefined) {
    guard = function (this: AbortSignal, event: Event): void {
      const call = async () => {
        if (typeof listener === 'function') await listener.call(this, event)
        else await listener.handleEvent(event)
      }
      call().catch((error: unknown) => warn(error, redactions.get(this)))
    }
    guards.set(listener, guard)
  }
  return guard
}

/** Never throws, whatever was thrown. */
function warn(error: unknown, redact: Redact | undefined): void {
  let text = ''
  try {
    text = redact?.(String(error)) ?? ''
  } catch {}
  process.emitWarning(`A listener of a callback's signal failed: ${text}`, { code: 'BAILIWICK_LISTENER_FAILED' })
}

import process from 'node:process'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { guardedControllers } from '../../../ts/runs/host/guarded-signal.ts'

const guardedController = guardedControllers((text) => text.replaceAll('s3cret', '[redacted]'))

/** What can be done with a signal, on names of listeners. */
type Step =
  | { readonly do: 'add' | 'remove'; readonly who: number; readonly once: boolean; readonly capture: boolean }
  | { readonly do: 'handler'; readonly who: number | null }
  | { readonly do: 'abort' }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constantFrom('add' as const, 'remove' as const),
    who: fc.nat(3),
    once: fc.boolean(),
    capture: fc.boolean(),
  }),
  fc.record({ do: fc.constant('handler' as const), who: fc.option(fc.nat(3)) }),
  fc.record({ do: fc.constant('abort' as const) }),
)

const listener = { who: 1, once: false, capture: true }
const handler = (who: number | null) => ({ do: 'handler', who }) as const

/** Who is called how, in order. */
function callsOf(controller: AbortController, steps: readonly Step[]): string[] {
  const { signal } = controller
  const called: string[] = []
  const listeners = [0, 1, 2, 3].map((who) => {
    const call = function (this: unknown, event: Event) {
      called.push(`${who} ${this === signal} ${event.type} ${event.target === signal}`)
    }
    return who % 2 === 0 ? call : { handleEvent: (event: Event) => called.push(`${who} object ${event.type}`) }
  })
  for (const { do: what, ...how } of steps) {
    const who = 'who' in how && how.who !== null ? listeners[how.who] : null
    if (what === 'abort') controller.abort()
    else if (what === 'add') signal.addEventListener('abort', who as never, how as never)
    else if (what === 'remove') signal.removeEventListener('abort', who as never, how as never)
    else {
      try {
        signal.onabort = typeof who === 'function' ? who : null
      } catch (error) {
        // Some versions of Node refuse a handler after one was taken away and the last listener was removed.
        return [...called, String(error)]
      }
      called.push(`handler ${signal.onabort === (typeof who === 'function' ? who : null)}`)
    }
  }
  return called
}

describe('the signal that callbacks get', () => {
  it('calls its listeners as any other signal does', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        expect(callsOf(guardedController(), steps)).toEqual(callsOf(new AbortController(), steps))
      }),
      {
        examples: [
          [[handler(0), handler(null), { ...listener, do: 'add' }, { ...listener, do: 'remove' }, handler(0)]],
        ],
      },
    )
    const { signal } = guardedController()
    expect(signal).toBeInstanceOf(AbortSignal)
    expect(Reflect.ownKeys(signal)).toEqual(Reflect.ownKeys(new AbortController().signal))
  })

  it.each<readonly [string, (signal: AbortSignal, fail: () => unknown) => void]>([
    ['a listener', (signal, fail) => signal.addEventListener('abort', () => void fail())],
    [
      'a listener that is called once',
      (signal, fail) => signal.addEventListener('abort', () => void fail(), { once: true }),
    ],
    ['an asynchronous listener', (signal, fail) => signal.addEventListener('abort', async () => void (await fail()))],
    ['an object', (signal, fail) => signal.addEventListener('abort', { handleEvent: () => void fail() })],
    ['an object without a method', (signal) => signal.addEventListener('abort', {} as never)],
    [
      'a handler',
      (signal, fail) => {
        signal.onabort = () => void fail()
      },
    ],
  ])('%s that fails becomes a warning without secrets, and the other listeners are called', async (_, add) => {
    const warnings: string[] = []
    const told = new Promise<void>((resolve) => {
      const note = ({ message }: Error) => {
        warnings.push(message)
        resolve()
      }
      process.on('warning', note)
      onTestFinished(() => void process.off('warning', note))
    })
    const controller = guardedController()
    let others = 0
    controller.signal.addEventListener('abort', () => {
      others += 1
    })
    add(controller.signal, () => {
      throw new Error('no s3cret')
    })
    controller.signal.addEventListener('abort', () => {
      others += 1
    })
    controller.abort()
    await told
    expect(others).toBe(2)
    expect(warnings).toEqual([expect.stringContaining("A listener of a callback's signal failed: ")])
    expect(warnings.join()).not.toContain('s3cret')
  })
})

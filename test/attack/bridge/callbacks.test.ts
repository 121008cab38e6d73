import process from 'node:process'
import { context, trace } from '@opentelemetry/api'
import { NodeTracerProvider, type SpanProcessor } from '@opentelemetry/sdk-trace-node'
import { afterAll, describe, expect, it } from 'vitest'
import { createRuntime, type Runtime } from '../../../ts/index.ts'
import { allPlaces, callbackOptions, callbackSpec, type Place, reachAll } from '../../../ts/isolation/callbacks.ts'
import { type ActionTarget, type HostAction, hostActions, prepareTarget } from '../../../ts/isolation/host-actions.ts'
import { neighbour } from '../../../ts/isolation/neighbour.ts'
import { loadAddon } from '../../../ts/native/loader.ts'
import { noon, openFresh } from '../../support/stores.ts'
import { forgedAnswers } from './forged-answers.ts'

/** How often answers are fetched in all cells together. */
const DRAINS = process.env['BAILIWICK_LONG'] === '1' ? 10_000_000 : 100_000

/** The most actions in a round: what is done at a place may lead there again, and a host that loops for ever is no finding. */
const ACTIONS = 50

/** Where only code of other packages runs: the processors of spans, and whatever a host has put onto every object. */
const outsidePlaces = ['span: start', 'span: end', 'Object.prototype: then getter'] as const
type AnyPlace = Place | (typeof outsidePlaces)[number]

const everywhere: readonly AnyPlace[] = [...allPlaces, ...outsidePlaces]
const allActions = Object.keys(hostActions) as HostAction[]
const cells = everywhere
  .flatMap((place) => allActions.map((action) => [place, action] as const))
  // A getter on every object that throws breaks each promise of the process, those of the test runner too.
  .filter(([place, action]) => place !== 'Object.prototype: then getter' || action !== 'throw')

let onReached: (place: AnyPlace) => void = () => {}

const processor: SpanProcessor = {
  onStart: () => onReached('span: start'),
  onEnd: () => onReached('span: end'),
  forceFlush: async () => {},
  shutdown: async () => {},
}
const provider = new NodeTracerProvider({ spanProcessors: [processor] })
provider.register()

/** Whatever looks whether a plain object is a promise runs this. */
Object.defineProperty(Object.prototype, 'then', {
  configurable: true,
  get: () => onReached('Object.prototype: then getter'),
  // As if it were not there: who assigns one gets one of its own.
  set(this: object, value: unknown) {
    Object.defineProperty(this, 'then', { configurable: true, enumerable: true, writable: true, value })
  },
})

const addon = loadAddon()
const { drain, submit } = addon
let drains = 0
let lastToken = 0
addon.submit = (...parameters) => {
  lastToken = submit(...parameters)
  return lastToken
}
addon.drain = (...parameters) => {
  drains += 1
  drain(...parameters)
}

// A tool that fails in a listener is told to the process as a warning; there are thousands here.
const warnings: string[] = []
process.on('warning', ({ message }) => void warnings.push(message))

afterAll(() => {
  onReached = () => {}
  Reflect.deleteProperty(Object.prototype, 'then')
  addon.drain = drain
  addon.submit = submit
  trace.disable()
  context.disable()
})

describe(`${cells.length} cells beside a neighbour`, () => {
  it.each(cells)('%s does: %s, and no answer changes', async (place, action) => {
    const store = await openFresh('memory', {}, { seed: 1, now: noon })
    const beside = await neighbour(await opened(store, 'victim'))
    const alone = await beside.transcript()
    let target: ActionTarget | undefined
    let reached = 0
    let actions = 0
    const open = async (): Promise<Runtime> => {
      const spec = callbackSpec('attacker', (at) => onReached(at))
      const listening = new Map<never, never>()
      const options = callbackOptions((at) => onReached(at), listening)
      const runtime = await createRuntime(spec, { ...options, store })
      target = await prepareTarget(runtime, forgedAnswers(lastToken))
      reach = () => reachAll(runtime, (at) => onReached(at), listening)
      return runtime
    }
    let reach = async () => {}
    const share = drains + DRAINS / cells.length
    while (drains < share || reached === 0) {
      const runtime = await open()
      actions = 0
      onReached = (at) => {
        if (at !== place || actions >= ACTIONS || target === undefined) return
        reached += 1
        actions += 1
        hostActions[action](target)
      }
      const transcripts = [beside.transcript(), beside.transcript()]
      await reach()
      transcripts.push(beside.transcript())
      for (const transcript of await Promise.all(transcripts)) expect(transcript).toEqual(alone)
      onReached = () => {}
      await runtime.close()
    }
    expect(await beside.transcript()).toEqual(alone)
    expect((await store.stats()).alarms).toBe(0)
  })

  it(`answers were fetched ${DRAINS} times, and errors of listeners became warnings`, () => {
    expect(drains).toBeGreaterThanOrEqual(DRAINS)
    expect(warnings.some((text) => text.includes('A callback fails.'))).toBe(true)
  })
})

function opened(store: Awaited<ReturnType<typeof openFresh>>, name: string): Promise<Runtime> {
  const none = () => {}
  return createRuntime(callbackSpec(name, none), { ...callbackOptions(none, new Map()), store })
}

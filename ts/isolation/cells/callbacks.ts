import { type Act, type Arms, acts, armed } from '../acts.ts'
import { assertHolds, assertSame } from '../answers.ts'
import { allPlaces, callbackOptions, callbackSpec, type Place, reachAll } from '../callbacks.ts'
import { onStage } from '../ground.ts'
import { neighbour } from '../neighbour.ts'
import type { CellPlan } from './cell.ts'

/** What is tried everywhere: calls that come back at once, and calls that do not. The package's own tests try all acts. */
const tried: readonly Act[] = ['resolve hot', 'resolve cold']

/** For every place where a host is called back: whatever it calls from there, another tenant is answered as ever. */
export function callbackCells(): CellPlan[] {
  return allPlaces.flatMap((place) =>
    tried.map((act) => ({
      row: 'B1',
      kind: 'runtime' as const,
      verb: `callback ${place}`,
      what: `a neighbour is answered as ever while it does: ${act}`,
      attempt: attempt(place, act),
    })),
  )
}

function attempt(place: Place, act: Act): CellPlan['attempt'] {
  return (ground) =>
    onStage(ground, async ({ own, foreign }) => {
      const beside = await neighbour(foreign)
      const alone = await beside.transcript()
      let arms: Arms | undefined
      let reached = 0
      const strike = (at: Place) => {
        if (at !== place) return
        reached += 1
        if (arms !== undefined) acts[act](arms)
      }
      const listening = new Map()
      const spec = callbackSpec(own.tenant.resourceId, strike)
      const runtime = await ground.openRuntime(spec, { ...callbackOptions(strike, listening), store: ground.store })
      try {
        arms = await armed(runtime)
        const answers = beside.transcript()
        const [, meanwhile] = await Promise.all([reachAll(runtime, strike, listening), answers, beside.transcript()])
        assertSame('asked beside it', meanwhile, 'asked alone', alone)
        assertHolds(reached > 0, `The host is not called back at ${place}.`)
      } finally {
        await runtime.close()
      }
    })
}

import { assertHolds, assertSame } from '../answers.ts'
import { allPlaces, callbackOptions, callbackSpec, type Place, reachAll } from '../callbacks.ts'
import { withFixture } from '../environment.ts'
import { type ActionTarget, type HostAction, hostActions, prepareTarget } from '../host-actions.ts'
import { neighbour } from '../neighbour.ts'
import type { CellPlan } from './cell.ts'

/** Actions tried everywhere: calls that return at once, and calls that do not. The package's own tests try all hostActions. */
const tried: readonly HostAction[] = ['resolve hot', 'resolve cold']

/** For every callback of the host: calls made inside it do not change the answers of another tenant. */
export function callbackCells(): CellPlan[] {
  return allPlaces.flatMap((place) =>
    tried.map((action) => ({
      row: 'B1',
      kind: 'runtime' as const,
      verb: `callback ${place}`,
      what: `a neighbour is answered as ever while it does: ${action}`,
      attempt: attempt(place, action),
    })),
  )
}

function attempt(place: Place, action: HostAction): CellPlan['attempt'] {
  return (environment) =>
    withFixture(environment, async ({ own, foreign }) => {
      const beside = await neighbour(foreign)
      const alone = await beside.transcript()
      let target: ActionTarget | undefined
      let reached = 0
      const onReached = (at: Place) => {
        if (at !== place) return
        reached += 1
        if (target !== undefined) hostActions[action](target)
      }
      const listening = new Map()
      const spec = callbackSpec(own.tenant.resourceId, onReached)
      const runtime = await environment.openRuntime(spec, {
        ...callbackOptions(onReached, listening),
        store: environment.store,
      })
      try {
        target = await prepareTarget(runtime)
        const answers = beside.transcript()
        const [, meanwhile] = await Promise.all([reachAll(runtime, onReached, listening), answers, beside.transcript()])
        assertSame('asked beside it', meanwhile, 'asked alone', alone)
        assertHolds(reached > 0, `The host is not called back at ${place}.`)
      } finally {
        await runtime.close()
      }
    })
}

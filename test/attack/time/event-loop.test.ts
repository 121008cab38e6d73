import { setImmediate, setTimeout } from 'node:timers'
import { describe, expect, it } from 'vitest'
import {
  createRuntime,
  defineCoordinator,
  defineExecutor,
  definePlan,
  definePlanner,
  defineRuntime,
  defineTool,
  type Model,
} from '../../../ts/index.ts'
import type { NativeAddon, NativeEnvironment } from '../../../ts/native/addon.ts'
import { Bridge } from '../../../ts/native/bridge.ts'
import { calls, says, script } from '../../loop/models.ts'
import { openFresh } from '../../support/stores.ts'
import { acme } from '../../unit/support.ts'

/** The most wake-ups that are handled before the event loop goes on. */
const WAKE_UPS_A_TURN = 64
const STEPS = 1000

const turn = () => new Promise((resolve) => setImmediate(resolve))

/** A runtime whose plan has so many steps, each after the one before, and whose tool takes microtasks alone. */
async function chain(step: () => unknown) {
  const object = { type: 'object' } as const
  const next = defineTool({ name: 'next', description: 'x', effects: 'read', input: object })
  const planner = definePlanner({ name: 'planner', model: 'test/p', prompt: 'x', plan: definePlan({ name: 'steps' }) })
  const worker = defineExecutor({ name: 'worker', tools: [next] })
  const front = defineCoordinator({ name: 'front', model: 'test/f', prompt: 'x', routes: ['planner'] })
  const steps = Array.from({ length: STEPS }, (_, n) => ({
    id: `s${n}`,
    tool: 'next',
    input: {},
    dependsOn: n === 0 ? [] : [`s${n - 1}`],
  }))
  const models: Record<string, Model> = {
    p: script(says(JSON.stringify({ goal: 'x', steps }))),
    f: script(calls(['planner', { task: 'x' }]), says('Done.')),
  }
  return await createRuntime(defineRuntime({ tenant: acme, agents: [front, planner, worker] }), {
    store: await openFresh('memory'),
    models: { test: { stream: (request) => (models[request.modelId] as Model).stream(request) } },
    tools: { next: async () => step() as never },
    approve: async () => ({ decision: 'approve', actor: 'kim' }),
  })
}

describe('the event loop of the host', () => {
  it('goes on while a plan of 1,000 steps runs whose tool takes microtasks alone', async () => {
    let steps = 0
    let stepsBefore = 0
    let most = 0
    let timers = 0
    let isOver = false
    const runtime = await chain(() => {
      steps += 1
      return steps
    })
    const immediate = () => {
      most = Math.max(most, steps - stepsBefore)
      stepsBefore = steps
      if (!isOver) setImmediate(immediate)
    }
    const timer = () => {
      if (steps > 0 && !isOver) timers += 1
      if (!isOver) setTimeout(timer, 0)
    }
    immediate()
    timer()
    const result = await runtime.query({ prompt: 'Go', limits: { maxToolCalls: 2 * STEPS } }).result()
    isOver = true
    expect(result).toMatchObject({ status: 'completed', text: 'Done.' })
    expect(steps).toBe(STEPS)
    // One more with the turn that was put off.
    expect(most).toBeLessThanOrEqual(WAKE_UPS_A_TURN + 1)
    expect(timers).toBeGreaterThan(0)
  })

  it('gets a turn after 64 wake-ups in a row, and none of them is lost', async () => {
    let wakeUp = () => {}
    let drains = 0
    const addon = {
      createEnvironment(doorbell: () => void) {
        wakeUp = doorbell
        return {} as NativeEnvironment
      },
      drain(_: NativeEnvironment, slab: Buffer) {
        drains += 1
        slab.writeUInt32LE(16, 0)
      },
    }
    const bridge = new Bridge(addon as unknown as NativeAddon)
    for (const _ of Array.from({ length: STEPS })) wakeUp()
    expect(drains).toBe(WAKE_UPS_A_TURN)
    await turn()
    expect(drains).toBe(WAKE_UPS_A_TURN + 1)
    wakeUp()
    expect(drains).toBe(WAKE_UPS_A_TURN + 2)
    expect(bridge).toBeInstanceOf(Bridge)
  })
})

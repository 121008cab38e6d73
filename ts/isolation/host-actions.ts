import type { Runtime } from '../index.ts'

/** The runtime and the ids that an action uses. */
export interface ActionTarget {
  readonly runtime: Runtime
  /** The id of a small reference that is opened already. */
  readonly hot: string
  /** The id of one that has to be fetched. */
  readonly cold: string
}

/** Actions of host code inside a callback. None of them waits, and their results are ignored. */
export const hostActions = {
  'resolve hot': ({ runtime, hot }: ActionTarget) => forget(runtime.references.resolve(hot)),
  'resolve cold': ({ runtime, cold }: ActionTarget) => forget(runtime.references.resolve(cold)),
  put: ({ runtime }: ActionTarget) => forget(runtime.references.put('note', 'x'.repeat(5000))),
  close: ({ runtime }: ActionTarget) => forget(runtime.close()),
  erase: ({ runtime }: ActionTarget) => forget(runtime.erase({ confirm: runtime.tenant.resourceId })),
  throw: () => {
    throw new Error('A callback fails.')
  },
  loop: ({ runtime, hot }: ActionTarget) => {
    for (let index = 0; index < 200; index += 1) forget(runtime.references.resolve(hot))
  },
} as const satisfies { readonly [action: string]: (target: ActionTarget) => void }

export type HostAction = keyof typeof hostActions

function forget(call: Promise<unknown>): void {
  call.catch(() => {})
}

/** Puts what actions resolve. */
export async function prepareTarget(runtime: Runtime, hot: string | Uint8Array = 'hot'): Promise<ActionTarget> {
  const small = await runtime.references.put('note', hot)
  const large = await runtime.references.put('note', new Uint8Array(300 << 10).fill(1))
  await runtime.references.resolve(small.id)
  return { runtime, hot: small.id, cold: large.id }
}

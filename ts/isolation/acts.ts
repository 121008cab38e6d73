import type { Runtime } from '../index.ts'

/** What is at hand for whoever strikes. */
export interface Arms {
  readonly runtime: Runtime
  /** The id of a small reference that is opened already. */
  readonly hot: string
  /** The id of one that has to be fetched. */
  readonly cold: string
}

/** What code of a host's can do when it is called. Nothing here waits: what a call came to is nobody's concern. */
export const acts = {
  'resolve hot': ({ runtime, hot }: Arms) => forget(runtime.references.resolve(hot)),
  'resolve cold': ({ runtime, cold }: Arms) => forget(runtime.references.resolve(cold)),
  put: ({ runtime }: Arms) => forget(runtime.references.put('note', 'x'.repeat(5000))),
  close: ({ runtime }: Arms) => forget(runtime.close()),
  erase: ({ runtime }: Arms) => forget(runtime.erase({ confirm: runtime.tenant.resourceId })),
  throw: () => {
    throw new Error('A callback fails.')
  },
  loop: ({ runtime, hot }: Arms) => {
    for (let index = 0; index < 200; index += 1) forget(runtime.references.resolve(hot))
  },
} as const satisfies { readonly [act: string]: (arms: Arms) => void }

/** One of them. */
export type Act = keyof typeof acts

function forget(call: Promise<unknown>): void {
  call.catch(() => {})
}

/** Puts what is struck with. */
export async function armed(runtime: Runtime, hot: string | Uint8Array = 'hot'): Promise<Arms> {
  const small = await runtime.references.put('note', hot)
  const large = await runtime.references.put('note', new Uint8Array(300 << 10).fill(1))
  await runtime.references.resolve(small.id)
  return { runtime, hot: small.id, cold: large.id }
}

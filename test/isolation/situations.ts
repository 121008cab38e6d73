import type { Runtime } from '../../ts/index.ts'
import type { OpenStore } from '../../ts/runtime/store.ts'
import { runtimeFor } from '../support/stores.ts'

/** Two tenants of one store. */
export interface Stage {
  readonly store: OpenStore
  /** Who asks. Another of the same name when the tenant was erased. */
  own: Runtime
  /** The same tenant, whose things of every kind live for {@link BRIEF_MS}. */
  readonly brief: Runtime
  readonly foreign: Runtime
}

/** How long the things of `Stage.brief` live. */
export const BRIEF_MS = 10

/** Asks for a thing, by its name or in another way, and returns all that the tenant is told. */
export type Ask<Name> = (runtime: Runtime, name: Name) => Promise<unknown>

/** Something of which a tenant may have none: how it comes to be and to an end, and every verb that could show it. */
export interface Thing<Name> {
  /** A well-formed name that nobody has given to anything. */
  readonly absent: Name
  /** Names that nothing can have. */
  readonly malformed: readonly Name[]
  /** Makes one of about this content. */
  readonly place: (runtime: Runtime, content: string) => Promise<Name>
  /** Deletes it; absent for things that nobody can delete. */
  readonly remove?: (runtime: Runtime, name: Name) => Promise<unknown>
  /** Whether nothing of it is left when the retention of its kind is over. */
  readonly expires: boolean
  /** The verbs that look for it, as `kind.verb` and what is special about the call. */
  readonly looks: { readonly [verb: string]: Ask<Name> }
  /** The verbs that tell in another way whether there is one, such as lists. */
  readonly tells?: { readonly [verb: string]: Ask<Name> }
  /** The verbs that answer the same whatever there is. */
  readonly others?: { readonly [verb: string]: Ask<Name> }
}

/** How a thing is not there for the tenant who asks. Every row is a situation of every thing that can be in it. */
const situations: {
  readonly [situation: string]: {
    readonly of?: (thing: Thing<unknown>) => boolean
    readonly arrange: <Name>(stage: Stage, thing: Thing<Name>) => Promise<Name>
  }
} = {
  absent: { arrange: async (_, { absent }) => absent },
  expired: {
    of: ({ expires }) => expires,
    arrange: async ({ store, brief }, { place }) => await expire(store, await place(brief, 'gone')),
  },
  'expired, and large': {
    of: ({ expires }) => expires,
    arrange: async ({ store, brief }, { place }) => await expire(store, await place(brief, 'gone'.repeat(5000))),
  },
  'expired, and swept': {
    of: ({ expires }) => expires,
    arrange: async ({ store, brief }, { place }) => {
      const name = await expire(store, await place(brief, 'gone'))
      await store.sweep()
      return name
    },
  },
  deleted: {
    of: ({ remove }) => remove !== undefined,
    arrange: async ({ own }, { place, remove }) => {
      const name = await place(own, 'deleted')
      await remove?.(own, name)
      return name
    },
  },
  erased: {
    arrange: async (stage, { place }) => {
      const { resourceId } = stage.own.tenant
      const name = await place(stage.own, 'erased')
      await stage.own.erase({ confirm: resourceId })
      stage.own = await runtimeFor(stage.store, resourceId)
      return name
    },
  },
  foreign: { arrange: async ({ foreign }, { place }) => await place(foreign, 'foreign') },
  'foreign, and at hand': {
    arrange: async ({ foreign }, { place, looks }) => {
      const name = await place(foreign, 'at hand')
      const look = Object.values(looks)[0]
      await look?.(foreign, name)
      return name
    },
  },
  'foreign, and large': { arrange: async ({ foreign }, { place }) => await place(foreign, 'large'.repeat(5000)) },
  'foreign, and erased': {
    arrange: async ({ foreign }, { place }) => {
      const name = await place(foreign, 'erased')
      await foreign.erase({ confirm: foreign.tenant.resourceId })
      return name
    },
  },
  'foreign, with what was the own before': {
    of: ({ remove }) => remove !== undefined,
    arrange: async ({ own, foreign }, { place, remove }) => {
      await remove?.(own, await place(own, 'both'))
      return await place(foreign, 'both')
    },
  },
}

async function expire<Name>(store: OpenStore, name: Name): Promise<Name> {
  await store.advance(BRIEF_MS)
  return name
}

/** One verb and one situation: whatever it answers, it must answer in all situations of the verb. */
export interface Cell {
  readonly situation: string
  readonly ask: (stage: Stage) => Promise<unknown>
}

/** The cells of a verb; the first is that of something absent. */
export interface Verb {
  readonly cells: readonly Cell[]
  /** Whether it answers something else to a tenant who has the thing. */
  readonly tells: boolean
}

/** All verbs of a thing with their cells. */
export function verbsOf<Name>(thing: Thing<Name>): { readonly [verb: string]: Verb } {
  const arranged = Object.entries(situations)
    .filter(([, { of }]) => of?.(thing as Thing<unknown>) ?? true)
    .map(([situation, { arrange }]) => ({ situation, arrange: (stage: Stage) => arrange(stage, thing) }))
  const malformed = thing.malformed.map((name, number) => ({
    situation: `malformed, ${number}`,
    arrange: async () => name,
  }))
  const verb = (ask: Ask<Name>, ways: typeof arranged, tells: boolean): Verb => {
    const cell = ({ situation, arrange }: (typeof arranged)[number]): Cell => ({
      situation,
      ask: async (stage) => {
        const name = await arrange(stage)
        return await ask(stage.own, name)
      },
    })
    return { cells: ways.map(cell), tells }
  }
  const { looks, tells = {}, others = {} } = thing
  return {
    ...mapped(looks, (ask) => verb(ask, [...arranged, ...malformed], true)),
    ...mapped(tells, (ask) => verb(ask, arranged, true)),
    ...mapped(others, (ask) => verb(ask, arranged, false)),
  }
}

function mapped<From, To>(record: { readonly [key: string]: From }, map: (value: From) => To): { [key: string]: To } {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]))
}

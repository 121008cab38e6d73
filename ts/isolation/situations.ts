import type { Runtime } from '../index.ts'
import type { Fixture } from './environment.ts'

/** Asks for a resource, by its name or in another way, and returns all that the tenant is told. */
export type Ask<Name> = (runtime: Runtime, name: Name) => Promise<unknown>

/** Something of which a tenant may have none: how it comes to be and to an end, and every verb that could show it. */
export interface Resource<Name> {
  /** A well-formed name that no resource has. */
  readonly absent: Name
  /** Names that nothing can have. */
  readonly malformed: readonly Name[]
  /** Makes one of about this content. */
  readonly place: (runtime: Runtime, content: string) => Promise<Name>
  /** Deletes it; absent for resources without a delete verb. */
  readonly remove?: (runtime: Runtime, name: Name) => Promise<unknown>
  /** Whether it is removed completely at the end of its retention. */
  readonly expires: boolean
  /** The verbs that look for it, as `kind.verb` and what is special about the call. */
  readonly looks: { readonly [verb: string]: Ask<Name> }
  /** The verbs that tell in another way whether there is one, such as lists. */
  readonly tells?: { readonly [verb: string]: Ask<Name> }
  /** The verbs whose answer does not depend on the situation. */
  readonly others?: { readonly [verb: string]: Ask<Name> }
}

/** A situation of a resource: which resources can be in it, and how it comes about. */
interface Way {
  readonly of?: (resource: Resource<unknown>) => boolean
  readonly arrange: <Name>(fixture: Fixture, resource: Resource<Name>) => Promise<Name>
}

/** Situations in which a resource is missing for the calling tenant, each for every resource that can be in it. */
const missing: { readonly [situation: string]: Way } = {
  absent: { arrange: async (_, { absent }) => absent },
  expired: {
    of: ({ expires }) => expires,
    arrange: async (fixture, { place }) => await expired(fixture, await place(fixture.shortLived, 'gone')),
  },
  'expired, and large': {
    of: ({ expires }) => expires,
    arrange: async (fixture, { place }) => await expired(fixture, await place(fixture.shortLived, 'gone'.repeat(5000))),
  },
  'expired, and swept': {
    of: ({ expires }) => expires,
    arrange: async (fixture, { place }) => {
      const name = await expired(fixture, await place(fixture.shortLived, 'gone'))
      await fixture.store.sweep()
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
    arrange: async (fixture, { place }) => {
      const name = await place(fixture.own, 'erased')
      await fixture.own.erase({ confirm: fixture.own.tenant.resourceId })
      fixture.own = await fixture.reopen('v1')
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

async function expired<Name>(fixture: Fixture, name: Name): Promise<Name> {
  await fixture.expire()
  return name
}

/** Situations in which a resource is present for the calling tenant. */
const present: { readonly [situation: string]: Way } = {
  'its own': { arrange: async ({ own }, { place }) => await place(own, 'own') },
  'its own, under another version': {
    arrange: async (fixture, { place }) => {
      const name = await place(fixture.own, 'own')
      fixture.own = await fixture.reopen('v2')
      return name
    },
  },
  'its own, beside the same of another': {
    arrange: async ({ own, foreign }, { place }) => {
      await place(foreign, 'of the other')
      const name = await place(own, 'own')
      await place(foreign, 'of the other')
      return name
    },
  },
  'its own, after another was erased': {
    arrange: async ({ own, foreign }, { place }) => {
      const name = await place(own, 'own')
      await place(foreign, 'of the other')
      await foreign.erase({ confirm: foreign.tenant.resourceId })
      return name
    },
  },
}

/** One verb and one situation. All situations of a verb must have the same answer. */
export interface Situation {
  readonly situation: string
  /** Brings the situation about and returns what asks. */
  readonly arrange: (fixture: Fixture) => Promise<(runtime: Runtime) => Promise<unknown>>
}

/** The situations of a verb. The first of each list is the plain one: something absent, and something of one's own. */
export interface Verb {
  readonly missing: readonly Situation[]
  readonly present: readonly Situation[]
  /** Whether it answers something else to a tenant who has the resource. */
  readonly tells: boolean
}

/** All verbs of a resource with their situations. */
export function verbsOf<Name>(resource: Resource<Name>): { readonly [verb: string]: Verb } {
  const waysOf = (ways: { readonly [situation: string]: Way }) =>
    Object.entries(ways)
      .filter(([, { of }]) => of?.(resource as Resource<unknown>) ?? true)
      .map(([situation, { arrange }]) => ({ situation, name: (fixture: Fixture) => arrange(fixture, resource) }))
  const malformed = resource.malformed.map((name, number) => ({
    situation: `malformed, ${number}`,
    name: async () => name,
  }))
  const gone = waysOf(missing)
  const there = waysOf(present)
  const verb = (ask: Ask<Name>, ways: typeof gone, tells: boolean): Verb => {
    const situationOf = ({ situation, name }: (typeof gone)[number]): Situation => ({
      situation,
      arrange: async (fixture) => {
        const arranged = await name(fixture)
        return (runtime) => ask(runtime, arranged)
      },
    })
    return { missing: ways.map(situationOf), present: there.map(situationOf), tells }
  }
  const { looks, tells = {}, others = {} } = resource
  return {
    ...mapped(looks, (ask) => verb(ask, [...gone, ...malformed], true)),
    ...mapped(tells, (ask) => verb(ask, gone, true)),
    ...mapped(others, (ask) => verb(ask, gone, false)),
  }
}

function mapped<From, To>(record: { readonly [key: string]: From }, map: (value: From) => To): { [key: string]: To } {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]))
}

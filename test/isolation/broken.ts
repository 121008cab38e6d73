import { kinds } from '../../ts/common/kinds.ts'
import { InvalidInputError, type Runtime } from '../../ts/index.ts'
import type { OpenRuntime } from '../../ts/isolation/index.ts'

/** What stands around every call of a runtime. */
type Around = (call: Call) => unknown

interface Call {
  /** As `references.put`, or `query`. */
  readonly verb: string
  readonly parameters: readonly unknown[]
  readonly runtime: Runtime
  /** Makes it, with these parameters. */
  go(parameters?: readonly unknown[]): unknown
}

/** A runtime each of whose calls goes through `around`. */
function surrounded(runtime: Runtime, around: Around): Runtime {
  const through = <T extends object>(target: T, prefix: string): T =>
    // Of an empty object: what is frozen has to be shown as it is.
    new Proxy({} as T, {
      get: (_, key) => {
        const member: unknown = Reflect.get(target, key, target)
        if (typeof key === 'symbol') return member
        if (typeof member === 'function') {
          return (...parameters: unknown[]) =>
            around({
              verb: `${prefix}${key}`,
              parameters,
              runtime,
              go: (given = parameters) => Reflect.apply(member, target, given),
            })
        }
        return kinds.some((kind) => kind === key) ? through(member as object, `${key}.`) : member
      },
    })
  return through(runtime, '')
}

/** Opens runtimes through the real thing and surrounds them. */
function opening(around: Around): (real: OpenRuntime) => OpenRuntime {
  return (real) => async (spec, options) => surrounded(await real(spec, options), around)
}

const isOfKind = ({ verb }: Call) => verb.includes('.')

/** Changes what a call answers, whether it is a promise, a run or events. */
function changed(call: Call, answer: unknown, change: { value(value: unknown): unknown; error(error: Error): Error }) {
  const settled = (promise: Promise<unknown>) =>
    promise.then(change.value, (error: Error) => {
      throw change.error(error)
    })
  if (answer instanceof Promise) return settled(answer)
  if (call.verb === 'runs.resume') return { result: () => settled((answer as { result(): Promise<unknown> }).result()) }
  return (async function* () {
    try {
      for await (const event of answer as AsyncIterable<unknown>) yield change.value(event)
    } catch (error) {
      throw change.error(error as Error)
    }
  })()
}

/** Answers with something more in them. */
function telling(more: string) {
  return {
    value: (value: unknown): unknown => {
      if (more === '') return value
      if (Array.isArray(value)) return [...value, more]
      return typeof value === 'object' && value !== null ? { ...value, more } : `${value} ${more}`
    },
    error: (error: Error): Error => {
      if (more !== '') error.message += more
      return error
    },
  }
}

/** One answer that will do for every verb: a list of one, with ids of everything. */
function alike(verb: string): unknown {
  const ids = {
    id: 'ref_',
    planId: 'plan',
    approvalId: 'approval_',
    sequence: 0,
    messageId: 'msg_',
    threadId: 'thread',
  }
  const answer = Object.assign([ids], ids)
  if (verb === 'runs.resume') return { result: async () => answer }
  if (!verb.endsWith('follow')) return Promise.resolve(answer)
  return (async function* () {
    yield answer
  })()
}

/** Every answer tells what was called before, whoever called it. */
function leaking(): (real: OpenRuntime) => OpenRuntime {
  const before = new Map<string, string[]>()
  return opening((call) => {
    const { resourceId } = call.runtime.tenant
    // The two tenants of a cell have the first word of their names in common.
    const [stage = ''] = resourceId.split(' ')
    const calls = before.get(stage) ?? []
    before.set(stage, calls)
    const told = telling(calls.join())
    if (call.verb === 'close' || call.verb === 'erase') return call.go()
    calls.push(`${resourceId} ${call.verb} ${JSON.stringify(call.parameters)}`)
    const answer = call.go()
    return isOfKind(call) || call.verb === 'usage' ? changed(call, answer, told) : answer
  })
}

/** One store per process is enough for these: everybody who is called alike after tidying up has one runtime. */
function tidyingNames(): (real: OpenRuntime) => OpenRuntime {
  const opened = new Map<string, Promise<Runtime>>()
  return (real) => (spec, options) => {
    const tidied = spec.tenant.resourceId.trim().toLowerCase()
    const runtime = opened.get(tidied) ?? real(spec, options)
    opened.set(tidied, runtime)
    return runtime
  }
}

/** Whatever a host may have put before a runtime, and what of the suite finds out. `finds`: by the names of the cells. */
export const broken: {
  readonly [what: string]: { readonly open: () => (real: OpenRuntime) => OpenRuntime; readonly finds: RegExp }
} = {
  'tells what was called before': {
    open: leaking,
    finds: /(?:expired|deleted|erased|foreign|another).* is answered like|whatever is there|others keep/,
  },
  'tells what it was asked': {
    open: () =>
      opening((call) =>
        isOfKind(call) ? changed(call, call.go(), telling(JSON.stringify(call.parameters))) : call.go(),
      ),
    finds: /malformed, \d/,
  },
  'answers everything alike': {
    open: () => opening((call) => (isOfKind(call) ? alike(call.verb) : call.go())),
    finds: /is another answer than nothing/,
  },
  'keeps versions apart': {
    open: () =>
      opening((call) => {
        const isOther = isOfKind(call) && call.runtime.tenant.version !== 'v1'
        const told = telling('another version')
        return isOther ? changed(call, call.go(), told) : call.go()
      }),
    finds: /^M11/,
  },
  'begins anew when it does not know a cursor': {
    open: () =>
      opening((call) => {
        const answer = call.go()
        if (!(answer instanceof Promise)) return answer
        return answer.catch((error: unknown) => {
          const last = call.parameters.at(-1)
          const hasCursor = typeof last === 'object' && last !== null && 'cursor' in last
          if (!hasCursor || !InvalidInputError.isInstance(error)) throw error
          return call.go([...call.parameters.slice(0, -1), { ...last, cursor: undefined }])
        })
      }),
    finds: /cursors of others/,
  },
  'tidies the names of tenants': { open: tidyingNames, finds: /tenants of hostile names/ },
  'tidies the names of resources': {
    open: () =>
      opening((call) => {
        const tidy = (value: unknown) => (typeof value === 'string' ? value.normalize('NFC').toLowerCase() : value)
        return isOfKind(call) ? call.go(call.parameters.map(tidy)) : call.go()
      }),
    finds: /resources with hostile names/,
  },
  'trusts what a request says of its tenant': {
    open: () =>
      opening((call) => {
        const [request] = call.parameters
        const isObject = typeof request === 'object' && request !== null
        return call.verb === 'query' && isObject ? call.go([{ ...request, tenant: undefined }]) : call.go()
      }),
    finds: /^M7/,
  },
  'answers with what others have asked for': {
    open: () => {
      let resolved = 0
      return opening((call) => {
        if (call.verb === 'references.resolve') resolved += 1
        const told = telling(`${resolved}`)
        return call.verb === 'cache.get' ? changed(call, call.go(), told) : call.go()
      })
    },
    finds: /a neighbour is answered as ever/,
  },
  'erases whom it serves, whatever is confirmed': {
    open: () =>
      opening((call) => (call.verb === 'erase' ? call.go([{ confirm: call.runtime.tenant.resourceId }]) : call.go())),
    finds: /^B7/,
  },
}

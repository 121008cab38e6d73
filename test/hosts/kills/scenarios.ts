// What the processes that a test kills have to do, made from a seed: scenarios of one thread each, with requests, their turns and
// their calls. Each call has one end that does not depend on when, or by which process, it is reached. Pure.

/** Tools that hold their agent up while they wait. */
const suspending = ['look', 'book', 'mail', 'pay', 'flaky', 'send', 'ask', 'deliver', 'sleep', 'handover'] as const
/** Tools whose agent goes on while they wait. */
const continuing = ['askLater', 'deliverLater', 'sleepLater', 'sendLater'] as const

export const toolNames = [...suspending, ...continuing]
export type ToolName = (typeof toolNames)[number]

/**
 * How a call ends: a person approves or rejects it; what it waits for is settled with a value, with an error, or by each process with a
 * value of its own (`race`); its wait is cancelled or expires. `plain`: it is only called.
 */
export type Fate = 'plain' | 'approve' | 'reject' | 'value' | 'error' | 'race' | 'cancel' | 'expire'

export interface Call {
  readonly callId: string
  readonly tool: ToolName
  readonly fate: Fate
  /** Whether it ends only once all requests of its scenario are sent. */
  readonly isHeld: boolean
}

export interface Job {
  /** Its request key. */
  readonly key: string
  readonly whenBusy: 'queue' | 'steer'
  readonly startsAfterMs?: number
  readonly turns: readonly (readonly Call[])[]
  /** The statuses that its run may end with. */
  readonly ends: readonly ('completed' | 'steered')[]
}

export interface Scenario {
  readonly tenant: string
  readonly number: number
  readonly threadId: string
  readonly jobs: readonly Job[]
  /** Whether the thread has the same messages in the same order, whenever what happens. */
  readonly isOrdered: boolean
}

export const tenants = ['acme', 'globex', 'initech']

const waited = ['value', 'value', 'value', 'error', 'race', 'cancel'] as const
const decided = ['approve', 'approve', 'reject'] as const
const fates: Record<ToolName, readonly Fate[]> = {
  look: ['plain'],
  book: ['plain'],
  mail: ['plain'],
  pay: ['plain'],
  flaky: ['plain'],
  sleep: ['plain'],
  sleepLater: ['plain'],
  send: decided,
  sendLater: decided,
  handover: decided,
  ask: waited,
  askLater: waited,
  deliver: [...waited, 'expire'],
  deliverLater: [...waited, 'expire'],
}

/** Numbers from 0 to 1 that a seed determines (mulberry32). */
function numbersFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

class Maker {
  readonly #next: () => number
  readonly #name: string
  #jobs = 0

  constructor(seed: number, tenant: string, number: number) {
    this.#next = numbersFrom(seed + 7919 * number + 104_729 * tenants.indexOf(tenant))
    this.#name = `${tenant}-${number}`
  }

  upTo(most: number): number {
    return 1 + Math.floor(this.#next() * most)
  }

  any<T>(from: readonly T[]): T {
    return from[Math.floor(this.#next() * from.length)] as T
  }

  shuffled<T>(given: readonly T[]): T[] {
    const cards = given.map((card) => ({ card, place: this.#next() }))
    return cards.sort((one, other) => one.place - other.place).map(({ card }) => card)
  }

  /** A request whose turns call these tools in an order of chance, at most three at once. */
  job(tools: readonly ToolName[], more: { steers?: boolean; isHeld?: boolean; startsAfterMs?: number } = {}): Job {
    const key = `${this.#name}-${this.#jobs++}`
    const { steers = false, isHeld = false, startsAfterMs } = more
    const left = this.shuffled(tools)
    const turns: Call[][] = []
    while (left.length > 0) {
      const at = turns.length
      const call = (tool: ToolName, index: number): Call => ({
        callId: `${key}-${at}-${index}`,
        tool,
        fate: this.any(fates[tool]),
        isHeld,
      })
      turns.push(left.splice(0, this.upTo(3)).map(call))
    }
    const ends = steers ? (['completed', 'steered'] as const) : (['completed'] as const)
    const when = startsAfterMs === undefined ? {} : { startsAfterMs }
    return { key, whenBusy: steers ? 'steer' : 'queue', turns, ends, ...when }
  }

  some(tools: readonly ToolName[], most = 3): ToolName[] {
    return this.shuffled(tools).slice(0, this.upTo(most))
  }
}

type Jobs = Pick<Scenario, 'jobs' | 'isOrdered'>

/** The kinds of scenarios. The first four have all tools and all ways of a request. */
const kinds: readonly ((make: Maker) => Jobs)[] = [
  (make) => ({ jobs: [make.job(suspending)], isOrdered: true }),
  (make) => ({ jobs: [make.job(continuing), make.job(make.some(continuing))], isOrdered: false }),
  (make) => ({ jobs: [1, 2, 3].map(() => make.job(make.some(suspending))), isOrdered: true }),
  (make) => {
    // The first run has the thread until all of them are sent, so it takes a prompt.
    const first = make.job(['send', ...make.some(['ask', 'deliver', 'handover'])], { isHeld: true })
    const steered: Job = { ...make.job(make.some(suspending), { steers: true }), ends: ['steered'] }
    const more = make.job(make.some(suspending), { steers: true })
    return { jobs: [first, steered, more, make.job(['look'])], isOrdered: false }
  },
  (make) => ({ jobs: [make.job(make.some(suspending), { startsAfterMs: make.upTo(400) })], isOrdered: true }),
  (make) => ({ jobs: [make.job(['book', 'mail', 'pay', 'flaky', 'book', 'mail', 'pay'])], isOrdered: true }),
  (make) => {
    const jobs = [true, false, true].map((steers) => make.job(make.some(suspending), { steers }))
    return { jobs: [make.job(make.some(suspending)), ...jobs], isOrdered: false }
  },
  (make) => {
    const startsAfterMs = make.upTo(300)
    const mixed = () => make.some(toolNames)
    const jobs = [make.job(mixed(), { startsAfterMs }), make.job(mixed(), { steers: true }), make.job(mixed())]
    return { jobs: make.shuffled(jobs), isOrdered: false }
  },
]

export function scenarioOf(seed: number, tenant: string, number: number): Scenario {
  const kind = kinds[number % kinds.length] as (typeof kinds)[number]
  return { tenant, number, threadId: `${tenant}-${number}`, ...kind(new Maker(seed, tenant, number)) }
}

export function callsOf({ jobs }: Pick<Scenario, 'jobs'>): Call[] {
  return jobs.flatMap(({ turns }) => turns.flat())
}

/** What a request asks for, as its prompt says it. */
export function promptOf({ key, turns }: Job): string {
  return JSON.stringify({ job: key, turns })
}

export function jobIn(prompt: string): { readonly job: string; readonly turns: Call[][] } {
  return JSON.parse(prompt)
}

/** What a call is given, what a wait of it is named, and what an approver reads. */
export function subjectOf({ callId, fate, isHeld }: Call): string {
  return `${callId} ${fate} ${isHeld ? 'held' : 'free'}`
}

export function calledWith(subject: string): Omit<Call, 'tool'> & { readonly threadId: string } {
  const [callId = '', fate = '', held] = subject.split(' ')
  const threadId = callId.split('-').slice(0, 2).join('-')
  return { callId, threadId, fate: fate as Fate, isHeld: held === 'held' }
}

/** What settles a wait of this call. `process`: the name of the process that does. */
export function settledWith({ callId, fate }: Pick<Call, 'callId' | 'fate'>, process: string) {
  if (fate === 'error') return { error: { code: 'DECLINED', message: `Not ${callId}.` } }
  return { value: fate === 'race' ? `${process} was first` : `for ${callId}` }
}

/** What must be true of a call in the end. */
export interface Expected {
  /** Its result, `!` and a code for a failure. Absent: several are possible. */
  readonly result?: string
  /** The statuses of its waits, the first first. */
  readonly waits: readonly string[]
  /** How often its handler is called for each of its turns: the first, and one after each wait. */
  readonly turns: readonly Effects[]
}

/** `once`: exactly. `again`: at least once, and once more for each process that was killed in it. `atMostOnce`: as it is. `never`. */
export type Effects = 'once' | 'again' | 'atMostOnce' | 'never'

const closedAs: Partial<Record<Fate, string>> = { cancel: 'cancelled', expire: 'expired' }

export function expectedOf({ callId, tool, fate }: Call): Expected {
  switch (tool) {
    case 'mail':
      return { waits: [], turns: ['atMostOnce'] }
    case 'pay':
      return { waits: [], turns: ['once'] }
    case 'sleep':
    case 'sleepLater':
      return { result: `${tool} ${callId}`, waits: ['settled'], turns: ['again', 'again'] }
    case 'ask':
    case 'askLater':
      return { ...endOf(callId, fate, '!DECLINED'), waits: [closedAs[fate] ?? 'settled'], turns: [] }
    case 'deliver':
    case 'deliverLater': {
      const waits = [closedAs[fate] ?? 'settled']
      return { ...endOf(callId, fate, 'DECLINED'), waits, turns: ['again', fate === 'cancel' ? 'never' : 'again'] }
    }
    case 'handover':
      if (fate === 'reject') break
      return { result: `${tool} ${callId}`, waits: ['settled', 'settled'], turns: ['again', 'again', 'again'] }
    default:
  }
  if (fate === 'reject') return { result: '!REJECTED', waits: [], turns: ['never'] }
  return { result: `${tool} ${callId}`, waits: [], turns: ['again'] }
}

/** The result of a call that waits for an answer or an event. That of a race is nobody's to foresee. */
function endOf(callId: string, fate: Fate, failure: string): { readonly result?: string } {
  if (fate === 'race') return {}
  if (fate === 'cancel') return { result: '!WAIT_CANCELLED' }
  if (fate === 'expire') return { result: 'expired' }
  return { result: fate === 'error' ? failure : `for ${callId}` }
}

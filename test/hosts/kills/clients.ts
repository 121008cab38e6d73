// Everybody outside: senders of requests, people who decide and answer, services that report. Each does its part again after a kill,
// in any process, without knowing whether the process before had done it.
import { isDeepStrictEqual } from 'node:util'
import { type Approval, BailiwickError, type Page, type Runtime, type WaitRecord } from 'bailiwick'
import { lastWords, moment } from './agent.ts'
import { calledWith, callsOf, type Job, promptOf, type Scenario, scenarioOf, settledWith } from './scenarios.ts'
import type { World } from './world.ts'

const ended = ['completed', 'steered']

/** All items of a list. */
export async function all<T>(page: (cursor?: string) => Promise<Page<T>>): Promise<T[]> {
  const items: T[] = []
  let cursor: string | undefined
  do {
    const next = await page(cursor)
    items.push(...next.items)
    cursor = next.cursor
  } while (cursor !== undefined)
  return items
}

/** A page of a list that begins at a cursor. */
export function from(cursor: string | undefined): { readonly limit: number; readonly cursor?: string } {
  return cursor === undefined ? { limit: 100 } : { limit: 100, cursor }
}

async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work
    return undefined
  } catch (error) {
    if (BailiwickError.isInstance(error)) return error.code
    throw error
  }
}

/** Plays with one tenant's chances. */
export class Clients {
  readonly #runtime: Runtime
  readonly #tenant: string
  readonly #world: World
  readonly #seed: number
  readonly #process: string

  constructor(runtime: Runtime, tenant: string, world: World, seed: number, process: string) {
    this.#runtime = runtime
    this.#tenant = tenant
    this.#world = world
    this.#seed = seed
    this.#process = process
  }

  /** Works until no more scenarios are to be started and none is open. `atOnce`: how many are open at a time. */
  async work(atOnce: number, mayStart: (number: number) => boolean): Promise<void> {
    const playing = new Map<number, Promise<void>>()
    for (;;) {
      this.#world.refresh()
      const next = this.#world.next(this.#tenant)
      const open = this.#world.open(this.#tenant)
      if (open.length < atOnce && mayStart(next)) {
        this.#world.append({ type: 'started', tenant: this.#tenant, number: next })
      } else if (open.length === 0 && playing.size === 0) return
      for (const number of open) {
        if (playing.has(number)) continue
        const played = this.#play(scenarioOf(this.#seed, this.#tenant, number))
        playing.set(number, played)
        played.then(() => playing.delete(number))
      }
      for (const approval of (await this.#runtime.approvals.pending({ limit: 100 })).items) await this.#decide(approval)
      for (const wait of (await this.#runtime.waits.list({ limit: 100 })).items) await this.#settle(wait)
      await moment(80)
    }
  }

  /** Sends the requests of a scenario, and waits until its thread has all of their results. */
  async #play(scenario: Scenario): Promise<void> {
    const { jobs, threadId, tenant, number } = scenario
    for (let round = 1; ; round += 1) {
      this.#world.refresh()
      const next = jobs.find(({ key }) => !this.#world.sent.has(key))
      if (next !== undefined && Math.random() < 0.5) await this.#send(scenario, next, false)
      // A sender that was not told of its success sends the same again. A run may go on by this, so half of the scenarios do without.
      const before = jobs.filter(({ key }) => this.#world.sent.has(key) && !this.#world.sentAgain.has(key))
      const again = number % 2 === 0 ? undefined : before[Math.floor(Math.random() * before.length * 10)]
      if (again !== undefined) await this.#send(scenario, again, true)
      if (next === undefined && (await this.#isOver(scenario))) {
        this.#world.append({ type: 'finished', tenant, number })
        console.log('finished')
        return
      }
      if (round % 10 === 0) await this.#settleAll(threadId)
      await moment(160)
    }
  }

  async #send({ threadId }: Scenario, job: Job, isAgain: boolean): Promise<void> {
    const { key: requestKey, whenBusy, startsAfterMs } = job
    const when = startsAfterMs === undefined ? {} : { startAt: Date.now() + startsAfterMs }
    const run = this.#runtime.query({ threadId, requestKey, whenBusy, prompt: promptOf(job), ...when })
    run.result().catch((error) => console.error(`The request ${requestKey} was refused:`, error))
    while ((await codeOf(this.#runtime.runs.get(run.runId))) !== undefined) await moment(4)
    this.#world.append({ type: 'sent', key: requestKey, runId: run.runId, isAgain })
    console.log('sent')
  }

  async #isOver(scenario: Scenario): Promise<boolean> {
    const { threadId } = scenario
    const runs = await all((cursor) => this.#runtime.runs.list({ threadId, ...from(cursor) }))
    for (const { runId, status } of runs) {
      if (status === 'failed' || status === 'limited' || status === 'cancelled') {
        throw new Error(`The run ${runId} of ${threadId} is ${status}.`)
      }
    }
    if (!runs.every(({ status }) => ended.includes(status))) return false
    const messages = await all((cursor) => this.#runtime.threads.messages(threadId, from(cursor)))
    const last = messages.at(-1)
    const words = last?.role === 'assistant' && last.parts[0]?.type === 'text' ? last.parts[0].text : ''
    return words === lastWords(callsOf(scenario).map(({ callId }) => callId))
  }

  async #settleAll(threadId: string): Promise<void> {
    for (const { runId } of await all((cursor) => this.#runtime.runs.list({ threadId, ...from(cursor) }))) {
      const waits = await all((cursor) => this.#runtime.waits.list({ runId, ...from(cursor) }))
      for (const wait of waits) await this.#settle(wait)
    }
  }

  /** Whether all requests of a thread must be sent first, and are not. */
  #isEarly(threadId: string, isHeld: boolean): boolean {
    if (!isHeld) return false
    const { jobs } = scenarioOf(this.#seed, this.#tenant, Number(threadId.split('-')[1]))
    return !jobs.every(({ key }) => this.#world.sent.has(key))
  }

  /** Decides, sometimes later and by another process. A payment that was interrupted is made again unless it was made. */
  async #decide({ approvalId, subject }: Approval): Promise<void> {
    if (!('tool' in subject)) throw new Error(`The approval ${approvalId} has no call.`)
    this.#world.refresh()
    const { subject: text } = subject.input as { subject: string }
    const { callId, threadId, fate, isHeld } = calledWith(text)
    if (this.#isEarly(threadId, isHeld) || Math.random() < 0.4) return
    const isGood = subject.tool === 'pay' ? !this.#world.called.has(callId) : fate === 'approve'
    const decision = isGood ? 'approve' : 'reject'
    const code = await codeOf(this.#runtime.approvals.respond(approvalId, { decision, actor: 'kim' }))
    if (code === undefined) this.#world.append({ type: 'decided', approvalId, callId })
    else if (code !== 'APPROVAL_CLOSED') throw new Error(`The approval of ${callId} could not be decided: ${code}`)
    console.log('decided')
    const again = await codeOf(this.#runtime.approvals.respond(approvalId, { decision, actor: 'lee' }))
    if (again !== 'APPROVAL_CLOSED') throw new Error(`The approval of ${callId} was decided twice.`)
  }

  /** Settles an open wait, sometimes later and by another process; and tries to change one that is closed. */
  async #settle(wait: WaitRecord): Promise<void> {
    const { waitId, kind, status } = wait
    if (kind === 'time') return
    const { callId, threadId, fate, isHeld } = calledWith(wait.question ?? wait.name ?? '')
    const isOpen = status === 'open'
    if (Math.random() < (isOpen ? 0.4 : 0.995) || this.#isEarly(threadId, isHeld)) return
    if (!isOpen) return await this.#again(wait)
    if (fate === 'expire') return
    if (fate === 'cancel') {
      if (await this.#runtime.waits.cancel(waitId)) console.log('cancelled')
      return
    }
    const outcome = settledWith({ callId, fate }, this.#process)
    const first = await this.#tell(waitId, callId, outcome, false)
    // With values of their own, processes compete.
    if (first === undefined && fate !== 'race')
      throw new Error(`The wait of ${callId} was settled with something else.`)
    if (first === undefined || Math.random() < 0.5) return
    const second = await this.#tell(waitId, callId, outcome, true)
    if (!isDeepStrictEqual(second, first)) {
      const [was, is] = [first, second].map((record) => JSON.stringify(record))
      throw new Error(`The wait of ${callId} was settled again with another answer:\n${was}\n${is}`)
    }
    await this.#refuse(waitId, callId)
  }

  /** The same again is the same answer, for as long as the wait is kept. Another is refused. */
  async #again({ waitId, status, ...wait }: WaitRecord): Promise<void> {
    const { callId } = calledWith(wait.question ?? wait.name ?? '')
    const known = this.#world.settled.get(waitId)
    if (status === 'settled' && known !== undefined) {
      const same = await this.#tell(waitId, callId, JSON.parse(known), true)
      if (same?.status !== 'settled') throw new Error(`The wait of ${callId} does not know how it was settled.`)
    }
    await this.#refuse(waitId, callId)
  }

  async #tell(
    waitId: string,
    callId: string,
    outcome: ReturnType<typeof settledWith>,
    isAgain: boolean,
  ): Promise<WaitRecord | undefined> {
    try {
      const record = await this.#runtime.waits.settle(waitId, outcome as { value: string }, { actor: 'kim' })
      this.#world.append({ type: 'settled', waitId, callId, outcome: JSON.stringify(outcome), isAgain })
      if (!isAgain) console.log('settled')
      return record
    } catch (error) {
      if (BailiwickError.isInstance(error) && error.code === 'WAIT_CLOSED') return undefined
      throw error
    }
  }

  async #refuse(waitId: string, callId: string): Promise<void> {
    const code = await codeOf(this.#runtime.waits.settle(waitId, { value: 'another' }, { actor: 'kim' }))
    if (code !== 'WAIT_CLOSED') throw new Error(`The wait of ${callId} was settled twice: ${code}`)
    this.#world.append({ type: 'refused', waitId })
  }
}

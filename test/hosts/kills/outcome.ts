// Compares what a store and the world hold with what the scenarios say. Pure.
import type { Part } from 'bailiwick'
import { lastWords } from './agent.ts'
import type { ThreadReport } from './report.ts'
import { type Call, callsOf, type Effects, expectedOf, jobIn, type Scenario, settledWith } from './scenarios.ts'
import type { CalledLine, Line } from './world.ts'

type ResultPart = Extract<Part, { type: 'tool-result' }>

/** Calls whose result says whether a process was killed in them. */
const uncertain = ['mail', 'pay']

/** The result of a call as the scenarios write it: a text, or `!` and a code. */
function shown({ result, isError }: ResultPart): string {
  if (isError !== true) return typeof result === 'string' ? result : JSON.stringify(result)
  const { error } = result as { error?: { code?: string } }
  return `!${error?.code}`
}

/** One text for each message. Ids and times are left out, and results that came at different times are put together. */
export function conversation({ messages }: ThreadReport, tools: ReadonlyMap<string, string>): string[] {
  const texts: string[] = []
  let results: string[] = []
  const endResults = () => {
    if (results.length > 0) texts.push(`results ${results.sort().join(', ')}`)
    results = []
  }
  for (const { role, parts } of messages) {
    if (role !== 'tool') endResults()
    const said = parts.map((part) => {
      if (part.type === 'tool-call') return `${part.tool} ${JSON.stringify(part.input)}`
      if (part.type !== 'tool-result') return part.type === 'text' ? part.text : part.type
      const result = uncertain.includes(tools.get(part.callId) ?? '') ? '' : shown(part)
      return `${part.callId} ${part.state ?? ''} ${result.replace(/^[\w-]+ was first$/, 'a process was first')}`
    })
    if (role === 'tool') results.push(...said)
    else texts.push(`${role} ${said.join(', ')}`)
  }
  endResults()
  return texts
}

/** What must be the same whenever a process is killed. */
export function outcomeOf(scenario: Scenario, report: ThreadReport): unknown {
  const calls = callsOf(scenario)
  const tools = new Map(calls.map(({ callId, tool }) => [callId, tool]))
  const texts = conversation(report, tools)
  const waits = report.waits.map(({ callId, status }) => `${callId} ${status}`).sort()
  if (scenario.isOrdered) return { texts, waits, usage: report.runs.map(({ usage }) => usage) }
  // Where a prompt is handed over, or an agent goes on, chance says which message comes first.
  const results = report.messages.flatMap(({ parts }) => parts).filter((part) => part.type === 'tool-result')
  const told = results.filter(({ state }) => state !== 'waiting').map(({ callId }) => callId)
  return {
    asked: texts.filter((text) => text.startsWith('user')).sort(),
    made: report.messages
      .flatMap(({ parts }) => parts.flatMap((part) => (part.type === 'tool-call' ? [part.callId] : [])))
      .sort(),
    told: told.sort(),
    last: texts.at(-1),
    waits,
  }
}

/** What there is to say of a store. */
export interface Judgement {
  readonly problems: readonly string[]
  /** Handlers called, and those of them that were called again after a process was killed in them. */
  readonly effects: number
  readonly repeated: number
}

/** Whether a store and the world are as the scenarios of a seed say. `isAlone`: no two processes worked at a time. */
export function judge(
  scenarios: readonly Scenario[],
  reports: readonly ThreadReport[],
  lines: readonly Line[],
  isAlone: boolean,
): Judgement {
  const sent = new Map<string, string>()
  const problems: string[] = []
  for (const line of lines) {
    if (line.type !== 'sent') continue
    if ((sent.get(line.key) ?? line.runId) !== line.runId) problems.push(`${line.key} has several runs`)
    sent.set(line.key, line.runId)
  }
  for (const [at, scenario] of scenarios.entries()) {
    const report = reports[at]
    if (report !== undefined) problems.push(...problemsOf(scenario, report, sent))
  }
  const { problems: effected, ...figures } = effectsOf(scenarios, reports, lines, isAlone)
  return { problems: [...problems, ...effected], ...figures }
}

function sameTexts(one: readonly string[], other: readonly string[]): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

/** What is wrong with a thread, its runs and its waits. */
function problemsOf(scenario: Scenario, report: ThreadReport, sent: ReadonlyMap<string, string>): string[] {
  const problems: string[] = []
  const { jobs, isOrdered, threadId } = scenario
  const { messages, runs, waits } = report
  const calls = callsOf(scenario)
  const check = (isRight: boolean, problem: string) => {
    if (!isRight) problems.push(`${threadId}: ${problem}`)
  }

  const statuses = new Map<string, string>(runs.map(({ runId, status }) => [runId, status]))
  for (const { key, ends } of jobs) {
    const status = statuses.get(sent.get(key) ?? '') ?? 'absent'
    check((ends as readonly string[]).includes(status), `the run of ${key} is ${status}`)
  }
  check(
    messages.every(({ runId = '' }) => statuses.has(runId)),
    'a message is of no run',
  )
  for (const { runId, status } of runs) check(/^(completed|steered)$/.test(status), `${runId} is ${status}`)
  check(!isOrdered || runs.length === jobs.length, `there are ${runs.length} runs for ${jobs.length} requests`)

  const prompts = messages
    .filter(({ role }) => role === 'user')
    .map(({ parts }) => (parts[0]?.type === 'text' ? parts[0].text : ''))
  const asked = prompts.map((prompt) => jobIn(prompt).job)
  check(sameTexts([...asked].sort(), jobs.map(({ key }) => key).sort()), `the requests on the thread are ${asked}`)
  for (const way of ['queue', 'steer'] as const) {
    const inTurn = jobs.filter(({ whenBusy, startsAfterMs }) => whenBusy === way && startsAfterMs === undefined)
    const keys = inTurn.map(({ key }) => key)
    const order = asked.filter((key) => keys.includes(key))
    check(sameTexts(order, keys), `the requests of ${way} came in the order ${order}`)
  }

  const last = messages.at(-1)
  const words = last?.role === 'assistant' && last.parts[0]?.type === 'text' ? last.parts[0].text : ''
  check(words === lastWords(calls.map(({ callId }) => callId)), `the last words are ${JSON.stringify(words)}`)

  const parts = messages.flatMap(({ role, parts }) => parts.map((part) => ({ role, part })))
  const known = new Set(calls.map(({ callId }) => callId))
  for (const { part } of parts) {
    if ('callId' in part) check(known.has(part.callId), `nobody asked for the call ${part.callId}`)
  }
  for (const call of calls) {
    const { callId } = call
    const made = parts.filter(({ part }) => part.type === 'tool-call' && part.callId === callId)
    check(made.length === 1, `${callId} is called ${made.length} times`)
    const results = parts.flatMap(({ role, part }) =>
      part.type === 'tool-result' && part.callId === callId ? [{ role, part }] : [],
    )
    const told = results.filter(({ part }) => part.state !== 'waiting')
    check(told.length === 1 && told[0]?.role === 'tool', `the result of ${callId} is told ${told.length} times`)
    check(results.length - told.length <= 1, `${callId} is said to wait ${results.length - told.length} times`)
    const expected = expectedOf(call)
    const result = told[0] === undefined ? '' : shown(told[0].part)
    if (expected.result !== undefined) check(result === expected.result, `the result of ${callId} is ${result}`)
    const own = waits.filter((wait) => wait.callId === callId).sort((a, b) => a.createdAt - b.createdAt)
    const ends = own.map(({ status }) => status)
    check(sameTexts(ends, expected.waits), `the waits of ${callId} are ${ends}`)
  }
  check(
    waits.every(({ callId }) => known.has(callId)),
    'there is a wait of no call',
  )
  return problems
}

const least: Record<Effects, number> = { once: 1, again: 1, atMostOnce: 0, never: 0 }
const most: Record<Effects, number> = { once: 1, again: Number.POSITIVE_INFINITY, atMostOnce: 1, never: 0 }

/** Whether the tools did what the scenarios say. `isAlone`: no two processes work at a time. */
function effectsOf(
  scenarios: readonly Scenario[],
  reports: readonly ThreadReport[],
  lines: readonly Line[],
  isAlone: boolean,
): Judgement {
  const problems: string[] = []
  const called = new Map<string, CalledLine[]>()
  const settled = new Map<string, Set<string>>()
  const told = new Set<string>()
  for (const line of lines) {
    if (line.type === 'told') told.add(line.callId)
    if (line.type === 'settled') settled.set(line.callId, (settled.get(line.callId) ?? new Set()).add(line.outcome))
    if (line.type !== 'called') continue
    if (told.has(line.callId)) problems.push(`${line.callId} was called after its model was told the result`)
    called.set(line.callId, [...(called.get(line.callId) ?? []), line])
  }
  let [effects, repeated] = [0, 0]
  for (const [at, scenario] of scenarios.entries()) {
    const results = new Map(
      reports[at]?.messages.flatMap(({ parts }) =>
        parts.flatMap((part) =>
          part.type === 'tool-result' && part.state !== 'waiting' ? [[part.callId, shown(part)] as const] : [],
        ),
      ),
    )
    for (const call of callsOf(scenario)) {
      const own = called.get(call.callId) ?? []
      effects += own.length
      repeated += own.length - new Set(own.map(({ turn }) => turn)).size
      const outcomes = [...(settled.get(call.callId) ?? [])]
      problems.push(...problemsOfCall(call, own, results.get(call.callId) ?? '', outcomes, isAlone))
      // A call that its run has left open may be made again by the next run of the thread.
      const runs = new Set(own.map(({ runId }) => runId))
      if (scenario.isOrdered && runs.size > 1) problems.push(`${call.callId} was called in several runs`)
    }
  }
  return { problems, effects, repeated }
}

function problemsOfCall(
  call: Call,
  called: readonly CalledLine[],
  result: string,
  outcomes: readonly string[],
  isAlone: boolean,
): string[] {
  const { callId, fate, tool } = call
  const problems: string[] = []
  const check = (isRight: boolean, problem: string) => {
    if (!isRight) problems.push(`${callId}: ${problem}`)
  }
  const { turns } = expectedOf(call)
  const distinct = (of: (line: CalledLine) => string | undefined) => new Set(called.map(of)).size
  check(distinct(({ idempotencyKey }) => idempotencyKey) <= 1, 'it has several idempotency keys')
  check(
    called.every(({ turn }) => turn < turns.length),
    'its handler was called again without a wait',
  )
  for (const [turn, often] of turns.entries()) {
    const own = called.filter((line) => line.turn === turn)
    check(own.length >= least[often] && own.length <= most[often], `turn ${turn} was called ${own.length} times`)
    const ends = new Set(own.map(({ resumed }) => resumed))
    check(ends.size <= 1, `turn ${turn} was told ${ends.size} ends of its wait`)
    const processes = new Set(own.map(({ process }) => process))
    check(!isAlone || processes.size === own.length, `one process called turn ${turn} several times`)
  }
  if (tool === 'mail') check(result.startsWith('!') || called.length === 1, 'it has a result and was not called')
  if (tool === 'pay') check(result === `pay ${callId}` || result === '!REJECTED', `its result is ${result}`)
  check(outcomes.length <= 1, `it was settled with ${outcomes}`)
  if (fate === 'race' && outcomes[0] !== undefined) {
    check(JSON.parse(outcomes[0]).value === result, `its result is ${result}, and it was settled with ${outcomes}`)
  }
  if (fate === 'race') check(/^[\w-]+ was first$/.test(result), `its result is ${result}`)
  const told = called.find(({ turn }) => turn === 1)?.resumed
  if (fate === 'value' && told !== undefined) {
    const { value } = settledWith(call, '') as { value?: string }
    check(JSON.parse(told).value === value, `its handler was told ${told}`)
  }
  return problems
}

import { runStatuses } from '../../../common/run-statuses.ts'
import { emptyNotice, isEmpty } from '../../../inspect/emptiness.ts'
import { type Story, storiesOf } from '../../../inspect/view/stories.ts'
import { clipped } from '../../../inspect/view/values.ts'
import type { Runtime } from '../../../tenant/runtime.ts'
import type { JournaledEvent } from '../../../types/events.ts'
import type { RunStatus } from '../../../types/runs.ts'
import { type Command, Exit, type Outcome, UsageError, type Words } from '../../command.ts'
import { storeNotes } from '../../place.ts'
import { printable } from '../../printable.ts'
import { tenantNotes, tenantOptions, withTenantOf } from '../../tenant.ts'

const MOST_LISTED = 1000
const PAGE = 100

/** Lists the runs of one tenant, or tells one. */
export const runs: Command = {
  summary: 'Lists the runs of one tenant with request and answer, or prints the events of one run.',
  operands: ['store'],
  optional: ['run id'],
  options: {
    ...tenantOptions,
    status: {
      value: 'status',
      help: `only those that are ${runStatuses.slice(0, -1).join(', ')} or ${runStatuses.at(-1)}`,
    },
    limit: { value: 'number', help: `how many at most, newest first; default 20, at most ${MOST_LISTED}` },
  },
  notes: [
    storeNotes,
    tenantNotes,
    '',
    'Exit codes: 0 shown, 1 no such run, or no data for this tenant, 2 could not be shown.',
    '',
    'Examples:',
    '  bailiwick runs ./data --tenant acme --status suspended',
    '  bailiwick runs ./data run_… --tenant acme --json',
  ].join('\n'),
  run: async (words) => {
    const [store = '', runId] = words.operands
    const [status, limit] = [statusOf(words.options), limitOf(words.options)]
    if (runId !== undefined && (status !== undefined || words.options['limit'] !== undefined)) {
      throw new UsageError('--status and --limit are for lists, and a run was named.')
    }
    return await withTenantOf(store, words, ({ runtime }) =>
      runId === undefined ? list(runtime, status, limit) : one(runtime, runId),
    )
  },
}

function statusOf({ status }: Words['options']): RunStatus | undefined {
  const found = runStatuses.find((one) => one === status)
  if (status !== undefined && found === undefined)
    throw new UsageError(`--status is none of ${runStatuses.join(', ')}.`)
  return found
}

function limitOf({ limit }: Words['options']): number {
  if (typeof limit !== 'string') return 20
  if (!/^[1-9]\d{0,3}$/.test(limit) || Number(limit) > MOST_LISTED) {
    throw new UsageError(`--limit is no number from 1 to ${MOST_LISTED}.`)
  }
  return Number(limit)
}

async function list(runtime: Runtime, status: RunStatus | undefined, limit: number): Promise<Outcome> {
  const stories: Story[] = []
  let cursor: string | undefined
  do {
    const page = await runtime.runs.list({
      limit: Math.min(PAGE, limit - stories.length),
      ...(status === undefined ? {} : { status }),
      ...(cursor === undefined ? {} : { cursor }),
    })
    stories.push(...(await storiesOf(runtime, page.items)))
    cursor = page.cursor
  } while (cursor !== undefined && stories.length < limit)
  if (stories.length === 0 && (await isEmpty(runtime))) {
    return { exit: Exit.doesNotHold, lines: [emptyNotice], json: { runs: [], more: false } }
  }
  const none = status === undefined ? 'There are no runs for this name.' : `There is no ${status} run for this name.`
  const lines = stories.flatMap(storyLines)
  const more = cursor === undefined ? [] : [`and more: --limit ${Math.min(limit * 2, MOST_LISTED)} shows older ones`]
  return {
    exit: Exit.holds,
    lines: stories.length === 0 ? [none] : [...lines, ...more],
    json: { runs: stories.map(({ run, ...said }) => ({ ...run, ...said })), more: cursor !== undefined },
  }
}

function storyLines({ run, question, answer }: Story): string[] {
  const actor = run.actor === undefined ? '' : ` for ${printable(run.actor)}`
  return [
    `${run.runId}  ${run.status}  ${time(run.startedAt)}  ${printable(run.agent)}${actor}`,
    ...(question === undefined ? [] : [`  asked   ${printable(clipped(question))}`]),
    ...(answer === undefined ? [] : [`  answer  ${printable(clipped(answer))}`]),
  ]
}

async function one(runtime: Runtime, runId: string): Promise<Outcome> {
  const { unlessGone } = await import('../../../inspect/view/gone.ts')
  const run = await unlessGone(runtime.runs.get(runId))
  if (run === undefined) {
    const message = 'There is no run with this id for this name.'
    return { exit: Exit.doesNotHold, lines: [message], json: { run: null } }
  }
  const events = await eventsOf(runtime, runId)
  const [story = { run }] = await storiesOf(runtime, [run])
  const lines = events.map(
    ({ runId: _, sequence, at, type, agent, ...rest }) =>
      `  ${sequence}  +${Math.max(0, at - run.startedAt)} ms  ${type}${agent === undefined ? '' : ` ${printable(agent)}`}${
        Object.keys(rest).length === 0 ? '' : `  ${printable(clipped(JSON.stringify(rest), 400))}`
      }`,
  )
  return {
    exit: Exit.holds,
    lines: [...storyLines(story), `  thread  ${printable(run.threadId)}`, ...lines],
    json: { run, events },
  }
}

/** All events of a run, oldest first. */
export async function eventsOf(runtime: Runtime, runId: string): Promise<JournaledEvent[]> {
  const events: JournaledEvent[] = []
  let cursor: string | undefined
  do {
    const page = await runtime.traces.list({ runId, limit: PAGE, ...(cursor === undefined ? {} : { cursor }) })
    events.push(...(page.items as JournaledEvent[]))
    cursor = page.cursor
  } while (cursor !== undefined)
  return events.reverse()
}

function time(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}

import { runStatuses } from '../../../common/run-statuses.ts'
import { emptyNotice, isEmpty } from '../../../inspect/emptiness.ts'
import { type Story, storiesOf } from '../../../inspect/view/stories.ts'
import { clipped } from '../../../inspect/view/values.ts'
import type { Runtime } from '../../../tenant/runtime.ts'
import type { JournaledEvent } from '../../../types/events.ts'
import type { RunStatus } from '../../../types/runs.ts'
import { type Command, Exit, type Outcome, UsageError } from '../../command.ts'
import { limitOf, limitOption, listed, oneOf } from '../../listing.ts'
import { storeNotes } from '../../place.ts'
import { printable } from '../../printable.ts'
import { tenantNotes, tenantOptions, withTenantOf } from '../../tenant.ts'

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
    limit: limitOption,
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
    const [status, limit] = [oneOf(words.options, 'status', runStatuses), limitOf(words.options)]
    if (runId !== undefined && (status !== undefined || words.options['limit'] !== undefined)) {
      throw new UsageError('--status and --limit are for lists, and a run was named.')
    }
    return await withTenantOf(store, words, ({ runtime }) =>
      runId === undefined ? list(runtime, status, limit) : one(runtime, runId),
    )
  },
}

async function list(runtime: Runtime, status: RunStatus | undefined, limit: number): Promise<Outcome> {
  const { items: stories, more } = await listed(limit, async (page) => {
    const { items, cursor } = await runtime.runs.list({ ...page, ...(status === undefined ? {} : { status }) })
    return { items: await storiesOf(runtime, items), ...(cursor === undefined ? {} : { cursor }) }
  })
  if (stories.length === 0 && (await isEmpty(runtime))) {
    return { exit: Exit.doesNotHold, lines: [emptyNotice], json: { runs: [], more: false } }
  }
  const none = status === undefined ? 'There are no runs for this name.' : `There is no ${status} run for this name.`
  const lines = stories.flatMap(storyLines)
  return {
    exit: Exit.holds,
    lines: stories.length === 0 ? [none] : [...lines, ...more],
    json: { runs: stories.map(({ run, ...said }) => ({ ...run, ...said })), more: more.length > 0 },
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

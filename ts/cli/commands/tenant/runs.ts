import { runStatuses } from '../../../common/run-statuses.ts'
import { emptyNotice, isEmpty } from '../../../inspect/emptiness.ts'
import { unlessGone } from '../../../inspect/view/gone.ts'
import { type Story, storiesOf } from '../../../inspect/view/stories.ts'
import { clipped } from '../../../inspect/view/values.ts'
import type { Runtime } from '../../../tenant/runtime.ts'
import type { JournaledEvent } from '../../../types/events.ts'
import type { RunStatus } from '../../../types/runs.ts'
import { type Command, Exit, type Outcome, UsageError, type Words } from '../../command.ts'
import { limitOf, limitOption, listed, oneOf } from '../../listing.ts'
import { storeNotes } from '../../place.ts'
import { printable } from '../../printable.ts'
import { tenantNotes, tenantOptions, withTenantOf } from '../../tenant.ts'
import { cancelRun, noRun, type RunAct, resumeRun } from './run-acts.ts'

const PAGE = 100

/** Lists the runs of one tenant, tells one, makes one due, or cancels one. */
export const runs: Command = {
  summary: 'Lists the runs of one tenant with request and answer, or prints, resumes or cancels one run.',
  operands: ['store'],
  optional: ['run id'],
  options: {
    ...tenantOptions,
    status: {
      value: 'status',
      help: `only those that are ${runStatuses.slice(0, -1).join(', ')} or ${runStatuses.at(-1)}`,
    },
    limit: limitOption,
    resume: { help: 'makes the run due if it can go on, for a host to take it up' },
    cancel: { help: 'ends the run: its approvals are withdrawn, its waits closed' },
  },
  notes: [
    storeNotes,
    tenantNotes,
    '',
    'Exit codes: 0 done, 1 no such run, it has ended or still waits, or no data for this tenant, 2 could not be done.',
    '',
    'Examples:',
    '  bailiwick runs ./data --tenant acme --status suspended',
    '  bailiwick runs ./data run_… --tenant acme --json',
    '  bailiwick runs ./data run_… --tenant acme --cancel',
  ].join('\n'),
  run: async (words) => {
    const [store = '', runId] = words.operands
    const [status, limit] = [oneOf(words.options, 'status', runStatuses), limitOf(words.options)]
    const act = actOf(words.options, runId)
    return await withTenantOf(store, words, ({ runtime }) =>
      runId === undefined ? list(runtime, status, limit) : act(runtime, runId),
    )
  },
}

/** @throws UsageError for options that do not go together */
function actOf({ resume, cancel, status, limit }: Words['options'], runId: string | undefined): RunAct {
  if (runId !== undefined && (status !== undefined || limit !== undefined)) {
    throw new UsageError('--status and --limit are for lists, and a run was named.')
  }
  if (resume === undefined && cancel === undefined) return one
  if (runId === undefined) throw new UsageError('--resume and --cancel need the id of a run.')
  if (resume !== undefined && cancel !== undefined) throw new UsageError('Give either --resume or --cancel.')
  return resume === undefined ? cancelRun : resumeRun
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
  const run = await unlessGone(runtime.runs.get(runId))
  if (run === undefined) return noRun
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

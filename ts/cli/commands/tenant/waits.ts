import { BailiwickError } from '../../../errors/index.ts'
import { emptyNotice, isEmpty } from '../../../inspect/emptiness.ts'
import { unlessGone } from '../../../inspect/view/gone.ts'
import { clipped } from '../../../inspect/view/values.ts'
import type { Runtime } from '../../../tenant/runtime.ts'
import type { JsonValue } from '../../../types/json.ts'
import type { WaitKind, WaitRecord } from '../../../types/waits.ts'
import { type Command, Exit, type Outcome, UsageError, type Words } from '../../command.ts'
import { limitOf, limitOption, listed, oneOf } from '../../listing.ts'
import { storeNotes } from '../../place.ts'
import { printable } from '../../printable.ts'
import { tenantNotes, tenantOptions, withTenantOf } from '../../tenant.ts'

const kinds: readonly WaitKind[] = ['answer', 'event', 'time']

/** Lists the waits of one tenant, or shows, settles or cancels one. */
export const waits: Command = {
  summary: 'Lists the calls of one tenant that wait, or shows, settles or cancels one.',
  operands: ['store'],
  optional: ['wait id'],
  options: {
    ...tenantOptions,
    kind: { value: 'kind', help: 'only those for an answer, an event or a time' },
    limit: limitOption,
    settle: { value: 'JSON', help: 'settles the wait with this value, such as \'"Yes"\' or \'{"paid":5}\'' },
    actor: { value: 'name', help: 'who settles it' },
    cancel: { help: 'cancels the wait: its call fails' },
  },
  notes: [
    storeNotes,
    tenantNotes,
    'A host takes the run up: one that runs, or the next that starts.',
    '',
    'Exit codes: 0 done, 1 no such wait, it is closed, or no data for this tenant, 2 could not be done.',
    '',
    'Examples:',
    '  bailiwick waits ./data --tenant acme --kind answer',
    '  bailiwick waits ./data wait_… --tenant acme --settle \'"Yes"\' --actor kim@example.com',
  ].join('\n'),
  run: async (words) => {
    const [store = '', waitId] = words.operands
    const act = actOf(words.options, waitId)
    const [kind, limit] = [oneOf(words.options, 'kind', kinds), limitOf(words.options)]
    return await withTenantOf(store, words, async ({ runtime }) =>
      waitId === undefined ? await list(runtime, kind, limit) : await refusedAs(act(runtime, waitId)),
    )
  },
}

type Act = (runtime: Runtime, waitId: string) => Promise<Outcome>

/** @throws UsageError for options that do not go together */
function actOf({ settle, actor, cancel, kind, limit }: Words['options'], waitId: string | undefined): Act {
  const acts = settle !== undefined || cancel !== undefined || actor !== undefined
  if (waitId === undefined && acts) throw new UsageError('--settle, --actor and --cancel need the id of a wait.')
  if (waitId !== undefined && (kind !== undefined || limit !== undefined)) {
    throw new UsageError('--kind and --limit are for lists, and a wait was named.')
  }
  if (settle !== undefined && cancel !== undefined) throw new UsageError('Give either --settle or --cancel.')
  if (actor !== undefined && settle === undefined) throw new UsageError('--actor goes with --settle.')
  if (cancel !== undefined) return cancelOne
  if (typeof settle !== 'string') return showOne
  const value = readValue(settle)
  return async ({ waits }, id) =>
    shown('settled', await waits.settle(id, { value }, actor ? { actor: String(actor) } : {}))
}

function readValue(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    throw new UsageError('--settle is no JSON. Quote a text twice: --settle \'"Yes"\'.')
  }
}

async function list(runtime: Runtime, kind: WaitKind | undefined, limit: number): Promise<Outcome> {
  const { items: found, more } = await listed(limit, (page) =>
    runtime.waits.list({ ...page, ...(kind === undefined ? {} : { kind }) }),
  )
  const json = { waits: found, more: more.length > 0 }
  if (found.length === 0) {
    if (await isEmpty(runtime)) return { exit: Exit.doesNotHold, lines: [emptyNotice], json }
    return { exit: Exit.holds, lines: ['Nothing waits for this name.'], json }
  }
  return { exit: Exit.holds, lines: [...found.flatMap(waitLines), ...more], json }
}

async function showOne({ waits }: Runtime, waitId: string): Promise<Outcome> {
  return { exit: Exit.holds, ...linesOf(await waits.get(waitId)) }
}

async function cancelOne({ waits }: Runtime, waitId: string): Promise<Outcome> {
  if (await waits.cancel(waitId)) return shown('cancelled', await waits.get(waitId))
  const { json } = linesOf(await waits.get(waitId))
  return { exit: Exit.doesNotHold, lines: ['This wait is closed already.'], json }
}

function shown(done: string, record: WaitRecord): Outcome {
  return { exit: Exit.holds, lines: [`${done}: ${record.waitId}`], json: { wait: record } }
}

/** The outcome of something done to a wait that may not be there, or be closed. */
async function refusedAs(done: Promise<Outcome>): Promise<Outcome> {
  const closed = async (error: unknown): Promise<Outcome> => {
    if (!BailiwickError.isInstance(error) || error.code !== 'WAIT_CLOSED') throw error
    return { exit: Exit.doesNotHold, lines: [error.message], json: { wait: null, code: error.code } }
  }
  const found = await unlessGone(done.catch(closed))
  const message = 'There is no wait with this id for this name.'
  return found ?? { exit: Exit.doesNotHold, lines: [message], json: { wait: null } }
}

function linesOf(wait: WaitRecord): { readonly lines: string[]; readonly json: unknown } {
  const schema = wait.schema === undefined ? [] : [`  schema  ${printable(clipped(JSON.stringify(wait.schema), 400))}`]
  return { lines: [...waitLines(wait), `  thread  ${printable(wait.threadId)}`, ...schema], json: { wait } }
}

function waitLines(wait: WaitRecord): string[] {
  const { waitId, status, kind, tool, runId, question, choices, name, to, dueAt, expiresAt, value, error, actor } = wait
  const line = (word: string, text: string | undefined) =>
    text === undefined ? [] : [`  ${word.padEnd(7)} ${printable(clipped(text, 400))}`]
  return [
    `${waitId}  ${status}  ${kind}  until ${new Date(dueAt ?? expiresAt).toISOString()}  ${printable(tool)} of ${runId}`,
    ...line('asks', question),
    ...line('of', to),
    ...line('choices', choices?.join(', ')),
    ...line('event', name),
    ...line('value', value === undefined ? undefined : JSON.stringify(value)),
    ...line('error', error === undefined ? undefined : `${error.code}: ${error.message}`),
    ...line('by', actor),
  ]
}

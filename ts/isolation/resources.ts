import { type Checkpoint, type Kind, type NewMessage, type RunEvent, type Runtime, ThreadBusyError } from '../index.ts'
import { openWait, queued, queueRun } from './environment.ts'
import { type Verb, verbsOf } from './situations.ts'

const question = { tool: 'refund', input: { order: 7 } }
const decision = { decision: 'approve', actor: 'kim' } as const

function saying(text: string, actor?: string): NewMessage {
  const message = { role: 'user', parts: [{ type: 'text', text }], createdAt: 1 } as const
  return actor === undefined ? message : { ...message, actor }
}

const references = verbsOf<string>({
  absent: `ref_${'a'.repeat(32)}`,
  malformed: ['ref_not an id', '', `plan_${'a'.repeat(32)}`, '\ud800', 'ref_*'],
  place: async (runtime, content) => (await runtime.references.put('thing', content)).id,
  remove: ({ references }, id) => references.delete(id),
  expires: true,
  looks: {
    'references.resolve': ({ references }, id) => references.resolve(id),
    'references.resolveMany': ({ references }, id) => references.resolveMany([id, id]),
    'references.describe': ({ references }, id) => references.describe(id),
    'references.delete': ({ references }, id) => references.delete(id),
  },
  tells: {
    'references.list': ({ references }) => references.list(),
    'references.list of a type': ({ references }) => references.list({ type: 'thing' }),
  },
  others: {
    'references.put': ({ references }) => references.put('thing', 'of its own'),
    'references.putMany': ({ references }) => references.putMany([{ type: 'thing', value: 'of its own' }]),
  },
})

const cache = verbsOf<string>({
  absent: 'key',
  malformed: [],
  place: async (runtime, content) => {
    await runtime.cache.set('key', content)
    return 'key'
  },
  remove: ({ cache }, key) => cache.delete(key),
  expires: true,
  looks: {
    'cache.get': ({ cache }, key) => cache.get(key),
    'cache.delete': ({ cache }, key) => cache.delete(key),
    'cache.getOrCompute': async ({ cache }, key) => {
      let computed = 0
      const value = await cache.getOrCompute(key, {}, () => {
        computed += 1
        return 'own'
      })
      return [value, computed]
    },
  },
  others: {
    'cache.set': async ({ cache }, key) => {
      await cache.set(key, 'own')
      return await cache.get(key)
    },
  },
})

const draft = { type: 'launch', goal: 'Ship it', steps: [] }

const plans = verbsOf<string>({
  absent: 'plan',
  malformed: ['', 'x'.repeat(257), '\ud800'],
  place: async ({ plans }, content) => {
    const { planId } = await plans.save({ ...draft, planId: 'plan', details: content })
    await plans.save({ ...draft, planId, details: [content] })
    return planId
  },
  expires: true,
  looks: {
    'plans.load': ({ plans }, planId) => plans.load(planId),
    'plans.load of a version': ({ plans }, planId) => plans.load(planId, { version: 1 }),
    'plans.history': ({ plans }, planId) => plans.history(planId),
  },
  tells: {
    'plans.list': ({ plans }) => plans.list(),
    'plans.save under the same id': ({ plans }, planId) => plans.save({ ...draft, planId }),
    'plans.save, expecting none': ({ plans }, planId) => plans.save({ ...draft, planId }, { expectedVersion: 0 }),
    'plans.save, expecting one': ({ plans }, planId) => plans.save({ ...draft, planId }, { expectedVersion: 1 }),
    'approvals.request about a plan': ({ approvals }, planId) => approvals.request({ planId }),
  },
  others: { 'plans.save under an id of ours': ({ plans }) => plans.save(draft) },
})

const approvals = verbsOf<string>({
  absent: `approval_${'a'.repeat(32)}`,
  malformed: ['approval_x', '', `approval_${'A'.repeat(32)}`, `ref_${'a'.repeat(32)}`, '\ud800'],
  place: async ({ approvals }, content) => {
    const { approvalId } = await approvals.request({ tool: 'refund', input: content })
    // A pending approval does not expire with the retention: it ends as a record.
    await approvals.respond(approvalId, decision)
    return approvalId
  },
  expires: true,
  looks: {
    'approvals.get': ({ approvals }, approvalId) => approvals.get(approvalId),
    'approvals.respond': ({ approvals }, approvalId) => approvals.respond(approvalId, decision),
    'approvals.respond with an edited input': ({ approvals }, approvalId) =>
      approvals.respond(approvalId, { ...decision, input: { order: 8 } }),
  },
  others: {
    'approvals.pending': ({ approvals }) => approvals.pending(),
    'approvals.request': ({ approvals }) => approvals.request(question),
    'approvals.request under a rule': ({ approvals }) =>
      approvals.request(question, { requestedBy: 'kim', rule: { to: ['lee', 'ann'], quorum: 2, notBy: 'requester' } }),
  },
})

const pendingApprovals = verbsOf<string>({
  absent: `approval_${'a'.repeat(32)}`,
  malformed: [],
  place: async ({ approvals }, content) => {
    const rule = { quorum: 2, notBy: 'requester' } as const
    return (await approvals.request({ tool: 'refund', input: content }, { requestedBy: 'bot', rule })).approvalId
  },
  expires: false,
  looks: {
    'approvals.get while it is pending': ({ approvals }, approvalId) => approvals.get(approvalId),
    'approvals.respond while it is pending': ({ approvals }, approvalId) => approvals.respond(approvalId, decision),
    'approvals.respond with an edited input while it is pending': ({ approvals }, approvalId) =>
      approvals.respond(approvalId, { ...decision, input: { order: 8 } }),
    'approvals.respond by somebody its rule excludes': ({ approvals }, approvalId) =>
      approvals.respond(approvalId, { ...decision, actor: 'bot' }),
  },
  tells: { 'approvals.pending while it is pending': ({ approvals }) => approvals.pending() },
})

interface LedgerName {
  readonly sequence: number
  readonly checkpoint: Checkpoint
}

const noCheckpoint: Checkpoint = { note: 'none\n0\n\n\n— none none=\n', size: 0, rootHash: `${'A'.repeat(43)}=` }

/** Records of the ledger are kept for ever, so there is no situation in which one that was there is not. */
const ledger = verbsOf<LedgerName>({
  absent: { sequence: 0, checkpoint: noCheckpoint },
  malformed: [{ sequence: 2 ** 52, checkpoint: { ...noCheckpoint, note: '' } }],
  place: async ({ approvals }, content) => {
    const { approvalId } = await approvals.request({ tool: 'refund', input: content })
    const record = await approvals.respond(approvalId, decision)
    const sequence = record.decision === 'pending' ? -1 : record.sequence
    return { sequence, checkpoint: await approvals.checkpoint() }
  },
  expires: false,
  looks: {
    'approvals.prove': ({ approvals }, { sequence }) => approvals.prove(sequence),
    'approvals.proveConsistency': ({ approvals }, { checkpoint }) => approvals.proveConsistency(checkpoint),
    'approvals.verify against a checkpoint': ({ approvals }, { checkpoint }) =>
      approvals.verify({ against: checkpoint }),
  },
  tells: {
    'approvals.checkpoint': ({ approvals }) => approvals.checkpoint(),
    'approvals.history': ({ approvals }) => approvals.history(),
    'approvals.verify': ({ approvals }) => approvals.verify(),
  },
})

interface ThreadName {
  readonly threadId: string
  readonly messageId: string
}

const noMessage = `msg_${'a'.repeat(32)}`

const threads = verbsOf<ThreadName>({
  absent: { threadId: 'thread', messageId: noMessage },
  malformed: ['', 'x'.repeat(257), '\ud800'].map((threadId) => ({ threadId, messageId: noMessage })),
  place: async ({ threads }, content) => {
    const [message] = await threads.append('thread', [saying(content, 'kim'), saying(content)])
    return { threadId: 'thread', messageId: message?.messageId as string }
  },
  remove: ({ threads }, { threadId }) => threads.delete(threadId),
  expires: true,
  looks: {
    'threads.messages': ({ threads }, { threadId }) => threads.messages(threadId),
    'threads.fork': ({ threads }, { threadId, messageId }) => threads.fork(threadId, { through: messageId }),
    'threads.delete': ({ threads }, { threadId }) => threads.delete(threadId),
  },
  tells: {
    'threads.list': ({ threads }) => threads.list(),
    'threads.list of an actor': ({ threads }) => threads.list({ actor: 'kim' }),
    'threads.append, expecting none': ({ threads }, { threadId }) =>
      threads.append(threadId, [saying('own')], { expectedLength: 0 }),
    'threads.append, expecting some': ({ threads }, { threadId }) =>
      threads.append(threadId, [saying('own')], { expectedLength: 2 }),
    'threads.append, and what there is then': async ({ threads }, { threadId }) => {
      await threads.append(threadId, [saying('own')])
      return await threads.messages(threadId)
    },
    'threads.fork to the same id': async ({ threads }, { threadId }) => {
      const [message] = await threads.append('own', [saying('own')])
      return await threads.fork('own', { through: message?.messageId as string, threadId })
    },
  },
})

/** Messages that are searched for in an existing thread. */
const messages = verbsOf<string>({
  absent: noMessage,
  malformed: ['msg_x', '', `thr_${'a'.repeat(32)}`, '\ud800'],
  place: async ({ threads }, content) => (await threads.append('thread', [saying(content)]))[0]?.messageId as string,
  remove: ({ threads }) => threads.delete('thread'),
  expires: true,
  looks: {
    'threads.fork through a message': async ({ threads }, through) => {
      await threads.append('thread', [saying('own')])
      return await threads.fork('thread', { through })
    },
  },
})

const traces = verbsOf<string>({
  absent: 'run_of_nobody',
  malformed: [],
  place: async ({ references, traces }, content) => {
    const { id } = await references.put('thing', content)
    // They are written a moment later, or on demand.
    await traces.list()
    return id
  },
  expires: true,
  looks: {},
  tells: { 'traces.list': ({ traces }) => traces.list() },
  others: {
    'traces.list of a run': ({ traces }, runId) => traces.list({ runId }),
    'traces.follow': firstFollowed,
  },
})

const runs = verbsOf<string>({
  absent: `run_${'a'.repeat(32)}`,
  malformed: ['run_x', '', `run_${'A'.repeat(32)}`, `ref_${'a'.repeat(32)}`, '\ud800'],
  place: async (runtime, content) => {
    const run = runtime.query({ prompt: content, actor: 'kim' })
    await run.result()
    return run.runId
  },
  expires: true,
  looks: {
    'runs.get': ({ runs }, runId) => runs.get(runId),
    'runs.resume': ({ runs }, runId) => runs.resume(runId).result(),
    'runs.cancel': ({ runs }, runId) => runs.cancel(runId),
    'runs.follow': async ({ runs }, runId) => {
      const events: RunEvent[] = []
      for await (const event of runs.follow(runId)) events.push(event)
      return events
    },
  },
  tells: {
    'runs.list': ({ runs }) => runs.list(),
    'runs.list of a status': ({ runs }) => runs.list({ status: 'completed' }),
    'runs.list of an actor': ({ runs }) => runs.list({ actor: 'kim' }),
  },
})

/** A run that waits for its turn, which another run of its thread has. */
const queuedRuns = verbsOf<string>({
  absent: `run_${'a'.repeat(32)}`,
  malformed: [],
  place: queueRun,
  expires: false,
  looks: {
    'runs.get while it is queued': ({ runs }, runId) => runs.get(runId),
    'runs.resume while it is queued': async ({ runs }, runId) => {
      try {
        return await runs.resume(runId).result()
      } catch (error) {
        // It names the run that has the thread, whose id is another each time.
        if (ThreadBusyError.isInstance(error)) return error.message.replace(/run_\w+/, 'run_')
        throw error
      }
    },
    'runs.follow while it is queued': async ({ runs }, runId) => {
      for await (const event of runs.follow(runId)) return event
    },
    'runs.cancel while it is queued': ({ runs }, runId) => runs.cancel(runId),
  },
  tells: {
    'runs.list while it is queued': ({ runs }) => runs.list({ status: 'queued' }),
    'runs.list of its thread while it is queued': ({ runs }) => runs.list({ threadId: queued.threadId }),
    'runs.list after a request with its key': async (runtime) => {
      const run = runtime.query({ ...queued, threadId: 'elsewhere', prompt: 'hello' })
      run.result().catch(() => {})
      for await (const { type } of run) if (type === 'run.queued') break
      return await runtime.runs.list({ threadId: 'elsewhere' })
    },
    'runs.list after a request to its thread': async (runtime) => {
      const run = runtime.query({ ...queued, requestKey: 'another', prompt: 'hello' })
      run.result().catch(() => {})
      for await (const { type } of run) if (type === 'run.queued') break
      return await runtime.runs.list({ threadId: queued.threadId })
    },
    'runs.list after a prompt for its thread': async (runtime) => {
      await runtime.query({ threadId: queued.threadId, prompt: 'hello', whenBusy: 'steer' }).result()
      const list = () => runtime.runs.list({ threadId: queued.threadId })
      // The run that took the prompt is over, so the queued one begins.
      const { items } = (await list()) ?? {}
      for (const { runId } of items ?? []) for await (const _ of runtime.runs.follow(runId));
      return await list()
    },
  },
})

const answer = { value: 'Yes' }

const waits = verbsOf<string>({
  absent: `wait_${'a'.repeat(32)}`,
  malformed: ['wait_x', '', `wait_${'A'.repeat(32)}`, `run_${'a'.repeat(32)}`, '\ud800'],
  place: async (runtime, content) => {
    const waitId = await openWait(runtime, content)
    // An open wait does not expire with the retention: it is closed first.
    await runtime.waits.cancel(waitId)
    return waitId
  },
  expires: true,
  looks: {
    'waits.get': ({ waits }, waitId) => waits.get(waitId),
    'waits.settle': ({ waits }, waitId) => waits.settle(waitId, answer, { actor: 'kim' }),
    'waits.cancel': ({ waits }, waitId) => waits.cancel(waitId),
  },
  tells: {
    'waits.list': ({ waits }) => waits.list(),
    'waits.list of a kind': ({ waits }) => waits.list({ kind: 'answer' }),
  },
  others: { 'waits.list of a run': ({ waits }) => waits.list({ runId: `run_${'a'.repeat(32)}` }) },
})

const openWaits = verbsOf<string>({
  absent: `wait_${'a'.repeat(32)}`,
  malformed: [],
  place: openWait,
  expires: false,
  looks: {
    'waits.get while it is open': ({ waits }, waitId) => waits.get(waitId),
    'waits.settle while it is open': ({ waits }, waitId) => waits.settle(waitId, answer),
    'waits.cancel while it is open': ({ waits }, waitId) => waits.cancel(waitId),
  },
  tells: { 'waits.list while it is open': ({ waits }) => waits.list() },
})

/** A wait whose agent goes on. */
const continuingWaits = verbsOf<string>({
  absent: `wait_${'a'.repeat(32)}`,
  malformed: [],
  place: (runtime, content) => openWait(runtime, content, { asks: 'later' }),
  expires: false,
  looks: {
    'waits.get while its agent goes on': ({ waits }, waitId) => waits.get(waitId),
    'waits.settle while its agent goes on': ({ waits }, waitId) => waits.settle(waitId, answer),
    'waits.cancel while its agent goes on': ({ waits }, waitId) => waits.cancel(waitId),
  },
  tells: {
    'waits.list while its agent goes on': ({ waits }) => waits.list(),
  },
})

/** The first event that is followed while one's own happen, but for its place in the journal. */
async function firstFollowed(runtime: Runtime): Promise<unknown> {
  const iterator = runtime.traces.follow()[Symbol.asyncIterator]()
  let isWaiting = true
  const following = iterator.next().finally(() => {
    isWaiting = false
  })
  // Checked below.
  following.catch(() => {})
  // It follows from some moment on: there is something to see until it does.
  for (let value = 0; isWaiting; value += 1) await runtime.references.put('own', value % 2)
  const { value: first } = await following
  await iterator.return?.()
  return { ...(first as object), sequence: 0 }
}

/** The verbs of every kind, by `kind.verb` and what is special about the call. */
export const verbsByKind: { readonly [K in Kind]: { readonly [verb: string]: Verb } } = {
  references,
  plans,
  approvals: { ...approvals, ...pendingApprovals, ...ledger },
  cache,
  threads: { ...threads, ...messages },
  runs: { ...runs, ...queuedRuns },
  traces,
  waits: { ...waits, ...openWaits, ...continuingWaits },
}

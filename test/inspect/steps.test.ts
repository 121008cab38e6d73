import { expect, onTestFinished, test } from 'vitest'
import {
  createRuntime,
  defineCoordinator,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  defineTool,
  type JsonValue,
  type Model,
  type ModelEvent,
} from '../../ts/index.ts'
import { EVENTS } from '../../ts/inspect/run/journal.ts'
import { type Node, RunTree } from '../../ts/inspect/run/tree.ts'
import { startInspector } from '../../ts/inspect/server.ts'
import { scriptedModel } from '../../ts/testing/index.ts'
import type { JournaledEvent } from '../../ts/types/events.ts'
import { engines, openFresh } from '../support/stores.ts'
import { formTokenOf, type Loaded, request, type Shown, show, suspendedRun } from './subject.ts'
import { stepsOf, teamRun } from './team.ts'

const talk = { prompt: 'How many?', threadId: 'stock', value: 'lamps', said: 'I look.', answer: 'There are 17.' }

/** A page without its markup. */
function textOf(page: { readonly text: string }): string {
  return page.text.replace(/<[^>]+>/g, ' ').replace(/\s+/g, ' ')
}

/** The steps of a page by their keys, each behind as many dots as it is deep. */
function outlineOf({ text }: Loaded): string[] {
  let depth = 0
  return [...text.matchAll(/<ol class="events steps">|<\/ol>|data-key="([^"]*)"/g)].flatMap(([tag, key]) => {
    if (key !== undefined) return [`${'.'.repeat(depth - 1)}${key}`]
    depth += tag === '</ol>' ? -1 : 1
    return []
  })
}

function post({ origin, cookie }: Shown, path: string, fields: object, more: Record<string, string> = {}) {
  const headers = { cookie, origin, 'content-type': 'application/x-www-form-urlencoded', ...more }
  return request(origin + path, { method: 'POST', headers, body: new URLSearchParams({ ...fields }).toString() })
}

test.each(engines)(
  '%s: what an agent does that is called is within its call, with what models said',
  async (engine) => {
    const shown = await show('acme', await openFresh(engine))
    const { runId } = await teamRun(shown.store, 'acme', talk)
    const page = await shown.load(`/runs/${runId}`)
    expect(outlineOf(page)).toEqual([
      'event 0',
      'agent 1',
      '.model 2',
      '.call c1',
      '..agent 4',
      '...model 5',
      '...call c2',
      '...call c3',
      '...model 10',
      '.model 13',
      '.call c4',
      '.model 16',
      'event 18',
    ])
    const text = textOf(page)
    for (const words of [
      'Asked with 1 new message The prompt, behind what the thread had How many? Reasoning 7 bytes I look. I look.',
      'call of clerk completed',
      'The task { &quot;task&quot;: &quot;lamps&quot; }',
      'Asked with 2 new messages The result of find call c2 { &quot;found&quot;: &quot;lamps&quot; } The error of weigh call c3 failed TOOL_FAILED: lamps I look.',
      'The result of clerk call c1 I look.',
      'call of find completed',
      'There are 17.',
    ]) {
      expect(text).toContain(words)
    }
  },
)

test('a step is within the agent and the call that it belongs to, whatever runs side by side or breaks off', () => {
  const tree = new RunTree()
  let sequence = 0
  const add = (event: object) => {
    tree.add({ runId: 'x', sequence, at: sequence, ...event } as unknown as JournaledEvent)
    sequence += 1
  }
  const call = (callId: string, tool: string, agent: string) => ({
    type: 'tool.called',
    callId,
    tool,
    input: {},
    agent,
  })
  add({ type: 'run.started', prompt: 'x' })
  add({ type: 'agent.started', agent: 'front' })
  for (const [callId, tool] of [
    ['1', 'clerk'],
    ['2', 'scales'],
    ['3', 'clerk'],
  ] as const)
    add(call(callId, tool, 'front'))
  for (const agent of ['clerk', 'scales', 'clerk']) add({ type: 'agent.started', agent })
  add(call('4', 'find', 'scales'))
  add(call('5', 'find', 'clerk'))
  add({ type: 'tool.completed', callId: '4', result: 1, agent: 'scales' })
  add({ type: 'agent.completed', agent: 'scales' })
  add({ type: 'tool.completed', callId: '2', result: 1, agent: 'front' })
  // The first clerk fails, and its call with it.
  add({ type: 'tool.failed', callId: '1', error: { code: 'X', message: 'x' }, agent: 'front' })
  tree.say({
    type: 'text.delta',
    runId: 'x',
    at: 9,
    agent: 'clerk',
    messageId: 'm',
    delta: 'half',
    offset: 0,
    after: 9,
  })
  add({ type: 'run.cancelled' })
  const outline = (nodes: readonly Node[], depth = ''): string[] =>
    nodes.flatMap((node) => {
      if (node.kind === 'event')
        return [`${depth}${node.event.type}${node.said === undefined ? '' : ` ${node.said.text}`}`]
      if (node.kind === 'model') return [`${depth}model`]
      const name = node.kind === 'agent' ? node.agent : `${node.tool} ${node.callId}`
      return [depth + name, ...outline(node.children, `${depth}.`)]
    })
  expect(outline(tree.nodes)).toEqual([
    'run.started',
    'front',
    '.clerk 1',
    '..clerk',
    '.scales 2',
    '..scales',
    '...find 4',
    '.clerk 3',
    '..clerk',
    '...find 5',
    'run.cancelled half',
  ])
})

test('a call that waits for a person has the approval in it, with tool and arguments', async () => {
  const shown = await show()
  const words = { prompt: 'x', actor: 'kim', threadId: 't', input: 'order', result: 'y', answer: 'z' }
  const runId = await suspendedRun(shown.store, 'acme', words)
  const [pending] = (await shown.runtime.approvals.pending()).items
  await shown.runtime.approvals.respond(pending?.approvalId ?? '', { decision: 'reject', actor: 'lee' })
  expect(outlineOf(await shown.load(`/runs/${runId}`))).toContain('..event 6')
  const named = 'refund {&quot;amount&quot;:1250,&quot;note&quot;:&quot;order&quot;,&quot;order&quot;:null}'
  expect(textOf(await shown.load(`/runs/${runId}`))).toContain(`waits for a decision about ${named}`)
  expect(textOf(await shown.load('/ledger'))).toContain(named)
  await shown.runtime.runs.cancel(runId)
  expect(textOf(await shown.load('/events'))).toContain(named)
})

test('a long value is not cut without a word, and all of it can be saved', async () => {
  const shown = await show()
  const value = `${'ä'.repeat(60_000)}the end`
  const { runId } = await teamRun(shown.store, 'acme', { ...talk, value, said: value })
  const page = await shown.load(`/runs/${runId}`)
  expect(textOf(page)).toContain('Input 117.2 KiB')
  expect(textOf(page)).toContain('The first 40,000 of 120,007 bytes are shown. Download the whole')
  expect(page.text).not.toContain('the end')
  const events = []
  for await (const event of shown.runtime.runs.follow(runId)) events.push(event)
  const [call] = events.filter((event) => event.type === 'tool.called')
  const saved = await shown.load(`/runs/${runId}?download=${call?.sequence}`)
  expect(JSON.parse(saved.text)).toEqual({ event: call })
  const model = await shown.load(`/runs/${runId}?download=2`)
  expect(JSON.parse(model.text)).toMatchObject({ event: { type: 'model.completed' }, text: value, reasoning: value })
  const all = await shown.load(`/runs/${runId}?download=events`)
  expect(
    all.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as JsonValue),
  ).toEqual(events)
  const thread = await shown.load('/threads/stock?download')
  const messages = (await shown.runtime.threads.messages('stock')).items
  expect(
    thread.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as JsonValue),
  ).toEqual(messages)
  for (const place of ['4711', '-1', '1e1', 'x', '99999999999999999']) {
    expect([place, (await shown.load(`/runs/${runId}?download=${place}`)).status]).toEqual([place, 404])
    expect((await shown.load(`/runs/${runId}?from=${place}`)).status).toBe(404)
  }
})

test('a run that is running is shown as far as it is, and not replayed', async () => {
  const shown = await show()
  let ask: () => void = () => {}
  const asked = new Promise<void>((resolve) => {
    ask = resolve
  })
  const model: Model = {
    async *stream({ signal }) {
      yield { type: 'text.delta', id: '0', delta: 'Not yet whole' }
      ask()
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    },
  }
  const agent = defineSpecialist({ name: 'support', model: 'test/small', prompt: 'Help.' })
  const spec = defineRuntime({ tenant: defineTenant('acme', 'v1'), agents: [agent] })
  const runtime = await createRuntime(spec, { store: shown.store, models: { test: model } })
  const run = runtime.query('Wait')
  await asked
  const page = await shown.load(`/runs/${run.runId}`)
  expect([outlineOf(page), page.text.includes('Replay from here')]).toEqual([['event 0', 'agent 1'], false])
  run.cancel()
  expect(await run.result()).toMatchObject({ status: 'cancelled' })
  expect(textOf(await shown.load(`/runs/${run.runId}`))).toContain('Said by then: Not yet whole')
})

test('a run of many events has parts, whose steps are within what began before them', async () => {
  const shown = await show()
  const input = { type: 'object' } as const
  const find = defineTool({ name: 'find', description: 'Finds', effects: 'read', input })
  const agent = defineSpecialist({ name: 'support', model: 'test/small', prompt: 'Help.', tools: [find] })
  const usage = { inputTokens: 1, outputTokens: 1 }
  const calls = Array.from(
    { length: 250 },
    (_, at): ModelEvent => ({ type: 'tool.call', callId: `c${at}`, tool: 'find', input: '{}' }),
  )
  const model = scriptedModel([
    [...calls, { type: 'finish', reason: 'tool-calls', usage }],
    [
      { type: 'text.delta', id: '0', delta: 'All found.' },
      { type: 'finish', reason: 'stop', usage },
    ],
  ])
  const spec = defineRuntime({ tenant: defineTenant('acme', 'v1'), agents: [agent] })
  const runtime = await createRuntime(spec, { store: shown.store, models: { test: model }, tools: { find: () => 1 } })
  const { runId } = await runtime.query('Find').result()
  const [first, second] = [await shown.load(`/runs/${runId}`), await shown.load(`/runs/${runId}?from=${EVENTS}`)]
  expect(textOf(first)).toContain('Events 0 to 499 of 505. Later ones')
  expect(textOf(second)).toContain('Events 500 to 505 of 505. Earlier ones')
  const [of, more] = [outlineOf(first), outlineOf(second)]
  expect([of[1], more[0]]).toEqual(['agent 1', 'agent 1'])
  expect(of.filter((key) => key.startsWith('.call')).length).toBe(250)
  // Calls whose result is there, and the rest of the run.
  expect(more.slice(1)).toEqual(['.call c247', '.call c248', '.call c249', '.model 503', 'event 505'])
})

test('a value is saved as it is, whatever it says that it is, and is never shown by the browser', async () => {
  const shown = await show()
  const bytes = new Uint8Array(70_000).map((_, at) => at % 251)
  const html = new TextEncoder().encode('<script>alert(1)</script>')
  const kept = await shown.runtime.references.putMany([
    { type: 'page', value: html, mediaType: 'text/html' },
    { type: 'picture', value: html, mediaType: 'image/svg+xml' },
    { type: 'odd', value: html, mediaType: 'text/plain; name="x".exe' },
    { type: 'table', value: 'a,b', mediaType: 'text/csv' },
    { type: 'odd', value: html, mediaType: '__proto__/x' },
    { type: 'raw', value: bytes },
  ])
  const ends = []
  for (const { id } of kept) {
    const response = await fetch(`${shown.origin}/references/${id}?download`, { headers: { cookie: shown.cookie } })
    const sent = new Uint8Array(await response.arrayBuffer())
    expect(sent).toEqual((await shown.runtime.references.resolve(id)).bytes)
    const header = (name: string) => response.headers.get(name)
    expect([header('content-type'), header('x-content-type-options')]).toEqual(['application/octet-stream', 'nosniff'])
    expect(header('content-security-policy')).toBe("default-src 'none'; sandbox")
    const [, name, end] =
      /^attachment; filename="(ref_[a-z2-7]{32})\.(\w+)"$/.exec(header('content-disposition') ?? '') ?? []
    expect([name, header('content-length')]).toEqual([id, String(sent.length)])
    ends.push(end)
    expect((await shown.load(`/references/${id}`)).text).toContain(`href="/references/${id}?download"`)
  }
  expect(ends).toEqual(['bin', 'bin', 'txt', 'csv', 'bin', 'bin'])
  const id = kept[0]?.id
  const globex = await show('globex', shown.store)
  const theirs = await globex.load(`/references/${id}?download`)
  expect([theirs.status, theirs.text]).toEqual([404, (await globex.load('/references/nothing?download')).text])
  expect((await request(`${shown.origin}/references/${id}?download`)).status).toBe(403)
})

test.each(engines)('%s: a step is replayed in a fork of the thread, which code queries', async (engine) => {
  const shown = await show('acme', await openFresh(engine))
  await teamRun(shown.store, 'acme', { ...talk, prompt: 'Earlier' })
  const { runtime, runId } = await teamRun(shown.store, 'acme', talk)
  const before = (await runtime.threads.messages('stock')).items
  const [first, second, third] = (await stepsOf(runtime, runId)) as [number, number, number]
  const make = async (step: number) => {
    const form = await shown.load(`/runs/${runId}?fork=${step}`)
    const made = await post(shown, `/runs/${runId}`, { token: formTokenOf(form), act: 'fork', step: String(step) })
    expect(made.status).toBe(303)
    const location = made.headers.get('location') ?? ''
    const threadId = /^\/threads\/(thr_[a-z2-7]{32})\?/.exec(location)?.[1] ?? ''
    return { text: textOf(form), threadId, page: textOf(await shown.load(location)) }
  }
  const again = await make(first)
  expect(again.text).toContain('begins with the 6 messages before this step')
  expect((await runtime.threads.messages(again.threadId)).items).toEqual(before.slice(0, 6))
  expect(again.page).toContain(
    `runtime.query({ threadId: &quot;${again.threadId}&quot;, prompt: &quot;How many?&quot; }).result()`,
  )
  expect((await runtime.threads.messages((await make(second)).threadId)).items).toEqual(before.slice(0, 9))
  const { threadId, page } = await make(third)
  expect((await runtime.threads.messages(threadId)).items).toEqual(before.slice(0, 11))
  expect(page).toContain(`threadId: &quot;${threadId}&quot;, prompt: &quot;Go on.&quot;`)
  // What the page shows works: the model is sent what it knew before the step.
  const model = scriptedModel(() => [
    { type: 'text.delta', id: '0', delta: 'Now 18.' },
    { type: 'finish', reason: 'stop', usage: { inputTokens: 1, outputTokens: 1 } },
  ])
  const agent = defineSpecialist({ name: 'front', model: 'test/front', prompt: 'x' })
  const spec = defineRuntime({ tenant: defineTenant('acme', 'v1'), agents: [agent] })
  const replaying = await createRuntime(spec, { store: shown.store, models: { test: model } })
  const { text } = await replaying.query({ threadId, prompt: 'Go on.' }).result()
  expect([text, model.requests[0]?.messages.length]).toEqual(['Now 18.', 12])
  expect((await runtime.threads.messages('stock')).items).toEqual(before)
})

test('the code of a replay asks the agent that the run asked', async () => {
  const store = await openFresh('memory')
  const analyst = defineSpecialist({ name: 'analyst', model: 'test/m', prompt: 'x', tools: [] })
  const front = defineCoordinator({ name: 'front', model: 'test/m', prompt: 'x', routes: [analyst] })
  const model = scriptedModel(() => [
    { type: 'text.delta', id: '0', delta: 'So.' },
    { type: 'finish', reason: 'stop', usage: { inputTokens: 1, outputTokens: 1 } },
  ])
  const spec = defineRuntime({ tenant: defineTenant('acme', 'v1'), agents: [front] })
  const runtime = await createRuntime(spec, { store, models: { test: model } })
  const runs = [runtime.query('How?'), runtime.runSpecialist('analyst', 'Who?')]
  for (const run of runs) await run.result()
  const inspector = await startInspector({ runtime, publicKey: store.publicKey }, 0)
  onTestFinished(() => inspector.close())
  const known = await request(inspector.url)
  const headers = { cookie: (known.headers.get('set-cookie') ?? '').split(';')[0] ?? '' }
  const shown = await show('acme', store)
  const codeOf = async (at: number) => {
    const { runId } = runs[at] as { runId: string }
    const path = `/runs/${runId}?fork=${(await stepsOf(runtime, runId))[0]}`
    const pages = [await request(new URL(inspector.url).origin + path, { headers }), await shown.load(path)]
    return pages.map((page) => textOf(page).match(/runtime\.\w+\([^)]*\)/g))
  }
  const asked = ['runtime.query({ prompt: &quot;How?&quot; })', 'runtime.query({ prompt: &quot;Who?&quot; })']
  const alone = 'runtime.runSpecialist(&quot;analyst&quot;, { prompt: &quot;Who?&quot; })'
  // Without the agents of the spec, a page does not know which of them `query` asks.
  const either = 'runtime.runSpecialist(&quot;front&quot;, { prompt: &quot;How?&quot; })'
  expect(await codeOf(0)).toEqual([[asked[0]], [asked[0], either]])
  expect(await codeOf(1)).toEqual([[alone], [asked[1], alone]])
})

test('a fork is made by the form of the page alone, and reading makes none', async () => {
  const shown = await show()
  const { runtime, runId } = await teamRun(shown.store, 'acme', talk)
  const [first, second] = (await stepsOf(runtime, runId)) as [number, number]
  const path = `/runs/${runId}`
  const form = await shown.load(`${path}?fork=${second}`)
  const fields = { token: formTokenOf(form), act: 'fork', step: String(second) }
  const globex = await show('globex', shown.store)
  const refused: [number, object, Record<string, string>?][] = [
    [403, fields, { origin: 'http://evil.example' }],
    [403, fields, { 'sec-fetch-site': 'cross-site' }],
    [403, fields, { cookie: '' }],
    [403, { ...fields, token: 'a'.repeat(43) }],
    [400, { ...fields, more: '1' }],
    [409, { ...fields, step: '' }],
    // The answer of an agent that was called, which no thread has, and what is no answer.
    [409, { ...fields, step: '5' }],
    [409, { ...fields, step: '0' }],
    // Before the first step is nothing but the prompt.
    [409, { ...fields, step: String(first) }],
    [415, fields, { 'content-type': 'text/plain' }],
  ]
  for (const [status, sent, more] of refused) {
    expect([status, sent, more]).toEqual([(await post(shown, path, sent, more)).status, sent, more])
  }
  const token = formTokenOf({ ...form, text: form.text })
  expect((await post(globex, path, { ...fields, token })).status).toBe(403)
  expect((await globex.load(`${path}?fork=${second}`)).status).toBe(404)
  expect(textOf(await shown.load(`${path}?fork=${first}`))).toContain('no fork is needed')
  expect((await runtime.threads.list()).items.length).toBe(1)
  expect((await post(shown, path, fields)).status).toBe(303)
  expect((await runtime.threads.list()).items.length).toBe(2)
  await runtime.threads.delete('stock')
  expect((await post(shown, path, fields)).status).toBe(409)
  expect(
    (await shown.load(`/threads/${(await runtime.threads.list()).items[0]?.threadId}?replays=nothing`)).status,
  ).toBe(200)
})

test.each(engines)('%s: runs are found by agent, thread and time, with or without a text', async (engine) => {
  const shown = await show('acme', await openFresh(engine))
  const words = { actor: 'kim', input: 'order', result: 'y', answer: 'z' }
  await suspendedRun(shown.store, 'acme', { ...words, prompt: 'of support', threadId: 'a thread' })
  await teamRun(shown.store, 'acme', { ...talk, prompt: 'of front' })
  const { startedAt } = (await shown.runtime.runs.list()).items[0] as { startedAt: number }
  const minute = (at: number) => new Date(at).toISOString().slice(0, 16)
  const hour = 3_600_000
  const found = async (query: Record<string, string>) => {
    const text = textOf(await shown.load(`/runs?${new URLSearchParams(query)}`))
    return ['of support', 'of front'].filter((prompt) => text.includes(prompt))
  }
  const both = ['of support', 'of front']
  expect(await found({})).toEqual(both)
  expect(await found({ agent: 'front' })).toEqual(['of front'])
  expect(await found({ agent: 'Front' })).toEqual([])
  expect(await found({ thread: 'a thread' })).toEqual(['of support'])
  expect(await found({ thread: 'a thread', agent: 'front' })).toEqual([])
  expect(await found({ thread: 'nothing' })).toEqual([])
  expect(await found({ from: minute(startedAt - hour) })).toEqual(both)
  expect(await found({ from: minute(startedAt + hour) })).toEqual([])
  expect(await found({ until: minute(startedAt + hour) })).toEqual(both)
  expect(await found({ until: minute(startedAt - hour) })).toEqual([])
  expect(
    await found({ from: minute(startedAt).slice(0, 10), agent: 'support', text: 'OF', status: 'suspended' }),
  ).toEqual(['of support'])
  expect(await found({ text: 'front', status: 'suspended' })).toEqual([])
  for (const time of ['now', '2026-13-40', "2026-01-01T00:00'"]) {
    expect((await shown.load(`/runs?${new URLSearchParams({ from: time })}`)).status).toBe(400)
  }
  // What is chosen stays chosen in the links and in the form.
  const { text } = await shown.load('/runs?agent=front&from=2026-01-01T00:00')
  expect(text).toContain('href="/runs?status=queued&amp;agent=front&amp;from=2026-01-01T00%3A00"')
  expect(text).toContain('name="from" value="2026-01-01T00:00"')
})

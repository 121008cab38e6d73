import { expect, test } from 'vitest'
import { createRuntime, defineRuntime, defineSpecialist, defineTenant } from '../../ts/index.ts'
import { emptyNotice } from '../../ts/inspect/emptiness.ts'
import { clipped } from '../../ts/inspect/view/values.ts'
import { scriptedModel } from '../../ts/testing/index.ts'
import { engines, openFresh } from '../support/stores.ts'
import { formTokenOf, request, type Shown, show, suspendedRun } from './subject.ts'

const words = { actor: 'kim', threadId: 'support-1', input: 'order 7', result: 'paid', answer: 'Refunded.' }

/** A page without its markup. */
function textOf(page: { readonly text: string }): string {
  return page.text.replace(/<[^>]+>/g, ' ').replace(/\s+/g, ' ')
}

test.each(engines)('%s: the overview counts events, and shows no storage for none', async (engine) => {
  const shown = await show('acme', await openFresh(engine))
  await suspendedRun(shown.store, 'acme', { ...words, prompt: 'Refund order 7' })
  const overview = textOf(await shown.load('/'))
  const { items } = await shown.runtime.traces.list({ limit: 200 })
  expect(items.length).toBeGreaterThan(3)
  expect(overview).toContain(`${items.length} events , which count for no limit`)
  expect(overview).not.toMatch(/traces|0 items beside/)
  const listed = (await shown.load('/events')).text.match(/<li class="event">/g) ?? []
  expect(listed.length).toBe(items.length)
})

test('more events than the counter reads are shown as more', async () => {
  const shown = await show()
  for (let n = 0; n < 201; n += 1) await shown.runtime.references.put('note', n)
  expect((await shown.runtime.traces.list({ limit: 201 })).items.length).toBe(201)
  expect(textOf(await shown.load('/'))).toContain('more than 200 events')
})

test.each(engines)('%s: runs are shown with prompt and answer, and found by either', async (engine) => {
  const shown = await show('acme', await openFresh(engine))
  const questions = ['Refund order 7', 'What does shipping cost?', '<b>bold</b> words']
  const ids: string[] = []
  for (const [at, prompt] of questions.entries()) {
    ids.push(await suspendedRun(shown.store, 'acme', { ...words, prompt, threadId: `support-${at}` }))
  }
  const list = await shown.load('/runs')
  for (const question of ['Refund order 7', 'What does shipping cost?', '&lt;b&gt;bold&lt;/b&gt; words']) {
    expect(list.text).toContain(question)
  }
  expect(textOf(list)).toContain('waits for refund')
  expect(textOf(await shown.load('/'))).toContain('What does shipping cost?')
  expect(textOf(await shown.load(`/runs/${ids[1]}`))).toContain('Asked What does shipping cost?')
  const found = textOf(await shown.load('/runs?text=SHIPPING'))
  expect(found).toContain('What does shipping cost?')
  expect(found).not.toContain('Refund order 7')
  expect(textOf(await shown.load(`/runs?text=${ids[2]}`))).not.toContain('shipping')
  expect(textOf(await shown.load('/runs?text=support-0&status=suspended'))).toContain('Refund order 7')
  expect(textOf(await shown.load('/runs?text=nowhere'))).toContain('in none of the 3 runs that were looked through')
  const { text } = await shown.load('/runs?text=%22%3E%3Cscript%3E')
  expect(text).toContain('value="&quot;&gt;&lt;script&gt;"')
  // Another tenant's words are not found, nor is there a run of theirs.
  const globex = await show('globex', shown.store)
  expect(textOf(await globex.load('/runs?text=shipping'))).toContain('in none of the 0 runs')
})

test.each(engines)('%s: a run that has not ended is cancelled on its page, once', async (engine) => {
  const shown = await show('acme', await openFresh(engine))
  const globex = await show('globex', shown.store)
  const runId = await suspendedRun(shown.store, 'acme', { ...words, prompt: 'Refund order 7' })
  const page = await shown.load(`/runs/${runId}`)
  const send = async ({ origin, cookie }: Shown, act: string, token = formTokenOf(page)) => {
    const headers = { cookie, origin, 'content-type': 'application/x-www-form-urlencoded' }
    const body = new URLSearchParams({ token, act }).toString()
    return (await request(`${origin}/runs/${runId}`, { method: 'POST', headers, body })).status
  }
  await suspendedRun(shown.store, 'globex', { ...words, prompt: 'Theirs' })
  const theirs = formTokenOf(await globex.load('/approvals'))
  expect([await send(shown, 'resume'), await send(shown, 'cancel', theirs)]).toEqual([400, 403])
  expect(await send(globex, 'cancel', theirs)).toBe(404)
  expect((await shown.runtime.runs.get(runId)).status).toBe('suspended')
  expect(await send(shown, 'cancel')).toBe(303)
  expect((await shown.runtime.runs.get(runId)).status).toBe('cancelled')
  expect(await send(shown, 'cancel')).toBe(409)
  expect((await shown.load(`/runs/${runId}`)).text).not.toContain('<form method="post"')
})

test('a search continues after a page without matches', async () => {
  const shown = await show()
  await suspendedRun(shown.store, 'acme', { ...words, prompt: 'the oldest', threadId: 'first' })
  for (let n = 0; n < 60; n += 1) {
    const run = await suspendedRun(shown.store, 'acme', { ...words, prompt: `number ${n}`, threadId: `t${n}` })
    await shown.runtime.runs.cancel(run)
  }
  const found = await shown.load('/runs?text=the+oldest')
  expect(textOf(found)).toContain('the oldest')
  expect(textOf(found)).not.toContain('number')
  const first = await shown.load('/runs?text=number')
  expect(first.text).toMatch(/href="\/runs\?text=number&amp;cursor=/)
})

test.each(engines)('%s: the ledger names the tool or plan of each decision while it is kept', async (engine) => {
  const shown = await show('acme', await openFresh(engine))
  const { approvals, plans } = shown.runtime
  const asked = await approvals.request({ tool: 'refund', input: { order: 7, note: '<i>' } })
  await approvals.respond(asked.approvalId, { decision: 'approve', actor: 'kim' })
  const { planId } = await plans.save({ type: 'launch', goal: 'To the moon', steps: [] })
  const planned = await approvals.request({ planId })
  await approvals.respond(planned.approvalId, { decision: 'reject', actor: 'lee' })
  const ledger = await shown.load('/ledger')
  expect(textOf(ledger)).toContain('refund {&quot;note&quot;:&quot;&lt;i&gt;&quot;,&quot;order&quot;:7}')
  expect(ledger.text).toContain(`/plans/${encodeURIComponent(planId)}`)
  expect(textOf(await shown.load('/ledger/0'))).toContain(
    'Call refund with { &quot;note&quot;: &quot;&lt;i&gt;&quot;, &quot;order&quot;: 7 }',
  )
  expect(textOf(await shown.load('/ledger/1'))).toContain('To the moon')
})

test.each(engines)('%s: a name without data is reported as such, absent or erased alike', async (engine) => {
  const store = await openFresh(engine)
  const [acme, mistyped] = [await show('acme', store), await show('acmee', store)]
  await acme.runtime.references.put('note', 'of acme')
  expect(textOf(await mistyped.load('/'))).toContain(emptyNotice)
  expect(textOf(await acme.load('/'))).not.toContain(emptyNotice)
  await acme.runtime.erase({ confirm: 'acme' })
  const erased = await show('acme', store)
  const [one, other] = [textOf(await erased.load('/')), textOf(await mistyped.load('/'))]
  expect(one).toContain(emptyNotice)
  expect(one).toBe(other.replaceAll('acmee', 'acme'))
})

test('a long text is cut in one line, between its characters', () => {
  expect(clipped('a\n b\t c', 10)).toBe('a b c')
  expect(clipped('👍👍👍👍', 2)).toBe('👍👍…')
  expect(clipped('x'.repeat(10_000), 3)).toBe('xxx…')
  expect(clipped('', 3)).toBe('')
})

test('the filter by agent says that it is of the agent that was asked', async () => {
  const shown = await show()
  const { text } = await shown.load('/runs')
  expect(text).toContain('<label for="agent">Asked agent</label>')
  expect(textOf({ text })).toContain('By asked agent, thread and time')
})

test.each([
  ['outline', 'Outline'],
  ['summary', 'Summary'],
] as const)('what stands for folded messages is labelled by who wrote it: %s', async (compact, label) => {
  const shown = await show()
  const clerk = defineSpecialist({ name: 'clerk', model: 'test/m', prompt: 'Help.', tools: [] })
  const spec = defineRuntime({
    tenant: defineTenant('acme', 'v1'),
    agents: [clerk],
    context: { maxTokens: 2_000, ...(compact === 'summary' && { compact }) },
  })
  const model = scriptedModel(() => [
    { type: 'text.delta', id: '0', delta: 'The code is 4711.' },
    { type: 'finish', reason: 'stop', usage: { inputTokens: 1, outputTokens: 1 } },
  ])
  const runtime = await createRuntime(spec, { store: shown.store, models: { test: model } })
  await runtime.threads.append(
    'long',
    Array.from({ length: 60 }, (_, at) => ({
      role: at % 2 === 0 ? ('user' as const) : ('assistant' as const),
      parts: [{ type: 'text' as const, text: `A summary of ${at}, ${'word '.repeat(40)}` }],
    })),
  )
  const run = runtime.query({ prompt: 'Go on', threadId: 'long' })
  expect((await run.result()).status).toBe('completed')
  const page = textOf(await shown.load(`/runs/${run.runId}`))
  const [other] = ['Outline', 'Summary'].filter((one) => one !== label)
  expect(page).toMatch(new RegExp(`tokens are folded ${label}`))
  expect(page).not.toMatch(new RegExp(`tokens are folded ${other}`))
})

import { expect, test } from 'vitest'
import { waitFor } from '../../ts/index.ts'
import { engines, openFresh } from '../support/stores.ts'
import { formTokenOf, request, type Shown, show, waitingRun } from './subject.ts'

/** A page without its markup. */
function textOf(page: { readonly text: string }): string {
  return page.text.replace(/<[^>]+>/g, ' ').replace(/\s+/g, ' ')
}

/** Sends the form of a wait as the browser does that has the session. */
async function send(shown: Shown, waitId: string, fields: object, more: Record<string, string> = {}): Promise<number> {
  const token = formTokenOf(await shown.load('/waits'))
  const headers = { cookie: shown.cookie, origin: shown.origin, 'content-type': 'application/x-www-form-urlencoded' }
  const body = new URLSearchParams({ token, actor: 'kim', value: '', code: '', message: '', ...fields }).toString()
  return (await request(`${shown.origin}/waits/${waitId}`, { method: 'POST', headers: { ...headers, ...more }, body }))
    .status
}

const asked = [
  waitFor.answer({ question: 'Where shall it go?', to: 'lee', schema: { type: 'string', minLength: 2 } }),
  waitFor.answer({ question: 'Refund?', choices: ['Yes', 'N\u200bo'] }),
  waitFor.event({ name: 'paid' }),
  waitFor.event({ name: 'shipped' }),
  waitFor.time({ afterMs: 3_600_000 }),
]

test.each(engines)('%s: waits are listed, shown, settled and cancelled, and the run goes on', async (engine) => {
  const shown = await show('acme', await openFresh(engine))
  const { runtime, runId, waitIds } = await waitingRun(shown.store, 'acme', asked)
  const [place, refund, paid, shipped, time] = waitIds as [string, string, string, string, string]
  const list = await shown.load('/waits')
  for (const words of ['Where shall it go?', 'Refund?', 'Event paid', 'A time']) expect(textOf(list)).toContain(words)
  expect(textOf(await shown.load('/'))).toContain('2 questions wait for an answer')
  const run = textOf(await shown.load(`/runs/${runId}`))
  expect(run).toContain('answer (ask)')
  for (const waitId of waitIds) expect(run).toContain(waitId)
  expect(textOf(await shown.load(`/waits/${place}`))).toContain('Asked is lee')

  expect(await send(shown, place, { act: 'settle', value: '"Home"' })).toBe(303)
  // The choice is sent as the page offers it, with what is invisible in it.
  const choices = [...(await shown.load(`/waits/${refund}`)).text.matchAll(/<option value="([^"]*)">/g)]
  expect(await send(shown, refund, { act: 'settle', value: (choices[1]?.[1] ?? '').replaceAll('&quot;', '"') })).toBe(
    303,
  )
  expect(await send(shown, paid, { act: 'fail', code: 'BOUNCED', message: 'No money' })).toBe(303)
  expect(await send(shown, shipped, { act: 'cancel', actor: '' })).toBe(303)
  expect(await send(shown, time, { act: 'cancel' })).toBe(303)
  const records = await Promise.all(waitIds.map((waitId) => runtime.waits.get(waitId)))
  expect(records).toMatchObject([
    { status: 'settled', value: 'Home', actor: 'kim' },
    { status: 'settled', value: 'N\u200bo', actor: 'kim' },
    { status: 'settled', error: { code: 'BOUNCED', message: 'No money' }, actor: 'kim' },
    { status: 'cancelled' },
    { status: 'cancelled' },
  ])
  expect(textOf(await shown.load('/waits'))).toContain('No call waits.')
  expect(textOf(await shown.load('/waits?status=all'))).toContain('Where shall it go?')
  const settled = await shown.load(`/waits/${place}`)
  expect([textOf(settled).includes('This wait is settled.'), settled.text.includes('<form')]).toEqual([true, false])
  expect(await runtime.runs.resume(runId).result()).toMatchObject({ status: 'completed' })
  const events = textOf(await shown.load(`/runs/${runId}`))
  for (const words of ['waits for answer', 'settled', 'by kim', 'BOUNCED', 'after event'])
    expect(events).toContain(words)
  for (const word of ['settled', 'cancelled']) expect(textOf(await shown.load('/waits?status=all'))).toContain(word)
})

test('what is refused changes no wait', async () => {
  const shown = await show()
  const { runtime, waitIds } = await waitingRun(shown.store, 'acme', asked)
  const globex = await show('globex', shown.store)
  await waitingRun(globex.store, 'globex', asked)
  const [place, refund, , , time] = waitIds as [string, string, string, string, string]
  const settle = { act: 'settle', value: '"Home"' }
  const refused: [number, string, object, Record<string, string>?][] = [
    [400, place, { act: 'settle', value: 'Home' }],
    [400, place, { act: 'settle' }],
    [400, place, { act: 'settle', value: '"x"' }],
    [400, place, { act: 'settle', value: '5' }],
    [400, place, { act: 'fail' }],
    [400, place, { act: 'settle', value: '"Home"', actor: '' }],
    [400, place, { act: 'other' }],
    [400, place, { ...settle, more: '1' }],
    [400, place, { value: '"Home"' }],
    [400, refund, { act: 'settle', value: '"Perhaps"' }],
    [400, time, { act: 'settle', value: '1' }],
    [403, place, settle, { origin: 'http://evil.example' }],
    [403, place, settle, { 'sec-fetch-site': 'cross-site' }],
    [403, place, settle, { cookie: '' }],
    [403, place, { ...settle, token: 'a'.repeat(43) }],
    [404, `wait_${'a'.repeat(32)}`, settle],
    [415, place, settle, { 'content-type': 'text/plain' }],
  ]
  for (const [status, waitId, fields, more] of refused) {
    expect([status, fields, more]).toEqual([await send(shown, waitId, fields, more), fields, more])
  }
  expect(await send(globex, place, settle)).toBe(404)
  expect((await globex.load(`/waits/${place}`)).text).toBe((await globex.load('/waits/nothing')).text)
  expect((await runtime.waits.list()).items.map(({ status }) => status)).toEqual(asked.map(() => 'open'))
  expect(await send(shown, place, settle)).toBe(303)
  expect(await send(shown, place, { act: 'settle', value: '"Elsewhere"' })).toBe(409)
  expect(await send(shown, place, { act: 'cancel' })).toBe(409)
})

test('open waits are found behind many closed ones', async () => {
  const shown = await show()
  await waitingRun(shown.store, 'acme', [waitFor.event({ name: 'the oldest' })])
  const { runtime, waitIds } = await waitingRun(
    shown.store,
    'acme',
    Array.from({ length: 60 }, (_, at) => waitFor.event({ name: `number ${at}` })),
  )
  for (const waitId of waitIds) await runtime.waits.cancel(waitId)
  const text = textOf(await shown.load('/waits'))
  expect([text.includes('the oldest'), text.includes('number')]).toEqual([true, false])
  const all = await shown.load('/waits?status=all')
  expect(all.text).toMatch(/href="\/waits\?status=all&amp;cursor=/)
})

test('the value of a wait may be as large as a wait takes', async () => {
  const shown = await show()
  const { runtime, waitIds } = await waitingRun(shown.store, 'acme', [waitFor.event({ name: 'large' })])
  const value = '"'.repeat(30_000)
  expect(await send(shown, waitIds[0] ?? '', { act: 'settle', value: JSON.stringify(value) })).toBe(303)
  expect((await runtime.waits.get(waitIds[0] ?? '')).value).toBe(value)
})

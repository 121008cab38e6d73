import { expect, test } from 'vitest'
import { verdictOf } from '../../ts/inspect/pages/ledger.ts'
import { RunTree } from '../../ts/inspect/run/tree.ts'
import { spansOf } from '../../ts/inspect/run/waterfall.ts'
import { html } from '../../ts/inspect/view/html.ts'
import { liveScript } from '../../ts/inspect/view/live.ts'
import { nameIn, pathOf } from '../../ts/inspect/view/paths.ts'
import { bar, bars, columns } from '../../ts/inspect/view/plots.ts'
import { duration, size } from '../../ts/inspect/view/values.ts'
import type { JournaledEvent } from '../../ts/types/events.ts'
import { attack, fillWithAttacks } from './hostile.ts'
import { show } from './subject.ts'

test('a template escapes everything but markup, in text and attributes, and lists of both', () => {
  const link = html`<a title="${`"'&<>`}">${['<b>', html`<i>${1}</i>`, undefined, false, ['&']]}</a>`
  expect(link.toString()).toBe('<a title="&quot;&#39;&amp;&lt;&gt;">&lt;b&gt;<i>1</i>&amp;</a>')
})

test('no text passes as markup', () => {
  const forged = { toString: () => '<b>', markup: '<b>' }
  expect(() => html`${forged as never}`.toString()).toThrow()
  expect(html`${JSON.parse('["<b>"]')}`.toString()).toBe('&lt;b&gt;')
})

test('invisible and direction-changing characters are shown by their number; lines and tabs stay', () => {
  const text = 'a\u202eb\0c\u200bd\ue000e\u2028f\ud800g\nh\ti'
  const shown = 'a\\u{202e}b\\u{0}c\\u{200b}d\\u{e000}e\\u{2028}f\\u{d800}g\nh\ti'
  expect(html`${text}`.toString()).toBe(shown)
  expect(html`${'שלום, Grüße, 你好, 👍'}`.toString()).toBe('שלום, Grüße, 你好, 👍')
})

test('ids of any content have a path that leads back to them alone', () => {
  for (const name of [
    '.',
    '..',
    '...',
    '~.',
    '~~..',
    '~',
    '~a',
    '/',
    '../x',
    '%2e',
    '?',
    '#',
    ' ',
    'ü',
    '\\',
    'a/b?c#d',
    '"><b>',
  ]) {
    const url = new URL(pathOf('/plans', name), 'http://127.0.0.1')
    expect([url.pathname.split('/').length, url.search, url.hash]).toEqual([3, '', ''])
    expect(nameIn(url.pathname.split('/')[2] ?? '')).toBe(name)
  }
})

test('sizes and times have a fitting unit', () => {
  expect([0, 1023, 1024, 1536, 5 << 20].map(size)).toEqual(['0 bytes', '1023 bytes', '1.0 KiB', '1.5 KiB', '5.0 MiB'])
  expect([0, 999, 1500, 61_000, 7_260_000, 200_000_000].map(duration)).toEqual([
    '0 ms',
    '999 ms',
    '1.5 s',
    '1 min 1 s',
    '2 h 1 min',
    '2 days',
  ])
})

test('plots draw their values, and nothing wider than their area', () => {
  const text = bars('x', [
    { name: 'one', value: 1, label: '1' },
    { name: 'four', value: 4, label: '4' },
    { name: 'none', value: 0, label: '0' },
  ]).toString()
  expect([...text.matchAll(/width="([\d.]+)" height="10" class="mark"/g)].map(([, width]) => width)).toEqual([
    '250.0',
    '1000.0',
    '0.0',
  ])
  expect(bar([[-5, 9]]).toString()).toContain('x="0.0" y="0" width="1000.0"')
  expect(bars('x', []).toString()).not.toMatch(/NaN|Infinity/)
  expect(columns('x', [{ name: 'a', value: 0, label: '0' }]).toString()).not.toMatch(/NaN|Infinity/)
})

test('the timeline of a run has a span for each agent, model, tool and approval, the unfinished to its end', () => {
  const at = (ms: number, event: object) =>
    ({ runId: 'x', sequence: ms, at: ms, ...event }) as unknown as JournaledEvent
  const tree = new RunTree()
  const events = [
    at(0, { type: 'run.started', prompt: 'x' }),
    at(1, { type: 'agent.started', agent: 'support' }),
    at(10, { type: 'model.completed', model: 'test/small' }),
    at(11, { type: 'tool.called', callId: 'c1', tool: 'search' }),
    at(20, { type: 'tool.completed', callId: 'c1' }),
    at(21, { type: 'approval.requested', approval: { approvalId: 'a1' } }),
    at(30, { type: 'run.suspended', approvals: [] }),
  ]
  for (const event of events) tree.add(event)
  expect(spansOf(tree.nodes, 30)).toEqual([
    { name: 'support', tone: 'agent', from: 1, to: 30, depth: 0 },
    { name: 'test/small', tone: 'model', from: 1, to: 10, depth: 1 },
    { name: 'search', tone: 'tool', from: 11, to: 20, depth: 1 },
    { name: 'approval', tone: 'wait', from: 21, to: 30, depth: 1 },
  ])
})

test('an attack in every stored field is text on every page', async () => {
  const shown = await show()
  const paths = await fillWithAttacks(shown.store, 'acme')
  let found = 0
  for (const path of paths) {
    const { status, text: page } = await shown.load(path)
    expect([path, status]).toEqual([path, 200])
    // Our own pages have one script, and none of the rest; so whatever else is there came from a field.
    const text = page.replace(`<script>${liveScript}</script>`, () => '')
    expect(text).not.toBe(page)
    expect([path, text.match(/<(?:script|style|iframe|!--)|<img (?!src="\/icon\.svg")|\son\w+=[^&]*>/g)]).toEqual([
      path,
      null,
    ])
    expect(text).not.toMatch(/[\0\u202e]/)
    found += text.split('&lt;img src=x onerror=alert(1)&gt;').length - 1
  }
  expect(found).toBeGreaterThan(60)
  expect(attack).toContain('\u202e')
})

test('an empty tenant has every page, and looking at it makes nothing', async () => {
  const shown = await show('nobody-yet')
  for (const path of ['/', '/runs', '/approvals', '/plans', '/references', '/threads', '/events', '/ledger']) {
    expect([path, (await shown.load(path)).status]).toEqual([path, 200])
  }
  const { storage } = await shown.runtime.usage()
  expect(Object.values(storage).every(({ items, bytes }) => items === 0 && bytes === 0)).toBe(true)
})

test('an invalid ledger is reported as such, with the place of each problem', () => {
  const problems = [
    { sequence: 3, problem: 'it was <changed>' },
    { sequence: null, problem: 'it was put back' },
  ]
  const text = verdictOf({ ok: false, size: 7, problems }).toString()
  expect(text).toContain('The ledger does not hold.')
  expect(text).toContain('Record 3: it was &lt;changed&gt;')
  expect(text).toContain('In all: it was put back')
  expect(verdictOf({ ok: true, size: 7, problems: [] }).toString()).toContain('The ledger is whole.')
})

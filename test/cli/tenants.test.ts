import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { run } from '../../ts/cli/run.ts'
import { createHost, createRuntime, openStore, verifyReceipt } from '../../ts/index.ts'
import { emptyNotice, isEmpty } from '../../ts/inspect/emptiness.ts'
import { models, openWait, specOf } from '../../ts/isolation/environment.ts'
import type { OpenStore } from '../../ts/store/store.ts'
import { suspendedRun } from '../inspect/subject.ts'
import { durableEngines, freshFolder, freshUrl, noon, openFresh, runtimeFor } from '../support/stores.ts'
import { bailiwick, oneLine } from './command.ts'

const words = { prompt: 'Refund order 7', actor: 'kim', threadId: 'support-1', input: 'x', result: 'y', answer: 'z' }

/** A closed store in which acme and globex have something of every kind. */
async function filled(engine: (typeof durableEngines)[number]) {
  const url = await freshUrl(engine)
  await using store = await openStore(url)
  const told = { runId: '', id: '' }
  for (const name of ['acme', 'globex']) {
    const { references, plans, approvals, threads, cache } = await runtimeFor(store, name)
    const { id } = await references.put('note', `of ${name}`)
    await references.put('picture', new Uint8Array([0, 255, 10]), { mediaType: 'image/png' })
    const { planId } = await plans.save({ type: 'launch', planId: 'launch', goal: `goal of ${name}`, steps: [] })
    await plans.save({ type: 'launch', planId, goal: 'the second', steps: [] })
    const { approvalId } = await approvals.request({ tool: 'refund', input: { order: 7 } })
    await approvals.respond(approvalId, { decision: 'approve', actor: 'lee' })
    await threads.append('imported', [{ role: 'user', parts: [{ type: 'text', text: `by ${name}` }], createdAt: 1 }])
    await cache.set('key', 1)
    const runId = await suspendedRun(store as OpenStore, name, { ...words, prompt: `asked by ${name}\u001b[2J` })
    if (name === 'acme') Object.assign(told, { runId, id })
  }
  return { url, publicKey: store.publicKey, ...told }
}

/** The built command, with the store in the environment. */
function ask(url: string, [name = '', ...more]: readonly string[]) {
  return bailiwick([name, 'env:THE_STORE', ...more], { THE_STORE: url })
}

function jsonLines(folder: string, file: string): Record<string, unknown>[] {
  const text = readFileSync(join(folder, file), 'utf8')
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]))
}

describe.each(durableEngines)('one tenant of a store on %s', (engine) => {
  test('runs lists a tenant’s runs with prompt and answer, and shows one', async () => {
    const { url, runId } = await filled(engine)
    const list = await ask(url, ['runs', '--tenant', 'acme'])
    expect([list.code, list.err]).toEqual([0, ''])
    expect(list.out).toMatch(new RegExp(`^${runId} {2}suspended {2}\\S+Z {2}support for kim\\n`))
    expect(list.out).toContain('  asked   asked by acme\\u{1b}[2J\n  answer  waits for refund\n')
    expect(list.out).not.toContain('globex')
    const asJson = JSON.parse((await ask(url, ['runs', '--tenant', 'acme', '--status', 'suspended', '--json'])).out)
    expect(asJson).toMatchObject({ runs: [{ runId, status: 'suspended', answer: 'waits for refund' }], more: false })
    const none = await ask(url, ['runs', '--tenant', 'acme', '--status', 'failed'])
    expect([none.code, none.out]).toEqual([0, 'There is no failed run for this name.\n'])
    const one = await ask(url, ['runs', runId, '--tenant', 'acme'])
    expect(one.code).toBe(0)
    for (const type of ['run.started', 'tool.called', 'approval.requested', 'run.suspended'])
      expect(one.out).toContain(type)
    const { events } = JSON.parse((await ask(url, ['runs', runId, '--tenant', 'acme', '--json'])).out)
    expect(events.map(({ sequence }: { sequence: number }) => sequence)).toEqual(
      events.map((_: unknown, at: number) => at),
    )
    // Another tenant's is no run, as is one of nobody.
    const foreign = await ask(url, ['runs', runId, '--tenant', 'globex'])
    const nobodys = await ask(url, ['runs', `run_${'a'.repeat(32)}`, '--tenant', 'globex'])
    expect(foreign).toEqual({ code: 1, out: 'There is no run with this id for this name.\n', err: '' })
    expect(nobodys).toEqual(foreign)
  })

  test('waits lists what waits, and shows, settles and cancels it, for its tenant alone', async () => {
    const url = await freshUrl(engine)
    const ids: string[] = []
    {
      await using store = await openStore(url)
      const runtime = await createRuntime(specOf('acme'), { store, models: models() })
      for (const question of ['Which\u001b[2J?', 'Why?']) ids.push(await openWait(runtime, question))
    }
    const [first = '', second = ''] = ids
    const of = ['--tenant', 'acme'] as const
    const list = await ask(url, ['waits', ...of, '--kind', 'answer'])
    expect([list.code, list.err]).toEqual([0, ''])
    expect(list.out).toContain(`${first}  open  answer  until `)
    expect(list.out).toContain('  asks    Which\\u{1b}[2J?\n')
    const foreign = await ask(url, ['waits', first, '--tenant', 'globex', '--settle', '"Yes"'])
    expect(foreign).toEqual(await ask(url, ['waits', `wait_${'a'.repeat(32)}`, '--tenant', 'globex', '--settle', '1']))
    expect(foreign.code).toBe(1)
    expect(await ask(url, ['waits', first, ...of, '--settle', '5'])).toEqual(oneLine)
    const settled = await ask(url, ['waits', first, ...of, '--settle', '"Yes"', '--actor', 'kim', '--json'])
    expect(JSON.parse(settled.out)).toMatchObject({ wait: { status: 'settled', value: 'Yes', actor: 'kim' } })
    const again = await ask(url, ['waits', first, ...of, '--settle', '"No"'])
    expect([again.code, again.out]).toEqual([1, expect.stringContaining('closed')])
    expect((await ask(url, ['waits', second, ...of, '--cancel'])).out).toBe(`cancelled: ${second}\n`)
    expect((await ask(url, ['waits', second, ...of, '--cancel'])).code).toBe(1)
    expect((await ask(url, ['waits', second, ...of])).out).toContain(`${second}  cancelled  answer`)
  })

  test('runs resumes what can go on for a host to take up, and cancels, for its tenant alone', async () => {
    const url = await freshUrl(engine)
    const runIds: string[] = []
    let waitId = ''
    {
      await using store = await openStore(url)
      const runtime = await createRuntime(specOf('acme'), { store, models: models() })
      for (const question of ['First?', 'Second?']) {
        waitId = await openWait(runtime, question)
        runIds.push((await runtime.waits.get(waitId)).runId)
      }
    }
    const [first = '', second = ''] = runIds
    const of = ['--tenant', 'acme'] as const
    for (const act of ['--resume', '--cancel']) {
      const foreign = await ask(url, ['runs', second, '--tenant', 'globex', act])
      expect(foreign).toEqual(await ask(url, ['runs', `run_${'a'.repeat(32)}`, '--tenant', 'globex', act]))
      expect([foreign.code, foreign.out]).toEqual([1, 'There is no run with this id for this name.\n'])
    }
    const early = await ask(url, ['runs', second, ...of, '--resume'])
    expect([early.code, early.out]).toEqual([1, `This run still waits for ${waitId}.\n`])
    expect((await ask(url, ['waits', waitId, ...of, '--settle', '"Yes"'])).code).toBe(0)
    const due = await ask(url, ['runs', second, ...of, '--resume'])
    expect([due.code, due.out]).toEqual([0, expect.stringContaining(`due: ${second}\nA host takes it up`)])
    const cancelled = await ask(url, ['runs', first, ...of, '--cancel', '--json'])
    expect(JSON.parse(cancelled.out)).toMatchObject({ run: { runId: first, status: 'cancelled' } })
    for (const act of ['--resume', '--cancel']) {
      const over = await ask(url, ['runs', first, ...of, act])
      expect([over.code, over.out]).toEqual([1, 'This run has ended: it is cancelled.\n'])
    }
    // The command did nothing but announce it: a host does the work.
    await using store = await openStore(url)
    await using host = await createHost(specOf('any'), { store, models: models(), specFor: specOf } as never)
    const runtime = await host.runtime('acme')
    expect((await runtime.runs.get(second)).status).toBe('suspended')
    await host.start()
    for await (const event of runtime.runs.follow(second)) void event
    expect((await runtime.runs.get(second)).status).toBe('completed')
  })

  test('a running host keeps a directory from the command, and its page acts instead', async () => {
    const { url, runId } = await filled(engine)
    await using _store = await openStore(url)
    const answer = await ask(url, ['runs', runId, '--tenant', 'acme', '--resume'])
    if (engine === 'sled') expect([answer, answer.err]).toEqual([oneLine, expect.stringContaining('running host')])
    else expect([answer.code, answer.out]).toEqual([1, expect.stringContaining('This run still waits for approval_')])
  })

  test('export writes all that a tenant has, and nothing of another', async () => {
    const { url, id, runId, publicKey } = await filled(engine)
    const folder = join(freshFolder(), 'export')
    const { code, out, err } = await ask(url, ['export', folder, '--tenant', 'acme'])
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(/^exported: tenant "acme" to "/)
    const about = JSON.parse(readFileSync(join(folder, 'tenant.json'), 'utf8'))
    expect(about).toMatchObject({ format: 1, resourceId: 'acme', publicKey })
    for (const [file, lines] of Object.entries(about.lines))
      expect([file, jsonLines(folder, file).length]).toEqual([file, lines])
    const listed = readdirSync(folder).sort()
    expect(listed).toEqual(
      [...Object.keys(about.lines), 'checkpoint.json', 'references', 'tenant.json', 'usage.json'].sort(),
    )
    expect(
      jsonLines(folder, 'references.jsonl')
        .map((one) => one['type'])
        .sort(),
    ).toEqual(['note', 'picture'])
    const values = readdirSync(join(folder, 'references')).map((name) => readFileSync(join(folder, 'references', name)))
    expect(values.some((bytes) => bytes.equals(Buffer.from([0, 255, 10])))).toBe(true)
    expect(readFileSync(join(folder, 'references', id), 'utf8')).toContain('of acme')
    expect(
      jsonLines(folder, 'plans.jsonl')
        .map((one) => one['goal'])
        .sort(),
    ).toEqual(['goal of acme', 'the second'])
    expect(
      jsonLines(folder, 'approvals.jsonl')
        .map((one) => one['status'])
        .sort(),
    ).toEqual(['approved', 'pending'])
    expect(jsonLines(folder, 'ledger.jsonl')).toMatchObject([{ actor: 'lee', decision: 'approved' }])
    expect(jsonLines(folder, 'messages.jsonl')[0]).toMatchObject({
      threadId: expect.any(String),
      parts: expect.any(Array),
    })
    expect(jsonLines(folder, 'runs.jsonl')).toMatchObject([{ runId }])
    expect(jsonLines(folder, 'events.jsonl')[0]).toMatchObject({ type: 'run.started', sequence: 0, runId })
    expect(jsonLines(folder, 'traces.jsonl').every((event) => !('runId' in event))).toBe(true)
    const all = listed.filter((name) => name !== 'references').map((name) => readFileSync(join(folder, name), 'utf8'))
    expect(all.join('')).not.toContain('globex')
    if (process.platform !== 'win32') {
      expect([statSync(folder).mode & 0o77, statSync(join(folder, 'tenant.json')).mode & 0o77]).toEqual([0, 0])
    }
    // It replaces nothing, its own neither.
    const again = await ask(url, ['export', folder, '--tenant', 'acme'])
    expect(again).toEqual(oneLine)
    expect(again.err).toContain('is not empty; nothing was written')
    expect(readdirSync(join(folder, '..'))).toEqual(['export'])
  })

  test('erase asks for the name again, saves the receipt, and leaves the others', async () => {
    const { url, publicKey } = await filled(engine)
    const folder = freshFolder()
    const file = join(folder, 'receipt.json')
    for (const [more, message] of [
      [[], '--confirm is missing'],
      [['--confirm', 'acmee'], '--confirm is not the name'],
      [['--confirm', 'acme', '--receipt', folder], 'cannot be written'],
    ] as const) {
      const refused = await ask(url, ['erase', '--tenant', 'acme', ...more])
      expect(refused).toEqual(oneLine)
      expect(refused.err).toContain(message)
    }
    expect((await ask(url, ['runs', '--tenant', 'acme'])).out).toContain('suspended')
    const erased = await ask(url, ['erase', '--tenant', 'acme', '--confirm', 'acme', '--receipt', file])
    expect([erased.code, erased.err]).toEqual([0, ''])
    expect(erased.out).toMatch(/^erased: tenant "acme" with \d+ items\n/)
    expect(verifyReceipt(JSON.parse(readFileSync(file, 'utf8')), publicKey)).toBe(true)
    expect((await bailiwick(['verify', file, '--key', publicKey])).code).toBe(0)
    const again = await ask(url, ['erase', '--tenant', 'acme', '--confirm', 'acme', '--receipt', `${file}.2`])
    expect([again.code, again.out]).toEqual([1, `nothing erased: ${emptyNotice}\n`])
    expect(existsSync(`${file}.2`)).toBe(false)
    const nobody = await ask(url, ['erase', '--tenant', 'nobody', '--confirm', 'nobody'])
    expect(nobody).toEqual(again)
    const other = await ask(url, ['erase', '--tenant', 'globex', '--confirm', 'globex', '--json'])
    const { receipt, publicKey: key } = JSON.parse(other.out)
    expect([verifyReceipt(receipt, key), key]).toEqual([true, publicKey])
  })

  test('a tenant with nothing but a ledger can be erased, and the receipt invents no version', async () => {
    const store = await openFresh(engine, {}, { now: noon })
    const { approvals, plans } = await runtimeFor(store)
    const { planId } = await plans.save({ type: 'report', goal: 'x', steps: [] }, {})
    const { approvalId } = await approvals.request({ planId })
    await approvals.respond(approvalId, { decision: 'approve', actor: 'lee' })
    await store.advance(3650 * 86_400_000)
    await store.sweep()
    const runtime = await runtimeFor(store)
    await expect(plans.load(planId)).rejects.toThrow()
    expect(await isEmpty(runtime)).toBe(false)
    expect((await approvals.history()).items).toHaveLength(1)

    const { url } = await filled(engine)
    const of = (...more: string[]) => ['erase', '--tenant', 'globex', '--confirm', 'globex', '--json', ...more]
    expect(JSON.parse((await ask(url, of('--tenant-version', 'v7'))).out).receipt.tenant.version).toBe('v7')
    const { url: other } = await filled(engine)
    expect(JSON.parse((await ask(other, of())).out).receipt.tenant.version).toBe('-')
    expect((await ask(other, [...of(), '--tenant-version', ''])).out).toContain('--tenant-version is no version')
  })

  test('a name without data is reported as such, and nothing is created', async () => {
    const { url } = await filled(engine)
    const folder = join(freshFolder(), 'export')
    expect(await ask(url, ['export', folder, '--tenant', 'acmee'])).toEqual({
      code: 1,
      out: `nothing written: ${emptyNotice}\n`,
      err: '',
    })
    expect(existsSync(folder)).toBe(false)
    expect(await ask(url, ['runs', '--tenant', 'acmee'])).toEqual({ code: 1, out: `${emptyNotice}\n`, err: '' })
    expect(JSON.parse((await ask(url, ['doctor', '--json'])).out)).toMatchObject({ tenants: 2 })
  })
})

test('a person confirms by typing the name, and a wrong name erases nothing', async () => {
  const { url } = await filled('sled')
  const asked: string[] = []
  const told: string[] = []
  const tell = (text: string) => void told.push(text)
  const terminal = (answer: string) => ({
    print: tell,
    complain: tell,
    isInteractive: false,
    ask: async (question: string) => {
      asked.push(question)
      return answer
    },
  })
  expect(await run(['erase', url, '--tenant', 'acme'], terminal('yes'))).toBe(2)
  expect(told.join('')).toContain('That is not the name of the tenant. Nothing was erased.')
  expect(await run(['erase', url, '--tenant', 'acme'], terminal('acme'))).toBe(0)
  expect(asked[0]).toBe('Everything of tenant "acme" is erased, for good. Type its name to go on: ')
  expect(told.join('')).toContain('"note":')
})

test('an export that cannot be whole leaves nothing', async () => {
  const { url } = await filled('sled')
  const folder = freshFolder()
  mkdirSync(join(folder, 'full'))
  writeFileSync(join(folder, 'full', 'mine'), 'x')
  writeFileSync(join(folder, 'file'), 'x')
  for (const target of ['full', 'file', join('nowhere', 'export')]) {
    const answer = await ask(url, ['export', join(folder, target), '--tenant', 'acme'])
    expect([target, answer]).toEqual([target, oneLine])
  }
  expect(readdirSync(folder, { recursive: true }).sort()).toEqual(['file', 'full', join('full', 'mine')])
  mkdirSync(join(folder, 'empty'))
  expect((await ask(url, ['export', join(folder, 'empty'), '--tenant', 'acme'])).code).toBe(0)
})

test.each([
  [['runs', './nothing', '--tenant', 'acme'], 'There is no store in "./nothing"'],
  [['runs', '.'], '--tenant is missing'],
  [['runs', '.', '--tenant', 'acme', '--status', 'done'], '--status is none of queued,'],
  [['runs', '.', '--tenant', 'acme', '--limit', '0'], '--limit is no number from 1 to 1000'],
  [['waits', '.', '--tenant', 'acme', '--settle', '1'], 'need the id of a wait'],
  [['waits', '.', 'wait_x', '--tenant', 'acme', '--settle', 'Yes'], '--settle is no JSON'],
  [['waits', '.', 'wait_x', '--tenant', 'acme', '--settle', '1', '--cancel'], 'either --settle or --cancel'],
  [['waits', '.', '--tenant', 'acme', '--kind', 'all'], '--kind is none of answer, event, time'],
  [['runs', '.', 'run_x', '--tenant', 'acme', '--limit', '5'], '--status and --limit are for lists'],
  [['runs', '.', '--tenant', 'acme', '--resume'], 'need the id of a run'],
  [['runs', '.', 'run_x', '--tenant', 'acme', '--resume', '--cancel'], 'either --resume or --cancel'],
  [['export', '.', '--tenant', 'acme'], '<directory> is missing'],
  [['export', '.', 'memory:', '--tenant', 'acme'], 'memory: is no directory'],
  [['export', '.', './x', '--tenant', ''], '--tenant is no resourceId'],
  [['erase', '.', '--confirm', 'acme'], '--tenant is missing'],
  [['erase', './nothing', '--tenant', 'acme', '--confirm', 'acme'], 'There is no store in "./nothing"'],
  [['erase', 'memory:', '--tenant', 'acme', '--confirm', 'acme'], 'A store in memory is in its own process alone'],
])('refuses %j in one line', async (words, message) => {
  const answer = await bailiwick(words)
  expect(answer).toEqual(oneLine)
  expect(answer.err).toContain(message)
})

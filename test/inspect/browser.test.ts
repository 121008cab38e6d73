import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import process from 'node:process'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { startBrowser } from '../../scripts/lib/browser.mjs'
import { waitFor } from '../../ts/index.ts'
import { startInspector } from '../../ts/inspect/server.ts'
import { hostOn, waiting } from '../hosts/team.ts'
import { openFresh, runtimeFor } from '../support/stores.ts'
import { fillWithAttacks } from './hostile.ts'
import { focused, lookOf, problemsOfPage, shiftOfPage } from './measure.ts'
import { fillPleasantly } from './pleasant.ts'
import { waitingRun } from './subject.ts'

let browser: Browser
beforeAll(async () => {
  browser = await startBrowser()
})
afterAll(() => browser?.close())

/** A page that is shown in a browser of its own, and whatever the browser complained of or asked of others. */
async function open(fill: typeof fillPleasantly, options: Parameters<Browser['newContext']>[0] = {}) {
  const store = await openFresh('memory')
  const paths = await fill(store, 'acme')
  const runtime = await runtimeFor(store, 'acme')
  const inspector = await startInspector({ runtime, publicKey: store.publicKey }, 0)
  onTestFinished(() => inspector.close())
  const context = await browser.newContext(options)
  onTestFinished(() => context.close())
  const { origin } = new URL(inspector.url)
  const complaints: string[] = []
  context.on('console', (message) => {
    // That a page is not found, the browser says as well; it is what one of them is.
    if (!/status of 404/.test(message.text())) complaints.push(message.text())
  })
  context.on('weberror', (error) => complaints.push(String(error.error())))
  context.on('dialog', (dialog) => {
    complaints.push(`a dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  context.on('request', (request) => {
    if (!request.url().startsWith(`${origin}/`)) complaints.push(`a request to ${request.url()}`)
  })
  const page = await context.newPage()
  await enter(page, inspector.url, origin)
  return { paths, runtime, inspector, context, page, origin, complaints }
}

/** Opens the link and is led on by it. */
async function enter(page: Page, url: string, origin: string): Promise<void> {
  await page.goto(url)
  await page.waitForURL(`${origin}/`)
}

async function unfold(page: Page): Promise<void> {
  await page.evaluate('for (const folded of document.querySelectorAll("details")) folded.open = true')
}

/** How the browser draws a page on the screen. `blank`: another page, which measures the picture. */
async function look(blank: Page, page: Page, file: string): Promise<Awaited<ReturnType<typeof lookOf>>> {
  const folder = process.env['BAILIWICK_SCREENSHOTS']
  const picture = await page.screenshot(folder === undefined ? {} : { path: `${folder}/${file}.png`, fullPage: true })
  return await blank.evaluate(lookOf, picture.toString('base64'))
}

test.each([
  ['light', 1280],
  ['light', 390],
  ['dark', 1280],
  ['dark', 390],
] as const)('every page can be read, %s and %i wide', async (colorScheme, width) => {
  const viewport = { width, height: 900 }
  const { paths, page, origin, complaints } = await open(fillPleasantly, { colorScheme, viewport })
  const blank = await browser.newPage()
  onTestFinished(() => blank.close())
  for (const [at, path] of paths.entries()) {
    await page.goto(origin + path)
    await unfold(page)
    expect([path, await page.evaluate(problemsOfPage)]).toEqual([path, []])
    const { lightness, ink } = await look(blank, page, `${colorScheme}-${width}-${at}`)
    expect([path, colorScheme === 'light' ? lightness > 0.75 : lightness < 0.25]).toEqual([path, true])
    expect(ink).toBeGreaterThan(0.01)
    expect(ink).toBeLessThan(0.7)
  }
  expect(complaints).toEqual([])
})

test('an attack in every stored field stays text in a real browser, and still can be read', async () => {
  const { paths, page, origin, complaints } = await open(fillWithAttacks, { viewport: { width: 390, height: 900 } })
  for (const path of paths) {
    await page.goto(origin + path)
    await unfold(page)
    const foreign =
      'script:not(#live + script), style, iframe, object, embed, base, img:not([src="/icon.svg"]), [onload], [onerror], [style]'
    expect([path, await page.locator(foreign).count()]).toEqual([path, 0])
    expect([path, await page.evaluate(problemsOfPage)]).toEqual([path, []])
  }
  expect(complaints).toEqual([])
})

test('a person decides with the keyboard alone, and the ledger names the person and the reason', async () => {
  const { page, runtime, origin, complaints } = await open(fillPleasantly)
  const [asked] = (await runtime.approvals.pending()).items
  await page.goto(`${origin}/approvals/${asked?.approvalId}`)
  const at = () => page.evaluate(focused)
  await page.keyboard.press('Tab')
  expect((await at()).name).toBe('skip')
  for (let presses = 0; (await at()).name !== 'actor'; presses += 1) {
    expect(presses).toBeLessThan(40)
    await page.keyboard.press('Tab')
    expect((await at()).outline).toBe('solid')
  }
  await page.keyboard.type('Kim <b>')
  await page.keyboard.press('Tab')
  await page.keyboard.type('It came broken')
  // Past the line that opens another input, and Approve.
  for (let presses = 0; presses < 3; presses += 1) await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.getByRole('status').waitFor()
  expect(await page.getByRole('status').textContent()).toContain('rejected')
  const { items } = await runtime.approvals.history()
  const said = { approvalId: asked?.approvalId, decision: 'rejected', actor: 'Kim <b>', reason: 'It came broken' }
  expect(items.at(-1)).toMatchObject(said)
  expect(complaints).toEqual([])
})

test('without a name nothing is decided', async () => {
  const { page, runtime, origin } = await open(fillPleasantly)
  const before = (await runtime.approvals.pending()).items.length
  await page.goto(`${origin}/approvals`)
  await page.getByRole('button', { name: 'Approve' }).first().click()
  expect(await page.locator('input:invalid').count()).toBeGreaterThan(0)
  expect((await runtime.approvals.pending()).items.length).toBe(before)
})

test('a page shows what is new by itself, and what was unfolded stays so', async () => {
  let waited: Awaited<ReturnType<typeof waitingRun>> | undefined
  const { page, origin, complaints } = await open(async (store, id) => {
    waited = await waitingRun(store, id, [waitFor.answer({ question: 'Where to?' })])
    return []
  })
  const { runtime, runId, waitIds } = waited as NonNullable<typeof waited>
  await page.goto(`${origin}/runs/${runId}`)
  await page.locator('summary', { hasText: 'Input' }).click()
  const { threadId } = await runtime.runs.get(runId)
  await page.getByRole('link', { name: threadId }).focus()
  await runtime.waits.settle(waitIds[0] ?? '', { value: 'Home' }, { actor: 'kim' })
  expect(await runtime.runs.resume(runId).result()).toMatchObject({ status: 'completed' })
  await page.getByText('run.completed').waitFor()
  expect(await page.locator('.facts .chip').first().textContent()).toBe('completed')
  expect(await page.locator('details[open] > summary').allTextContents()).toEqual([expect.stringMatching(/^Input/)])
  expect(await page.evaluate('document.activeElement.textContent')).toBe(threadId)
  expect(await page.getByRole('button', { name: 'Cancel the run' }).count()).toBe(0)
  expect(complaints).toEqual([])
})

test('the steps of a run are unfolded, and one is replayed, by the keyboard alone, and nothing shifts as they load', async () => {
  const { paths, page, runtime, origin, complaints } = await open(fillPleasantly)
  const path = paths.find((one) => one.includes('?fork='))?.split('?')[0] ?? ''
  await page.goto(origin + path)
  expect(await page.evaluate(shiftOfPage)).toBe(0)
  const input = page.locator('[data-key="call c2"] > details').first()
  await input.locator('summary').focus()
  await page.keyboard.press('Enter')
  expect(await input.locator('pre').isVisible()).toBe(true)
  await page.getByRole('link', { name: 'Replay from here' }).nth(1).focus()
  await page.keyboard.press('Enter')
  await page.waitForURL(/\?fork=/)
  for (let presses = 0; (await page.evaluate(focused)).name !== 'act'; presses += 1) {
    expect(presses).toBeLessThan(40)
    await page.keyboard.press('Tab')
  }
  await page.keyboard.press('Enter')
  await page.getByRole('status').filter({ hasText: 'This fork was made' }).waitFor()
  const { threadId = '', length } = (await runtime.threads.list()).items[0] ?? {}
  expect([length, await page.locator('pre').first().textContent()]).toEqual([3, expect.stringContaining(threadId)])
  expect(complaints).toEqual([])
})

test('a value is saved as a file, and runs are found by the form', async () => {
  const { page, runtime, origin, complaints } = await open(fillPleasantly)
  const { id } = await runtime.references.put('page', '<script>alert(1)</script>', { mediaType: 'text/html' })
  await page.goto(`${origin}/references/${id}`)
  const saving = page.waitForEvent('download')
  await page.getByRole('link', { name: 'Download' }).click()
  const file = await saving
  expect(file.suggestedFilename()).toBe(`${id}.bin`)
  expect(await readFile(await file.path(), 'utf8')).toBe('<script>alert(1)</script>')
  await page.goto(`${origin}/runs`)
  await page.getByText('By asked agent, thread and time').click()
  await page.getByLabel('Asked agent').fill('front')
  await page.getByLabel('Started from (UTC)').fill('2026-01-01T00:00')
  await page.getByRole('button', { name: 'Search' }).click()
  await page.waitForURL(/agent=front/)
  expect(await page.locator('tbody tr').count()).toBe(1)
  expect(await page.getByLabel('Started from (UTC)').inputValue()).toBe('2026-01-01T00:00')
  expect(complaints).toEqual([])
})

test('a form that is being filled in is not exchanged for another', async () => {
  const { page, runtime, origin, complaints } = await open(async () => [])
  const ask = (order: number) => runtime.approvals.request({ tool: 'refund', input: { order } })
  const { approvalId } = await ask(17)
  await page.goto(`${origin}/approvals`)
  await page.getByLabel('Why').fill('It came broken')
  const other = await ask(18)
  const line = page.getByText('What can be decided here has changed.')
  await line.waitFor()
  expect(await page.locator('form').count()).toBe(1)
  expect(await page.locator('form').getAttribute('action')).toBe(`/approvals/${approvalId}`)
  expect(await page.getByLabel('Why').inputValue()).toBe('It came broken')
  await page.getByRole('link', { name: 'Show it' }).click()
  await page.locator('form').nth(1).waitFor()
  expect(await line.count()).toBe(0)
  // Nothing is left to decide: so nothing can be decided by mistake.
  for (const id of [approvalId, other.approvalId])
    await runtime.approvals.respond(id, { decision: 'reject', actor: 'lee' })
  await page.getByText('Nothing waits for a decision.').waitFor()
  expect(complaints).toEqual([])
})

test('a page that cannot be loaded again, or has become that of another tenant, says so and stays', async () => {
  const host = await hostOn(await openFresh('memory'))
  let tenant = 'acme'
  const server = createServer(host.inspector({ tenant: () => tenant, basePath: '/inspect' }))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const page = await browser.newPage()
  onTestFinished(() => page.close())
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/inspect/approvals`)
  await waiting(await host.runtime('acme'))
  await page.getByText('Call send?').waitFor()
  tenant = 'globex'
  const line = page.getByText('What you see may be old')
  await line.waitFor()
  expect(await page.locator('.tenant b').textContent()).toBe('acme')
  await page.getByText('Call send?').waitFor()
  tenant = 'acme'
  await line.waitFor({ state: 'hidden' })
  server.closeAllConnections()
  server.close()
  await line.waitFor()
})

test('a page of another server on this machine, whose requests carry the cookie, decides and reads nothing', async () => {
  const { page, runtime, origin, context } = await open(fillPleasantly)
  const [asked] = (await runtime.approvals.pending()).items
  const action = `${origin}/approvals/${asked?.approvalId}`
  const evil = createServer((_, response) => {
    response.setHeader('Content-Type', 'text/html')
    response.end(`<iframe src="${origin}/" name="framed"></iframe><form method="post" action="${action}">
<input name="token" value="x"><input name="actor" value="evil"><input name="reason" value=""><button name="decision" value="approve">Go</button></form>`)
  })
  await new Promise<void>((resolve) => evil.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void evil.close())
  await page.goto(`http://127.0.0.1:${(evil.address() as AddressInfo).port}/`)
  const read = await page.evaluate(async (url) => {
    const answer = await fetch(url, { credentials: 'include' }).catch((error: Error) => error.name)
    return typeof answer === 'string' ? answer : answer.text()
  }, `${origin}/approvals`)
  expect(read).toBe('TypeError')
  expect(await page.frame('framed')?.content()).not.toContain('acme')
  const answered = context.waitForEvent('response', (response) => response.url() === action)
  await page.getByRole('button').click()
  const answer = await answered
  expect(answer.status()).toBe(403)
  // So it was not for want of the cookie.
  expect((await answer.request().allHeaders())['cookie']).toContain('bailiwick-inspect-')
  expect((await runtime.approvals.get(asked?.approvalId ?? '')).status).toBe('pending')
})

test('a name that resolves to this machine (DNS rebinding) shows nothing, although the page is served', async () => {
  const rebound = await startBrowser(['--host-resolver-rules=MAP evil.example 127.0.0.1'])
  onTestFinished(() => rebound.close())
  const { origin, inspector } = await open(fillPleasantly)
  const page = await rebound.newPage()
  const link = new URL(inspector.url)
  for (const url of [
    `http://evil.example:${link.port}/`,
    `http://evil.example:${link.port}${link.pathname}${link.search}`,
  ]) {
    expect((await page.goto(url))?.status()).toBe(421)
    expect(await page.content()).not.toContain('acme')
  }
  expect((await page.goto(`${origin}/`))?.status()).toBe(403)
})

test('what moves as a page loads is detected', async () => {
  const page = await browser.newPage()
  onTestFinished(() => page.close())
  await page.setContent('<p>words</p>')
  expect(await page.evaluate(shiftOfPage)).toBe(0)
  await page.evaluate('document.body.prepend(Object.assign(document.createElement("div"), { style: "height: 300px" }))')
  expect(await page.evaluate(shiftOfPage)).toBeGreaterThan(0)
})

test('an unreadable page is detected', async () => {
  const page = await browser.newPage({ viewport: { width: 390, height: 600 } })
  onTestFinished(() => page.close())
  await page.setContent(`<title>x</title><main><h1>One</h1><h1>Two</h1><h3>Three</h3>
<p style="color:#999;background:#fff">pale words</p><p style="font-size:9px">small words</p>
<p style="width:3em;overflow:hidden;white-space:nowrap">words that are cut off</p>
<p style="white-space:nowrap">words that go on and on until they leave the window on its right hand side</p>
<p>words below</p><p style="margin-top:-2.2em">words above</p>
<input name="field"><img src="data:,"><svg width="9" height="9"></svg><a href="x"></a><i id="a"></i><i id="a"></i></main>`)
  const problems = (await page.evaluate(problemsOfPage)).join('\n')
  for (const part of [
    'contrast 2.85 of "pale words"',
    '"small words" has a size of 9px',
    '"words that are cut off" is cut by p',
    'leaves the window',
    'wider than the window',
    '"words below" lies over "words above"',
    'the language is not said',
    'not one heading of the first rank',
    '"Three" skips a rank',
    'field has no label',
    'an image has no alt',
    'a drawing is neither named nor hidden',
    'has no words',
    'an id is there twice',
  ]) {
    expect(problems).toContain(part)
  }
})

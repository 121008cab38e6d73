// The example in a real browser. Next.js takes minutes to build it, so this is for `npm run test:long`.
import { appendFileSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { startBrowser } from '../../scripts/lib/browser.mjs'
import { inRoot } from '../../scripts/lib/root.mjs'
import { buildSite, type Server, serve } from './site.ts'

const BUILD_MS = 900_000
const TEST_MS = 300_000
/** As lib/demo-model.ts has it. */
const story = Array.from({ length: 120 }, (_, at) => `This is sentence ${at + 1}.`).join(' ')
/** A picture of 1 × 1 pixels. */
const picture = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)

function dependenciesOf(...folder: string[]): Record<string, string> {
  return JSON.parse(readFileSync(inRoot(...folder, 'package.json'), 'utf8')).dependencies
}

test('the example has the versions that are tested elsewhere', () => {
  const { next, react, 'react-dom': dom, ...others } = dependenciesOf('examples', 'chat-next')
  expect({ next, react, 'react-dom': dom }).toEqual(dependenciesOf('test', 'package', 'next'))
  const { ai, jose, zod } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8')).devDependencies
  expect(others).toMatchObject({ ai, jose, zod })
})

if (process.env['BAILIWICK_LONG'] === '1') {
  describe('the chat with Next.js', { timeout: TEST_MS }, () => {
    let site: string
    let browser: Browser
    beforeAll(async () => {
      site = await buildSite()
      browser = await startBrowser()
    }, BUILD_MS)
    afterAll(async () => {
      await browser?.close()
      if (site !== undefined) rmSync(site, { recursive: true, force: true })
    })

    /** A browser in which a user is signed in, with a page that shows a new chat. */
    async function enter({ origin }: Server, name: string) {
      const context = await browser.newContext()
      // A slow machine must not fail: a hang ends with the test.
      context.setDefaultTimeout(TEST_MS)
      onTestFinished(() => context.close())
      const page = await context.newPage()
      await page.goto(origin)
      await page.getByLabel('Name').fill(name)
      await page.getByLabel('Password').fill(`${name}-demo`)
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByRole('button', { name: 'New chat' }).click()
      await page.waitForURL(/\/chat\//)
      return { context, page }
    }

    test('signing in takes the right password, and a forged session is none', async () => {
      const server = await serve(site, 'fast')
      const { context, page } = await enter(server, 'kim')
      expect(await page.getByRole('banner').textContent()).toContain('kim of acme')
      await page.getByRole('button', { name: 'Sign out' }).click()
      await page.getByLabel('Name').fill('kim')
      await page.getByLabel('Password').fill('guessed')
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByRole('alert').filter({ hasText: 'no such user' }).waitFor()
      const encoded = (text: string) => Buffer.from(text).toString('base64url')
      const forged = `${encoded('{"alg":"none"}')}.${encoded('{"sub":"kim","tenant":"acme","exp":9999999999}')}.`
      await context.addCookies([{ name: 'session', value: forged, url: server.origin }])
      await page.goto(server.origin)
      expect(await page.getByRole('heading').textContent()).toBe('Sign in')
      expect((await page.request.post(`${server.origin}/api/chat`, { data: {} })).status()).toBe(401)
    })

    test('an answer that is stopped stays as far as it was written', async () => {
      const { page } = await enter(await serve(site, 'never'), 'kim')
      await send(page, 'Tell me a story')
      await page.getByText('This is sentence 1.').waitFor()
      await page.getByRole('button', { name: 'Stop' }).click()
      await idle(page)
      const live = await shown(page)
      expect(live).not.toContain('sentence 120')
      expect(await reloaded(page)).toBe(live)
      await send(page, 'Refund order 1')
      await page.getByRole('button', { name: 'Approve' }).waitFor()
    })

    test('a call waits for its approval, also after a reload, and goes on with the decision of another person', async () => {
      const server = await serve(site, 'fast')
      const kim = await enter(server, 'kim')
      const lee = await enter(server, 'lee')
      await send(kim.page, 'Refund order 17')
      await kim.page.getByRole('button', { name: 'Approve' }).waitFor()
      expect(await kim.page.getByRole('button', { name: 'Send' }).isDisabled()).toBe(true)
      const asked = await shown(kim.page)
      expect(await reloaded(kim.page)).toBe(asked)
      await lee.page.goto(kim.page.url())
      await lee.page.getByRole('button', { name: 'Approve' }).click()
      await lee.page.getByText('The result is: "Order 17 is refunded."').waitFor()
      await idle(lee.page)
      // Kim still sees the buttons. To press one shows what Lee has decided.
      await kim.page.getByRole('button', { name: 'Reject' }).click()
      await kim.page.getByText('The result is: "Order 17 is refunded."').waitFor()
      await idle(kim.page)
      const live = await shown(lee.page)
      expect(await shown(kim.page)).toBe(live)
      expect(await reloaded(lee.page)).toBe(live)
    })

    test('a call that is rejected is not made', async () => {
      const { page } = await enter(await serve(site, 'fast'), 'kim')
      await send(page, 'Refund order 17')
      await page.getByRole('button', { name: 'Reject' }).click()
      await page.getByText('The result is:').waitFor()
      await idle(page)
      const live = await shown(page)
      expect(live).not.toContain('is refunded')
      expect(await reloaded(page)).toBe(live)
    })

    test('a question shows its choices, and the run goes on with the answer', async () => {
      const { page } = await enter(await serve(site, 'fast'), 'kim')
      await send(page, 'Order flowers')
      const question = page.getByRole('group', { name: 'Which colour' })
      await question.waitFor()
      const asked = await shown(page)
      expect(await reloaded(page)).toBe(asked)
      expect(await question.getByRole('button').allTextContents()).toEqual(['red', 'white', 'yellow'])
      await question.getByRole('button', { name: 'yellow' }).click()
      await page.getByText('The result is: "yellow"').waitFor()
      await idle(page)
      const live = await shown(page)
      expect(await reloaded(page)).toBe(live)
    })

    test('a run that waits can be stopped', async () => {
      const { page } = await enter(await serve(site, 'fast'), 'kim')
      await send(page, 'Order flowers')
      await page.getByRole('group', { name: 'Which colour' }).waitFor()
      await page.getByRole('button', { name: 'Stop' }).click()
      await page.getByText('Stopped.').waitFor()
      await idle(page)
      const live = await shown(page)
      expect(await reloaded(page)).toBe(live)
      expect(await page.getByRole('button', { name: 'Send' }).isEnabled()).toBe(true)
    })

    test('a file reaches the model, is shown after a reload, and is not found by another tenant', async () => {
      const server = await serve(site, 'fast')
      const { page } = await enter(server, 'kim')
      const file = { name: 'dot.png', mimeType: 'image/png', buffer: picture }
      await page.getByLabel('Files').setInputFiles(file)
      await send(page, 'What is this?')
      await page.getByText(`I see a file of the type image/png with ${picture.byteLength} bytes.`).waitFor()
      await idle(page)
      const live = await shown(page)
      expect(await reloaded(page)).toBe(live)
      const image = page.getByRole('img', { name: 'dot.png' })
      expect(await image.evaluate((element) => (element as unknown as { naturalWidth: number }).naturalWidth)).toBe(1)
      const url = `${server.origin}${await image.getAttribute('src')}`
      expect((await page.request.get(url)).status()).toBe(200)
      const robin = await enter(server, 'robin')
      expect((await robin.page.request.get(url)).status()).toBe(404)
      expect((await (await browser.newContext()).request.get(url)).status()).toBe(401)
      const large = { ...file, buffer: Buffer.alloc(9 * 1024 * 1024) }
      await page.getByLabel('Files').setInputFiles(large)
      await send(page, 'And this?')
      await page.getByText('The files are too large').waitFor()
    })

    test('a reload in the middle of an answer goes on with it', async () => {
      const { page } = await enter(await serve(site, 'never'), 'kim')
      await send(page, 'Tell me a story')
      await page.getByText('This is sentence 1.').waitFor()
      await page.reload()
      await page.getByText(/^This is sentence 1\..* 2\. .*This/).waitFor()
      await page.getByRole('button', { name: 'Stop' }).click()
      await idle(page)
      const live = await shown(page)
      expect(`Tell me a story${story}`).toContain(live)
      expect(await reloaded(page)).toBe(live)
    })

    test('a page that is loaded anew while an answer is written ends with all of it', async () => {
      const { page } = await enter(await serve(site, 'fast'), 'kim')
      await send(page, 'Tell me a story')
      await page.getByText('This is sentence 1.').waitFor()
      await page.reload()
      await endsWithStory(page)
    })

    test('two tabs show the same answer while it is written and once it is stopped, and one message at a time is answered', async () => {
      const server = await serve(site, 'never')
      const { context, page } = await enter(server, 'kim')
      await send(page, 'Tell me a story')
      await page.getByText('This is sentence 1.').waitFor()
      const other = await context.newPage()
      await other.goto(page.url())
      await other.getByText('This is sentence 2.').waitFor()
      const { pathname } = new URL(page.url())
      const body = {
        id: pathname.split('/').at(-1),
        messages: [{ id: 'm', role: 'user', parts: [{ type: 'text', text: 'And?' }] }],
      }
      expect((await page.request.post(`${server.origin}/api/chat`, { data: body })).status()).toBe(409)
      await other.getByRole('button', { name: 'Stop' }).click()
      await idle(other)
      await idle(page)
      const live = await shown(page)
      expect(live).not.toContain('sentence 120')
      expect(await shown(other)).toBe(live)
      expect(await reloaded(page)).toBe(live)
    })

    test('after kill -9 in the middle of an answer the page goes on by itself, and has the answer once', async () => {
      const server = await serve(site, 'never')
      const { page } = await enter(server, 'kim')
      await send(page, 'Tell me a story')
      await page.getByText('This is sentence 1.').waitFor()
      await server.kill()
      await page.getByText('The connection is lost').waitFor()
      await server.start()
      await endsWithStory(page)
      expect(await page.getByText('The connection is lost').count()).toBe(0)
    })

    test('after kill -9 right after a message was sent it is answered once', async () => {
      const server = await serve(site, 'never')
      const { page } = await enter(server, 'kim')
      const sent = page.waitForRequest(/\/api\/chat$/)
      await send(page, 'Tell me a story')
      await sent
      await server.kill()
      await page.getByText('The connection is lost').waitFor()
      await server.start()
      await endsWithStory(page)
    })

    test('after kill -9 while a call waits, the decision is taken after the restart', async () => {
      const server = await serve(site, 'fast')
      const { page } = await enter(server, 'kim')
      await send(page, 'Refund order 17')
      await page.getByRole('button', { name: 'Approve' }).waitFor()
      await server.kill()
      await server.start()
      await page.getByRole('button', { name: 'Approve' }).click()
      await page.getByText('The result is: "Order 17 is refunded."').waitFor()
      await idle(page)
      const live = await shown(page)
      expect(await reloaded(page)).toBe(live)
    })

    test('a run goes on after kill -9 although no page is open', async () => {
      const server = await serve(site, 'never')
      const { context, page } = await enter(server, 'kim')
      await send(page, 'Tell me a story')
      await page.getByText('This is sentence 1.').waitFor()
      const url = page.url()
      await page.close()
      await server.kill()
      await server.start()
      const again = await context.newPage()
      await again.goto(url)
      await endsWithStory(again)
    })

    test('in development a change of the sources leaves the host and its runs alone', async () => {
      const server = await serve(site, 'never', 'dev')
      const { page } = await enter(server, 'kim')
      await send(page, 'Tell me a story')
      await page.getByText('This is sentence 1.').waitFor()
      // The module is loaded anew, and finds the host that is there.
      const changed = page.waitForResponse((response) => response.request().headers()['rsc'] !== undefined)
      appendFileSync(join(site, 'lib', 'host.ts'), '// changed\n')
      await changed
      await page.getByText('This is sentence 2.').waitFor()
      await page.getByRole('button', { name: 'Stop' }).click()
      await idle(page)
      const live = await shown(page)
      expect(await reloaded(page)).toBe(live)
      await send(page, 'Refund order 17')
      await page.getByRole('button', { name: 'Approve' }).click()
      await page.getByText('→ Order 17 is refunded.').waitFor()
      expect(server.lines.join('\n')).not.toMatch(/STORE_LOCKED|⨯/)
    })

    test('the chats of another tenant are not found', async () => {
      const server = await serve(site, 'fast')
      const kim = await enter(server, 'kim')
      await send(kim.page, 'Refund order 17')
      await kim.page.getByRole('button', { name: 'Approve' }).waitFor()
      const url = new URL(kim.page.url())
      url.search = ''
      const robin = await enter(server, 'robin')
      expect((await robin.page.goto(url.href))?.status()).toBe(404)
      expect((await robin.page.request.get(`${server.origin}/api${url.pathname}/stream`)).status()).toBe(204)
      await robin.page.goto(server.origin)
      expect(await robin.page.getByRole('listitem').count()).toBe(0)
      const lee = await enter(server, 'lee')
      await lee.page.goto(server.origin)
      await lee.page.getByRole('link', { name: 'Refund order 17' }).click()
      await lee.page.getByRole('button', { name: 'Approve' }).waitFor()
    })
  })
}

async function send(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message', { exact: true }).fill(text)
  await page.getByRole('button', { name: 'Send' }).click()
}

/** Waits until nothing is written any more. */
async function idle(page: Page): Promise<void> {
  await page.locator('[data-status="ready"]').waitFor()
}

/** The text of all messages after a reload, once all is there that the server sends again. */
async function reloaded(page: Page): Promise<string> {
  const resumed = page.waitForResponse(/\/stream\?/)
  await page.reload()
  await (await resumed).finished()
  await idle(page)
  return await shown(page)
}

/** The text of all messages. */
async function shown(page: Page): Promise<string> {
  return (await page.getByRole('list', { name: 'Messages' }).textContent()) ?? ''
}

async function endsWithStory(page: Page): Promise<void> {
  await page.getByText('This is sentence 120.').waitFor()
  await idle(page)
  expect(await shown(page)).toBe(`Tell me a story${story}`)
  expect(await reloaded(page)).toBe(`Tell me a story${story}`)
}

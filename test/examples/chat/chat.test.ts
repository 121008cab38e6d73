import { Buffer } from 'node:buffer'
import process from 'node:process'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { startBrowser } from '../../../scripts/lib/browser.mjs'
import { Person } from './person.ts'
import { ChatServer } from './server.ts'

const server = new ChatServer()
let browser: Browser
let kimAlways: Person
beforeAll(async () => {
  await server.start()
  browser = await startBrowser()
  kimAlways = await Person.signIn(browser, server, 'kim')
})

/** Kim in a new chat: to sign in again for each test would take longer than most of them. */
async function newChat(): Promise<Person> {
  await kimAlways.press('New chat')
  await expect.poll(() => kimAlways.messages.count()).toBe(0)
  return kimAlways
}
afterAll(async () => {
  await browser?.close()
  server.remove()
})

/** A picture of one pixel. */
const pixel = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)

const numbers = (until: number) => Array.from({ length: until }, (_, at) => at + 1).join(' ')

test('nobody gets in without the password, and a cookie that was altered is that of nobody', async () => {
  const lee = await Person.signIn(browser, server, 'lee')
  onTestFinished(() => lee.leave())
  const { context, page } = lee
  const session = () => context.request.get(`${server.url}/api/session`)
  expect(await (await session()).json()).toEqual({ name: 'lee', tenant: 'acme' })
  const [cookie] = await context.cookies()
  if (cookie === undefined) throw new Error('There is no cookie.')
  expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Strict' })
  await context.addCookies([{ ...cookie, value: cookie.value.replace('lee', 'mallory') }])
  expect((await session()).status()).toBe(401)
  await page.reload()
  await page.getByLabel('Name').fill('lee')
  await page.getByLabel('Password').fill('guessed')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByText('The name or the password is wrong.').waitFor()
  expect((await session()).status()).toBe(401)
})

test('a message is answered, and its chat is in the list', async () => {
  const kim = await newChat()
  await kim.send('Count to 20')
  await kim.reads(numbers(20))
  await kim.expectSameAfterReload()
  const { chatId } = kim
  await kim.press('New chat')
  await expect.poll(() => kim.messages.count()).toBe(0)
  await kim.page.locator('nav a[href]').filter({ hasText: 'Count to 20' }).first().click()
  await kim.reads(numbers(20))
  expect(kim.chatId).toBe(chatId)
})

test('a stopped answer keeps what was said', async () => {
  const kim = await newChat()
  await kim.send('Count to 5000')
  await kim.readsOnTheWay('20 21 ')
  await kim.press('Stop')
  await kim.reads('20 21 ')
  expect((await kim.shown()).at(-1)).not.toContain('5000')
  await kim.expectSameAfterReload()
  await kim.send('Count to 3')
  await kim.reads('1 2 3')
})

test('a call runs once a person has approved it, and not if they have rejected it', async () => {
  const kim = await newChat()
  await kim.send('Refund order 17')
  await kim.reads('A person must approve this.')
  await kim.expectSameAfterReload(true)
  await kim.press('Approve')
  await kim.reads(/Order 17 is refunded\.\s*Order 17 is refunded\.$/)
  await kim.expectSameAfterReload()
  await kim.send('Refund order 18')
  await kim.reads('A person must approve this.')
  await kim.press('Reject')
  await kim.reads('I leave it, then.')
  expect((await kim.shown()).join()).not.toContain('Order 18 is refunded.')
  await kim.expectSameAfterReload()
})

test('a chat goes on while it waits, and the decision comes to its place', async () => {
  const kim = await newChat()
  await kim.send('Refund order 19')
  await kim.reads('A person must approve this.')
  await kim.send('Count to 4')
  await kim.reads('1 2 3 4')
  await kim.expectSameAfterReload(true)
  await kim.press('Approve')
  await kim.page.getByText('A person must approve this.').waitFor({ state: 'detached' })
  await kim.reads('Order 19 is refunded.')
  await expect.poll(async () => (await kim.shown())[1]).toContain('Order 19 is refunded.')
  await kim.expectSameAfterReload()
})

test('a question is shown with its choices, and the answer goes to the model', async () => {
  const kim = await newChat()
  await kim.send('Ship order 7')
  await kim.reads('How shall order 7 be shipped?')
  await kim.expectSameAfterReload(true)
  await kim.press('by courier')
  await kim.reads(/Order 7 goes out by courier\.\s*Order 7 goes out by courier\.$/)
  await kim.expectSameAfterReload()
})

test('a file reaches the model, and is shown again after a reload', async () => {
  const kim = await newChat()
  await kim.send('What is this?', [{ name: 'pixel.png', mimeType: 'image/png', buffer: pixel }])
  await kim.reads(`I have read image/png of ${pixel.length} bytes.`)
  await kim.expectSameAfterReload()
  const image = kim.page.getByAltText('pixel.png')
  const source = (await image.getAttribute('src')) ?? ''
  expect(source).toMatch(/^\/api\/files\/ref_/)
  expect(await image.evaluate((shown) => (shown as unknown as { naturalWidth: number }).naturalWidth)).toBe(1)
  expect((await kim.context.request.get(server.url + source)).headers()['content-type']).toBe('image/png')

  // What could run in a browser is for saving alone.
  await kim.send('And this?', [{ name: 'x.svg', mimeType: 'image/svg+xml', buffer: Buffer.from('<svg onload="x"/>') }])
  await kim.reads('image/svg+xml of 17 bytes')
  await kim.expectSameAfterReload()
  const link = await kim.page.getByRole('link', { name: 'x.svg' }).getAttribute('href')
  const headers = (await kim.context.request.get(server.url + link)).headers()
  expect(headers).toMatchObject({ 'content-type': 'application/octet-stream', 'content-disposition': 'attachment' })
})

test('no text of the error of a tool reaches the page', async () => {
  const kim = await newChat()
  const received: string[] = []
  // Each answer is read before the page gets it.
  onTestFinished(() => kim.page.unroute('**/api/chats**'))
  await kim.page.route('**/api/chats**', async (route) => {
    const response = await route.fetch()
    received.push(await response.text())
    await route.fulfill({ response })
  })
  await kim.send('Look up the stock')
  await kim.reads('I cannot reach the warehouse.')
  await kim.expectSameAfterReload()
  expect((await kim.shown()).at(-1)).toContain('An error occurred.')
  expect(received.join()).toContain('An error occurred.')
  expect(received.join()).not.toMatch(/hunter2|warehouse\.internal/)
})

test('a page that is reloaded in the middle of an answer shows what was said, and goes on', async () => {
  const kim = await newChat()
  await kim.send('Count to 120')
  await kim.readsOnTheWay('20 21 ')
  await kim.page.reload()
  await kim.readsOnTheWay('1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 ')
  await kim.reads(numbers(120))
  expect((await kim.shown()).map((text) => text.split('\n').at(-1))).toEqual(['Count to 120', numbers(120)])
  await kim.expectSameAfterReload()
})

test('two tabs of a chat show the same, whichever of them sends, and so does that of a colleague who decides', async () => {
  const kim = await newChat()
  await kim.send('Count to 5')
  await kim.reads('1 2 3 4 5')
  const tab = await kim.tab()
  onTestFinished(() => tab.page.close())
  const lee = await Person.signIn(browser, server, 'lee', `#${kim.chatId}`)
  onTestFinished(() => lee.leave())
  await tab.reads('1 2 3 4 5')
  await lee.reads('1 2 3 4 5')
  await tab.send('Count to 100')
  await Promise.all([kim, tab, lee].map((person) => person.readsOnTheWay('20 21 ')))
  await Promise.all([kim, tab, lee].map((person) => person.reads(numbers(100))))
  await kim.send('Refund order 21')
  await Promise.all([kim, tab, lee].map((person) => person.reads('A person must approve this.')))
  await lee.press('Approve')
  await Promise.all([kim, tab, lee].map((person) => person.reads(/Order 21 is refunded\.\s*Order 21 is refunded\.$/)))
  const [one, ...others] = await Promise.all([kim, tab, lee].map((person) => person.shown()))
  for (const other of others) expect(other).toEqual(one)
  await kim.expectSameAfterReload()
})

test('another tenant finds nothing of a chat', async () => {
  const kim = await newChat()
  await kim.send('Refund order 22', [{ name: 'pixel.png', mimeType: 'image/png', buffer: pixel }])
  await kim.reads('I have read')
  await kim.send('Refund order 22')
  await kim.reads('A person must approve this.')
  const thread = await (await kim.context.request.get(`${server.url}/api/chats/${kim.chatId}`)).text()
  const [approvalId, reference] = [/approval_\w+/.exec(thread)?.[0], /ref_\w+/.exec(thread)?.[0]]

  const mallory = await Person.signIn(browser, server, 'mallory', `#${kim.chatId}`)
  onTestFinished(() => mallory.leave())
  await mallory.page.getByRole('alert').filter({ hasText: 'There is no such chat.' }).waitFor()
  expect(await mallory.messages.count()).toBe(0)
  expect(await mallory.page.locator('nav li').count()).toBe(0)
  const { request } = mallory.context
  const get = async (path: string) => (await request.get(`${server.url}/api${path}`)).status()
  expect(await get(`/chats/${kim.chatId}`)).toBe(404)
  expect(await get(`/chats/${kim.chatId}/stream`)).toBe(204)
  expect(await get(`/files/${reference}`)).toBe(404)
  const post = async (path: string, data: object) => (await request.post(`${server.url}/api${path}`, { data })).status()
  expect(await post(`/approvals/${approvalId}`, { decision: 'approve' })).toBe(404)
  await post(`/chats/${kim.chatId}/stop`, {})
  await kim.expectSameAfterReload()
  expect((await kim.shown()).join()).toContain('A person must approve this.')
})

test('the page goes on by itself when the server was killed in the middle, and shows the whole answer once', async () => {
  const kim = await newChat()
  await kim.send('Count to 120')
  await kim.readsOnTheWay('20 21 ')
  await server.kill()
  await kim.page.getByText('The connection is lost.').waitFor()
  // What was said stays while nobody answers.
  expect((await kim.shown()).at(-1)).toContain('20 21 ')
  await server.start()
  await kim.reads(numbers(120))
  expect((await kim.shown()).map((text) => text.split('\n').at(-1))).toEqual(['Count to 120', numbers(120)])
  expect(await kim.page.getByRole('alert').count()).toBe(0)
  await kim.expectSameAfterReload()
})

// Each starts the server again, or waits for the page to try again.
if (process.env['BAILIWICK_LONG'] === '1') {
  test('a message whose connection is lost on the way is sent again, and answered once', async () => {
    const kim = await newChat()
    let count = 0
    onTestFinished(() => kim.page.unroute('**/api/chats'))
    await kim.page.route('**/api/chats', async (route) => {
      if (route.request().method() !== 'POST') return route.continue()
      count += 1
      // The server takes the first and the browser never hears of it; the second gets nowhere.
      if (count === 1) await route.fetch()
      return count < 3 ? route.abort('connectionreset') : route.continue()
    })
    await kim.send('Count to 30')
    await kim.reads(numbers(30))
    expect(await kim.messages.count()).toBe(2)
    await kim.expectSameAfterReload()
  })

  test('what waits for a person outlives a kill, and a message that was sent meanwhile arrives', async () => {
    const kim = await newChat()
    await kim.send('Refund order 17')
    await kim.reads('A person must approve this.')
    await server.kill()
    await kim.send('Count to 5')
    await kim.page.getByText('The connection is lost.').waitFor()
    await server.start()
    await kim.reads('1 2 3 4 5')
    await kim.press('Approve')
    await kim.reads('Order 17 is refunded.')
    await kim.expectSameAfterReload()
  })

  test('a deploy in the middle of an answer says nothing of errors, and the page goes on with the next process', async () => {
    const kim = await newChat()
    await kim.send('Count to 120')
    await kim.readsOnTheWay('20 21 ')
    const { length } = server.printed
    expect(await server.stop()).toBe(0)
    expect(server.printed.slice(length)).toBe('')
    await server.start()
    await kim.reads(numbers(120))
    expect((await kim.shown()).map((text) => text.split('\n').at(-1))).toEqual(['Count to 120', numbers(120)])
    await kim.expectSameAfterReload()
  })
}

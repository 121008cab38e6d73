import process from 'node:process'
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core'
import { expect } from 'vitest'
import { type ChatServer, PASSWORD } from './server.ts'

/** A person in front of a browser of their own. */
export class Person {
  readonly context: BrowserContext
  readonly page: Page
  /** What the browser complained of. */
  readonly complaints: string[]
  readonly #url: string

  private constructor(context: BrowserContext, page: Page, complaints: string[], url: string) {
    this.context = context
    this.page = page
    this.complaints = complaints
    this.#url = url
  }

  /** Opens a window of their own and signs in. */
  static async signIn(browser: Browser, { url }: ChatServer, name: string, hash = ''): Promise<Person> {
    const context = await browser.newContext()
    const complaints: string[] = []
    context.on('weberror', (error) => complaints.push(String(error.error())))
    context.on('console', (message) => {
      // What the browser says of an answer with the status 401 or 404, or of a server that is gone.
      if (!message.text().startsWith('Failed to load resource')) complaints.push(message.text())
    })
    const page = await context.newPage()
    await page.goto(`${url}/${hash}`)
    await page.getByLabel('Name').fill(name)
    await page.getByLabel('Password').fill(PASSWORD)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('button', { name: 'Sign out' }).waitFor()
    return new Person(context, page, complaints, url)
  }

  /** Closes all their tabs. */
  async leave(): Promise<void> {
    await this.context.close()
  }

  /** The same person in another tab, with the same chat. */
  async tab(): Promise<Person> {
    const page = await this.context.newPage()
    await page.goto(`${this.#url}/#${this.chatId}`)
    await page.getByRole('button', { name: 'Sign out' }).waitFor()
    return new Person(this.context, page, this.complaints, this.#url)
  }

  get chatId(): string {
    return new URL(this.page.url()).hash.slice(1)
  }

  async send(text: string, files: { name: string; mimeType: string; buffer: Buffer }[] = []): Promise<void> {
    if (files.length > 0) await this.page.getByLabel('Files').setInputFiles(files)
    await this.page.getByLabel('Message').fill(text)
    await this.page.getByRole('button', { name: 'Send' }).click()
  }

  async press(name: string): Promise<void> {
    await this.page.getByRole('button', { name, exact: true }).click()
  }

  get messages(): Locator {
    return this.page.locator('.messages > li')
  }

  /** Resolves once the last message has this text, and no stream is read. */
  async reads(text: string | RegExp): Promise<void> {
    await this.messages.last().filter({ hasText: text }).waitFor()
    await this.page.locator('main[aria-busy=false]').waitFor()
  }

  /** Resolves once the last message has this text, while it is being written. */
  async readsOnTheWay(text: string | RegExp): Promise<void> {
    await this.page.locator('main[aria-busy=true] .messages > li:last-child').filter({ hasText: text }).waitFor()
  }

  /** What the page shows. */
  async shown(): Promise<string[]> {
    const texts = await this.messages.allInnerTexts()
    const images = await this.page.locator('.messages img').all()
    return [...texts, ...(await Promise.all(images.map(async (image) => `image ${await image.getAttribute('alt')}`)))]
  }

  /**
   * Compares what the page shows with what it shows after a reload: of the thread alone, and, `withStream` or in `npm run test:long`, as it
   * is sent again.
   */
  async expectSameAfterReload(withStream = process.env['BAILIWICK_LONG'] === '1'): Promise<void> {
    const live = await this.shown()
    expect(live.length).toBeGreaterThan(0)
    const streams = '**/api/chats/*/stream*'
    await this.page.route(streams, (route) => route.fulfill({ status: 204 }))
    await this.page.reload()
    await expect.poll(() => this.shown()).toEqual(live)
    await this.page.unroute(streams)
    if (withStream) {
      await this.page.reload()
      await this.page.locator('main[aria-busy=false]').waitFor()
      await expect.poll(() => this.shown()).toEqual(live)
    }
    expect(this.complaints).toEqual([])
  }
}

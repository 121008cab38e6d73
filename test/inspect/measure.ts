import type { Bitmap, Canvas, Document, Element, Rect, ShiftObserver, Style } from './dom.ts'

declare const document: Document
declare const window: { readonly innerWidth: number }
declare function getComputedStyle(element: Element): Style
declare function createImageBitmap(source: Blob): Promise<Bitmap>
declare const PerformanceObserver: ShiftObserver
declare function requestAnimationFrame(call: (value: unknown) => void): void
declare const OffscreenCanvas: new (width: number, height: number) => Canvas

/** What is wrong with a page as it is drawn. Runs in the browser, so it uses nothing from outside of itself. */
export function problemsOfPage(): string[] {
  const problems: string[] = []
  const name = (element: Element) => `${element.tagName.toLowerCase()}.${element.getAttribute('class') ?? ''}`
  const short = (text: string) => text.trim().slice(0, 40)

  type Colour = [number, number, number, number]
  const colour = (text: string): Colour => {
    const [red = 0, green = 0, blue = 0, alpha = 1] = (text.match(/[\d.]+/g) ?? []).map(Number)
    return [red, green, blue, alpha]
  }
  const luminance = ([red, green, blue]: Colour) => {
    const [r = 0, g = 0, b = 0] = [red, green, blue].map((channel) => {
      const share = channel / 255
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const groundOf = (element: Element | null): Colour => {
    for (let at = element; at !== null; at = at.parentElement) {
      const ground = colour(getComputedStyle(at).backgroundColor)
      if (ground[3] === 1) return ground
      if (ground[3] > 0) problems.push(`${name(at)} has a ground that is see-through; its contrast cannot be told`)
    }
    return [255, 255, 255, 1]
  }

  interface Line {
    element: Element
    text: string
    rect: Rect
  }
  const lines: Line[] = []
  // Texts alone: NodeFilter.SHOW_TEXT.
  const walker = document.createTreeWalker(document.body, 4)
  while (walker.nextNode() !== null) {
    const node = walker.currentNode
    const element = node.parentElement
    const text = node.textContent ?? ''
    if (element === null || text.trim() === '' || !element.checkVisibility()) continue
    const style = getComputedStyle(element)
    const range = document.createRange()
    range.selectNodeContents(node)
    const rects = [...range.getClientRects()].filter(({ width, height, right }) => width > 1 && height > 1 && right > 0)
    if (rects.length === 0) continue
    const [one, other] = [luminance(colour(style.color)), luminance(groundOf(element))]
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)
    if (contrast < 4.5) problems.push(`contrast ${contrast.toFixed(2)} of "${short(text)}" in ${name(element)}`)
    if (Number.parseFloat(style.fontSize) < 13) problems.push(`"${short(text)}" has a size of ${style.fontSize}`)
    // What scrolls on purpose can be scrolled to.
    if (element.closest('pre, .scroll') !== null) continue
    for (const rect of rects) lines.push({ element, text, rect })
  }
  for (const { element, text, rect } of lines) {
    if (rect.left < -1 || rect.right > window.innerWidth + 1) problems.push(`"${short(text)}" leaves the window`)
    for (let at: Element | null = element; at !== null; at = at.parentElement) {
      const clips = getComputedStyle(at).overflowX !== 'visible'
      if (clips && at.scrollWidth > at.clientWidth + 1) problems.push(`"${short(text)}" is cut by ${name(at)}`)
    }
  }
  for (const [at, { rect, text, element }] of lines.entries()) {
    for (const other of lines.slice(at + 1)) {
      if (other.element === element) continue
      const wide = Math.min(rect.right, other.rect.right) - Math.max(rect.left, other.rect.left)
      const high = Math.min(rect.bottom, other.rect.bottom) - Math.max(rect.top, other.rect.top)
      if (wide > 2 && high > 6) problems.push(`"${short(text)}" lies over "${short(other.text)}"`)
    }
  }
  if (document.documentElement.scrollWidth > window.innerWidth) problems.push('the page is wider than the window')
  if (lines.length < 3) problems.push('there is hardly any text')

  const wanted = (met: boolean, what: string) => {
    if (!met) problems.push(what)
  }
  wanted(document.documentElement.lang !== '', 'the language is not said')
  wanted(document.title !== '', 'there is no title')
  wanted(document.querySelectorAll('h1').length === 1, 'there is not one heading of the first rank')
  wanted(document.querySelectorAll('main').length === 1, 'there is not one main part')
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id)
  wanted(new Set(ids).size === ids.length, 'an id is there twice')
  let rank = 1
  for (const heading of document.querySelectorAll('h1, h2, h3, h4')) {
    const own = Number(heading.tagName.slice(1))
    wanted(own <= rank + 1, `"${short(heading.textContent ?? '')}" skips a rank of headings`)
    rank = own
  }
  for (const field of document.querySelectorAll('input:not([type=hidden]), textarea, select')) {
    wanted((field.labels?.length ?? 0) > 0, `${field.name} has no label`)
  }
  for (const image of document.querySelectorAll('img')) wanted(image.hasAttribute('alt'), 'an image has no alt')
  for (const drawing of document.querySelectorAll('svg')) {
    const isSaid = drawing.getAttribute('role') === 'img' && (drawing.getAttribute('aria-label') ?? '') !== ''
    wanted(isSaid || drawing.getAttribute('aria-hidden') === 'true', 'a drawing is neither named nor hidden')
  }
  for (const control of document.querySelectorAll('a, button, summary')) {
    wanted((control.textContent ?? '').trim() !== '', `a ${name(control)} has no words`)
  }
  for (const by of document.querySelectorAll('[aria-labelledby]')) {
    wanted(document.getElementById(by.getAttribute('aria-labelledby') ?? '') !== null, 'a label is not there')
  }
  for (const control of document.querySelectorAll('button, input:not([type=hidden]), textarea, nav a')) {
    if (control.checkVisibility()) wanted(control.getBoundingClientRect().height >= 24, `${name(control)} is too small`)
  }
  return problems
}

/** How light a picture is on the whole, and which share of it differs from its commonest colour. Runs in the browser. */
export async function lookOf(picture: string): Promise<{ lightness: number; ink: number }> {
  const bytes = Uint8Array.from(atob(picture), (character) => character.charCodeAt(0))
  const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }))
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d')
  if (context === null) throw new Error('There is nothing to draw on.')
  context.drawImage(bitmap, 0, 0)
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height)
  const colours = new Uint32Array(data.buffer)
  const counts = new Map<number, number>()
  // Most neighbours have one colour, so a line of them is counted at once.
  for (let at = 0, first = 0; at < colours.length; first = at) {
    const colour = colours[first] ?? 0
    while (at < colours.length && colours[at] === colour) at += 1
    counts.set(colour, (counts.get(colour) ?? 0) + at - first)
  }
  let sum = 0
  for (const [colour, times] of counts) sum += times * ((colour & 255) + ((colour >> 8) & 255) + ((colour >> 16) & 255))
  const pixels = data.length / 4
  return { lightness: sum / pixels / 765, ink: 1 - Math.max(...counts.values()) / pixels }
}

/** What the keyboard is at, by its name or class, and how it is outlined. Runs in the browser. */
export function focused(): { name: string; outline: string } {
  const element = document.activeElement ?? document.body
  return { name: element.getAttribute('name') ?? element.className, outline: getComputedStyle(element).outlineStyle }
}

/** How far what was drawn has moved since by itself, as the browser scores it. Runs in the browser. */
export async function shiftOfPage(): Promise<number> {
  const shifts: number[] = []
  const observer = new PerformanceObserver((list) => shifts.push(...list.getEntries().map(({ value }) => value)))
  observer.observe({ type: 'layout-shift', buffered: true })
  // What it has seen before is handed over in a task of its own.
  for (let frames = 0; frames < 3; frames += 1) await new Promise(requestAnimationFrame)
  return shifts.reduce((sum, shift) => sum + shift, 0)
}

// The part of the browser's objects that measure.ts uses. TypeScript's own would be declared for all our files, where they
// are not there.

/** A box in pixels of the window. */
export interface Rect {
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
  readonly width: number
  readonly height: number
}

export interface Element {
  readonly tagName: string
  readonly id: string
  readonly name: string
  readonly className: string
  readonly parentElement: Element | null
  readonly textContent: string | null
  readonly scrollWidth: number
  readonly clientWidth: number
  readonly labels?: { readonly length: number } | null
  getAttribute(name: string): string | null
  hasAttribute(name: string): boolean
  closest(selector: string): Element | null
  checkVisibility(): boolean
  getBoundingClientRect(): Rect
}

export interface Node {
  readonly parentElement: Element | null
  readonly textContent: string | null
}

export interface Document {
  readonly title: string
  readonly body: Element
  readonly activeElement: Element | null
  readonly documentElement: Element & { readonly lang: string }
  createTreeWalker(root: Element, show: number): { readonly currentNode: Node; nextNode(): Node | null }
  createRange(): { selectNodeContents(node: Node): void; getClientRects(): Iterable<Rect> }
  querySelectorAll(selector: string): Iterable<Element> & { readonly length: number }
  getElementById(id: string): Element | null
}

export interface Style {
  readonly color: string
  readonly backgroundColor: string
  readonly fontSize: string
  readonly overflowX: string
  readonly outlineStyle: string
}

export interface Bitmap {
  readonly width: number
  readonly height: number
}

export interface Canvas {
  getContext(kind: '2d'): {
    drawImage(picture: Bitmap, x: number, y: number): void
    getImageData(x: number, y: number, width: number, height: number): { readonly data: Uint8ClampedArray }
  } | null
}

/** How far something has moved by itself. */
interface Shift {
  readonly value: number
}

export type ShiftObserver = new (
  call: (list: { getEntries(): Shift[] }) => void,
) => { observe(what: { readonly type: 'layout-shift'; readonly buffered: boolean }): void }

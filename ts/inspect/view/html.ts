import { visible } from '../../common/visible.ts'

/** Markup that is safe to send: text in it was escaped. Only {@link html} makes it. */
export class Html {
  readonly #markup: string

  constructor(markup: string) {
    this.#markup = markup
  }

  toString(): string {
    return this.#markup
  }
}

/** Values allowed in markup. `undefined` and `false` write nothing. */
export type Content = Html | string | number | false | undefined | readonly Content[]

/**
 * Markup from a template. Every value that is no markup itself is escaped, for text and for attributes in double quotes;
 * it must stand nowhere else.
 */
export function html(strings: TemplateStringsArray, ...values: readonly Content[]): Html {
  return new Html(strings.map((text, at) => text + markupOf(values[at])).join(''))
}

function markupOf(content: Content): string {
  if (content === undefined || content === false) return ''
  if (content instanceof Html) return content.toString()
  if (typeof content === 'object') return content.map(markupOf).join('')
  return escaped(String(content))
}

const entities: { readonly [character: string]: string } = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** A person who approves a call must see all of it: hidden characters are escaped. Lines and tabs stay. */
function escaped(text: string): string {
  return visible(text, '\n\t').replace(/[&<>"']/g, (character) => entities[character] ?? '')
}

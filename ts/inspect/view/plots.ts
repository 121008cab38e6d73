import { type Html, html } from './html.ts'

export interface Bar {
  readonly name: string
  readonly value: number
  /** The value as people read it. */
  readonly label: string
  /** Link of the bar, if any. */
  readonly path?: string
}

/**
 * Horizontal bars, each beside its name and value. Names and values are text of the page, so that they wrap, scale and are
 * read out; the drawing is only what length says.
 */
export function bars(caption: string, rows: readonly Bar[], most = Math.max(...rows.map(({ value }) => value))): Html {
  const shown = rows.map(
    ({ name, value, label, path }) => html`<tr>
  <th scope="row">${path === undefined ? name : html`<a href="${path}">${name}</a>`}</th>
  <td class="bar">${bar([[0, most > 0 ? value / most : 0]])}</td>
  <td class="number">${label}</td></tr>`,
  )
  return html`<table class="bars"><caption>${caption}</caption><tbody>${shown}</tbody></table>`
}

/** A line on which spans lie, each from and to a share of the whole between 0 and 1. */
export function bar(spans: readonly (readonly [from: number, to: number])[], tone = 'mark'): Html {
  const drawn = spans.map(([from, to]) => {
    const start = Math.min(clamp(from) * 1000, 996)
    // A step without duration stays visible.
    const width = to > from ? Math.max((clamp(to) - clamp(from)) * 1000, 4) : 0
    return html`<rect x="${start.toFixed(1)}" y="0" width="${width.toFixed(1)}" height="10" class="${tone}"/>`
  })
  return html`<svg class="line" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true"><rect width="1000" height="10" class="track"/>${drawn}</svg>`
}

/** Columns over days, with the first, the last and the most said in words. */
export function columns(caption: string, rows: readonly Bar[]): Html {
  const most = Math.max(1, ...rows.map(({ value }) => value))
  const wide = 1000 / Math.max(rows.length, 1)
  const drawn = rows.map(({ name, value, label }, at) => {
    const high = (value / most) * 96
    const [x, y] = [(at * wide + wide * 0.12).toFixed(1), (100 - high).toFixed(1)]
    return html`<rect x="${x}" y="${y}" width="${(wide * 0.76).toFixed(1)}" height="${high.toFixed(1)}" class="mark"><title>${name}: ${label}</title></rect>`
  })
  const said = rows.map(({ name, label }) => `${name}: ${label}`).join(', ')
  return html`<figure class="plot"><figcaption>${caption}</figcaption>
<svg class="columns" viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" aria-label="${said}"><rect y="99" width="1000" height="1" class="axis"/>${drawn}</svg>
<p class="ends"><span>${rows[0]?.name ?? ''}</span><span>${rows.at(-1)?.name ?? ''}</span></p></figure>`
}

function clamp(share: number): number {
  return Math.min(1, Math.max(0, share))
}

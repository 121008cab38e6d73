// What docs/compatibility.md is made of. Each suite that drives packages of others writes a section beside itself
// (`compatibility.json`, a file snapshot); test/compatibility/document.test.ts puts them together.

/** What a cell of the table may say. */
export type Cell = 'works' | 'not offered'

/** One table of the document. */
export interface Section {
  readonly title: string
  /** What the table is about, in a sentence or two. */
  readonly about: string
  /** What the rows are, e.g. `package`. */
  readonly of: string
  readonly features: readonly string[]
  /** Each with a cell for each feature, under its name. */
  readonly rows: readonly { readonly name: string; readonly cells: { readonly [feature: string]: Cell } }[]
}

/** A section as its suite keeps it. */
export function sectionText(section: Section): string {
  return `${JSON.stringify(section, null, 2)}\n`
}

/** The document of these sections. */
export function documentText(sections: readonly Section[]): string {
  return [
    '# Compatibility\n',
    'This file is written by the tests that it tells of, and a test fails when it differs from what they found.',
    '`npx vitest run test/providers -u`, then `npx vitest run test/compatibility -u`, write it anew. "Works" is a test against the',
    'real package; "–" means that there is nothing to try, because the package or its provider does not offer it.\n',
    ...sections.map(tableText),
  ].join('\n')
}

/** A row for each package. */
function tableText({ title, about, of, features, rows }: Section): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const cellOf = (row: Section['rows'][number], feature: string) => (row.cells[feature] === 'works' ? 'works' : '–')
  return [
    `## ${title}\n`,
    `${about}\n`,
    line([of, ...features]),
    line(['---', ...features.map(() => '---')]),
    ...rows.map((row) => line([row.name, ...features.map((feature) => cellOf(row, feature))])),
    '',
  ].join('\n')
}

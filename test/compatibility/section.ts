// What docs/compatibility.md is made of. Each suite that drives packages of others keeps a section beside itself
// (`compatibility.json`, or one by its name) that its tests check; test/compatibility/document.test.ts puts them together.

/** One table of the document. */
export interface Section {
  readonly title: string
  /** What the table is about, in a sentence or two. */
  readonly note: string
  /** The first is what the rows are, e.g. `package`. */
  readonly columns: readonly string[]
  /** Each with a cell for each column. */
  readonly rows: readonly (readonly string[])[]
}

/** A section as a suite keeps it that writes its own. */
export function sectionText(section: Section): string {
  return `${JSON.stringify(section, null, 2)}\n`
}

/** The document of these sections. */
export function documentText(sections: readonly Section[]): string {
  return [
    '# Compatibility\n',
    'This file is written by the tests that it tells of, and a test fails when it differs from what they found.',
    '`npx vitest run test/providers test/package -u`, then `npx vitest run test/compatibility -u`, write it anew. "Works" is a test',
    'against the real package; "–" means that there is nothing to try or to name.\n',
    ...sections.map(tableText),
  ].join('\n')
}

function tableText({ title, note, columns, rows }: Section): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [`## ${title}\n`, `${note}\n`, line(columns), line(columns.map(() => '---')), ...rows.map(line), ''].join('\n')
}

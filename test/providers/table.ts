import { readFileSync } from 'node:fs'
import type { Section } from '../compatibility/section.ts'
import { providers } from './packages/index.ts'
import type { Provider } from './packages/provider.ts'

/** What each package is tried with, in the order of the table: the titles of the tests. */
const features = [
  'text and usage',
  'tools, side by side, with ids that come again',
  'reasoning goes back',
  'output by a schema',
  'files',
  'asked to wait',
  'refused',
  'fails within an answer',
  'cut off within an answer',
  'tools that the provider runs',
  'paused turns',
  'generated files',
  'sources',
  'usage before the end',
  'warnings',
  'any history',
] as const

export type Feature = (typeof features)[number]

/** What a cell of the table may say. */
export type Cell = 'works' | 'not offered'

const cells = new Map<Provider, Map<Feature, Cell>>()

/** Notes what a test has found. */
export function note(provider: Provider, feature: Feature, cell: Cell): void {
  const known = cells.get(provider) ?? new Map<Feature, Cell>()
  cells.set(provider, known.set(feature, cell))
}

/** The section of the document, of everything that was noted. */
export function section(): Section {
  const rowOf = (provider: Provider) => [
    `${provider.package} ${versionOf(provider)}`,
    ...features.map((feature) => shown(cells.get(provider)?.get(feature))),
  ]
  return {
    title: 'Model providers',
    note:
      "The packages of the AI SDK (interface version 4), each through `fromAiSdk` against a local server that speaks its provider's " +
      'documented wire format. Versions 2 and 3 of the interface are tried with `@ai-sdk/anthropic` and `@ai-sdk/openai-compatible`.',
    columns: ['package', ...features],
    rows: providers.map(rowOf),
  }
}

/** A feature of which nothing was noted shows itself in the table. */
function shown(cell: Cell | undefined): string {
  return cell === 'not offered' ? '–' : (cell ?? 'not tried')
}

function versionOf({ package: name }: Provider): string {
  const manifest = new URL(`../../node_modules/${name}/package.json`, import.meta.url)
  return JSON.parse(readFileSync(manifest, 'utf8')).version
}

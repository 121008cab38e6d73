import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { JsonValue } from 'bailiwick'

/** A row of a data set. */
export type Row = { readonly [column: string]: JsonValue }

/** A published data set: the file and its rows. */
export interface DataSet {
  readonly name: string
  readonly file: Uint8Array
  readonly mediaType: string
  readonly rows: readonly Row[]
}

/** Data sets with open licences: U.S. public domain and Creative Commons Attribution 4.0. */
const sources: readonly { readonly name: string; readonly file: string }[] = [
  { name: 'earthquakes', file: 'earthquakes.json' },
  { name: 'birdstrikes', file: 'birdstrikes.csv' },
  { name: 'zipcodes', file: 'zipcodes.csv' },
  { name: 'gapminder', file: 'gapminder.json' },
  { name: 'weather', file: 'weather.csv' },
]

/** Reads the data sets from a directory. */
export async function readDataSets(directory: string): Promise<DataSet[]> {
  return await Promise.all(
    sources.map(async ({ name, file }) => {
      const bytes = await readFile(join(directory, file))
      const text = bytes.toString('utf8')
      const isJson = file.endsWith('.json')
      const rows = isJson ? rowsOfJson(JSON.parse(text)) : rowsOfCsv(text)
      return { name, file: bytes, mediaType: isJson ? 'application/json' : 'text/csv', rows }
    }),
  )
}

/** Reads an array of rows, or GeoJSON with one row per feature. */
function rowsOfJson(value: unknown): Row[] {
  if (Array.isArray(value)) return value as Row[]
  const { features } = value as { features: { properties: Row; geometry: { coordinates: number[] } }[] }
  return features.map(({ properties, geometry }) => ({ ...properties, coordinates: geometry.coordinates }))
}

/** Reads comma-separated values with quotes, by RFC 4180. Numbers become numbers. */
function rowsOfCsv(text: string): Row[] {
  const records = recordsOfCsv(text)
  const header: string[] = records.next().value ?? []
  return Array.from(records, (fields) =>
    Object.fromEntries(header.map((name, index) => [name, typed(fields[index] ?? '')])),
  )
}

function* recordsOfCsv(text: string): Generator<string[]> {
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/gy
  let record: string[] = []
  for (let match = field.exec(text); match !== null && field.lastIndex <= text.length; match = field.exec(text)) {
    record.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '')
    if (match[3] !== ',') {
      if (record.length > 1 || record[0] !== '') yield record
      record = []
    }
    if (match[3] === '') return
  }
}

function typed(field: string): JsonValue {
  return field !== '' && !Number.isNaN(Number(field)) ? Number(field) : field
}

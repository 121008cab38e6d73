import type { JsonValue, Reference, Runtime } from 'bailiwick'
import type { Row } from './data-sets.ts'
import type { Loaded } from './load.ts'

/** A question, the data set that answers it, and the computation. */
interface Question {
  readonly title: string
  readonly dataSet: string
  answer(rows: readonly Row[]): JsonValue
}

const questions: readonly Question[] = [
  {
    title: 'Strongest earthquakes',
    dataSet: 'earthquakes',
    answer: (rows) => top(rows, 'mag', 5).map(({ place, mag }) => ({ place: place ?? null, magnitude: mag ?? null })),
  },
  {
    title: 'Years of life gained, 1955 to 2005',
    dataSet: 'gapminder',
    answer: (rows) => {
      const lives = groups(rows, 'country')
      const gains = Array.from(lives, ([country, years]) => ({ country, years: gained(years) }))
      return top(gains, 'years', 5)
    },
  },
  {
    title: 'Bird strikes by phase of flight',
    dataSet: 'birdstrikes',
    answer: (rows) => top(counts(rows, 'Phase of flight'), 'count', 5),
  },
  {
    title: 'Zip codes by state',
    dataSet: 'zipcodes',
    answer: (rows) => top(counts(rows, 'state'), 'count', 5),
  },
  {
    title: 'Mean highest temperature by place, °C',
    dataSet: 'weather',
    answer: (rows) =>
      Array.from(groups(rows, 'location'), ([location, days]) => ({
        location,
        mean: round(days.reduce((sum, day) => sum + Number(day['temp_max']), 0) / days.length),
      })),
  },
]

/** An answer that was computed from a tenant's references and stored as a reference. */
export interface Result {
  readonly title: string
  readonly rows: number
  readonly reference: Reference
}

/** Answers each question from the tenant's references, not from the loaded files. */
export async function analyse(runtime: Runtime, loaded: readonly Loaded[]): Promise<Result[]> {
  const results: Result[] = []
  for (const question of questions) {
    const parts = loaded.find(({ name }) => name === question.dataSet)?.parts ?? []
    const resolved = await runtime.references.resolveMany(parts.map(({ id }) => id))
    const rows = resolved.flatMap((part) => {
      if (part === undefined) throw new Error(`A part of ${question.dataSet} is gone.`)
      return part.json<Row[]>()
    })
    const value = { question: question.title, answer: question.answer(rows) }
    results.push({ title: question.title, rows: rows.length, reference: await runtime.references.put('result', value) })
  }
  return results
}

function top<T extends Row>(rows: readonly T[], column: string, count: number): T[] {
  return rows.toSorted((a, b) => Number(b[column]) - Number(a[column])).slice(0, count)
}

function groups(rows: readonly Row[], column: string): Map<string, Row[]> {
  const found = new Map<string, Row[]>()
  for (const row of rows) {
    const key = String(row[column])
    const group = found.get(key)
    if (group === undefined) found.set(key, [row])
    else group.push(row)
  }
  return found
}

function counts(rows: readonly Row[], column: string): { [column: string]: string | number; count: number }[] {
  return Array.from(groups(rows, column), ([value, group]) => ({ [column]: value, count: group.length }))
}

function gained(years: readonly Row[]): number {
  const lives = (year: number) => Number(years.find((row) => row['year'] === year)?.['life_expect'])
  return round(lives(2005) - lives(1955))
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

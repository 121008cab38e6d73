import {
  defineCoordinator,
  defineExecutor,
  definePlan,
  definePlanner,
  defineReference,
  defineTool,
  layeredPrompt,
  type Runtime,
  type ToolHandler,
} from 'bailiwick'
import * as z from 'zod'
import type { Row } from './data-sets.ts'
import type { Loaded } from './load.ts'

export const table = defineReference({ name: 'table', description: 'Rows that a tool has made' })

const loadRows = defineTool({
  name: 'load_rows',
  description: 'Loads all rows of a data set of this tenant',
  effects: 'read',
  input: z.object({ dataSet: z.string() }),
  result: table,
})

const filterRows = defineTool({
  name: 'filter_rows',
  description: 'Keeps the rows whose column has this value',
  effects: 'read',
  input: z.object({ rows: z.string(), column: z.string(), equals: z.union([z.string(), z.number()]) }),
  references: { rows: table },
  result: table,
})

const countRows = defineTool({
  name: 'count_rows',
  description: 'Counts rows by the value of a column, the most frequent first',
  effects: 'read',
  input: z.object({ rows: z.string(), by: z.string(), top: z.number().int().positive() }),
  references: { rows: table },
  result: table,
})

/** The model of each agent; the session fills in the provider. */
export function agentsOn(model: string) {
  const planner = definePlanner({
    name: 'planner',
    description: 'Answers questions about the tenant’s data sets by a plan that a person approves',
    model,
    prompt: layeredPrompt({
      role: 'You plan the work of an analyst.',
      instructions:
        'Answer with a plan as JSON: { goal, steps: [{ id, tool, input }] }. The tools are load_rows, filter_rows and count_rows. A step takes the rows of another by { "$step": "its id" }.',
      domainKnowledge: { dataSets: ['birdstrikes'], columns: ['Phase of flight', 'Time of day'] },
    }),
    plan: definePlan({ name: 'analysis', description: 'Loads, filters and counts rows' }),
  })
  const executor = defineExecutor({ name: 'worker', tools: [loadRows, filterRows, countRows] })
  const front = defineCoordinator({
    name: 'front',
    model,
    prompt: 'Hand questions about data to the planner, then answer in one sentence from what came back.',
    routes: ['planner'],
  })
  return [front, planner, executor] as const
}

/** The handlers of a tenant, which see only its references. */
export function toolsFor(loaded: () => readonly Loaded[]) {
  const rowsOf = async (references: Runtime['references'], id: string) => (await references.resolve(id)).json<Row[]>()
  const handlers = {
    load_rows: (async ({ dataSet }, { references }) => {
      const parts = loaded().find(({ name }) => name === dataSet)?.parts
      if (parts === undefined) throw new Error(`There is no data set ${dataSet}.`)
      const resolved = await references.resolveMany(parts.map(({ id }) => id))
      return resolved.flatMap((part) => part?.json<Row[]>() ?? [])
    }) satisfies ToolHandler<{ dataSet: string }>,
    filter_rows: (async ({ rows, column, equals }, { references }) =>
      (await rowsOf(references, rows)).filter((row) => row[column] === equals)) satisfies ToolHandler<{
      rows: string
      column: string
      equals: string | number
    }>,
    count_rows: (async ({ rows, by, top }, { references }) => {
      const counts = new Map<string, number>()
      for (const row of await rowsOf(references, rows)) {
        const value = String(row[by])
        counts.set(value, (counts.get(value) ?? 0) + 1)
      }
      const sorted = [...counts].map(([value, count]) => ({ [by]: value, count }))
      return sorted.sort((a, b) => Number(b.count) - Number(a.count)).slice(0, top)
    }) satisfies ToolHandler<{ rows: string; by: string; top: number }>,
  }
  return handlers
}

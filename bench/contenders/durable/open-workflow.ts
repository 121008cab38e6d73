import { join } from 'node:path'
import { rivalModule } from '../rival-module.ts'
import type { DurableContender } from './task.ts'

interface Steps {
  run<T>(options: { name: string }, work: () => Promise<T>): Promise<T>
}

interface Client {
  defineWorkflow(
    options: object,
    work: (context: { readonly step: Steps; readonly run: { readonly id: string } }) => Promise<unknown>,
  ): {
    run(input: object, options?: object): Promise<{ result(options: object): Promise<unknown> }>
  }
  newWorker(options?: { readonly concurrency: number }): { start(): Promise<void>; stop(): Promise<void> }
}

interface OpenWorkflowModule {
  readonly OpenWorkflow: new (options: object) => Client
}

interface SqliteModule {
  readonly BackendSqlite: { connect(path: string): { stop(): Promise<void> } }
}

const DAY_MS = 86_400_000

/** Opens its backend, in a folder or in memory, and a client of it. */
export async function openWorkflowIn(place: string | undefined) {
  const { OpenWorkflow } = await rivalModule<OpenWorkflowModule>('openworkflow')
  const { BackendSqlite } = await rivalModule<SqliteModule>('openworkflow/sqlite')
  const backend = BackendSqlite.connect(place === undefined ? ':memory:' : join(place, 'openworkflow.db'))
  return { backend, client: new OpenWorkflow({ backend }) }
}

/** OpenWorkflow on its SQLite backend: the model's answer is one step of a workflow, the tool's another. */
export function openWorkflow(name: string, keeps: 'folder' | 'memory'): DurableContender {
  return {
    name,
    keeps,
    node: 22,
    // A workflow has at most 1,000 steps: two for each of ours, and one for the last answer.
    mostSteps: 499,
    run: async (task) => {
      const { backend, client } = await openWorkflowIn(keeps === 'memory' ? undefined : task.place)
      const workflow = client.defineWorkflow({ name: 'worker' }, async ({ step, run }) => {
        for (let done = 0; ; done += 1) {
          const asked = async () => (await task.next(() => done)) ?? null
          const next = await step.run({ name: `model-${done}` }, asked)
          if (next === null) return 'done'
          await step.run({ name: `tool-${done}` }, () => task.act(next, `${run.id}-tool-${done}`))
        }
      })
      task.opened()
      const handle = await workflow.run({}, { idempotencyKey: 'run' })
      const worker = client.newWorker()
      await worker.start()
      await handle.result({ timeoutMs: DAY_MS })
      await worker.stop()
      await backend.stop()
      return 'completed'
    },
  }
}

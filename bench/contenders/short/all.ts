import { openStore } from 'bailiwick'
import type { DbosModule } from '../durable/dbos.ts'
import { openWorkflowIn } from '../durable/open-workflow.ts'
import { runtimeOf } from '../own-agent.ts'
import { rivalModule } from '../rival-module.ts'

/** A library that records the three trivial steps of a run, so that they outlive the process. */
export interface ShortContender {
  readonly name: string
  readonly keeps: 'folder' | 'postgres'
  /** The oldest major version of Node that it runs on, if that is later than ours. */
  readonly node?: number
  readonly open: (place: string) => Promise<OpenShort>
}

export interface OpenShort {
  /** Resolves when a new run has completed. */
  readonly run: () => Promise<void>
  readonly close: () => Promise<void>
}

/** The most runs at once. */
export const WIDTH = 64
const MINUTE_MS = 60_000

/** The contenders of the row about short runs. */
export const shortContenders: readonly ShortContender[] = [own('read'), own('write'), openWorkflow(), dbos()]

/** An answer of a model that calls a tool, the tool's result, and the answer that ends the run. */
function own(effects: 'read' | 'write'): ShortContender {
  return {
    name: `bailiwick, sled:, ${effects} tool`,
    keeps: 'folder',
    open: async (place) => {
      const store = await openStore(`sled:${place}`)
      const next = (done: () => number) => (done() === 0 ? 0 : undefined)
      const runtime = await runtimeOf(store, {
        tenant: 'acme',
        mostSteps: 3,
        declared: { effects },
        next,
        act: () => 'ok',
      })
      return {
        run: async () => {
          const { status } = await runtime.query('go').result()
          if (status !== 'completed') throw new Error(`The run is ${status}.`)
        },
        close: () => store.close(),
      }
    },
  }
}

function openWorkflow(): ShortContender {
  return {
    name: 'OpenWorkflow, SQLite',
    keeps: 'folder',
    node: 22,
    open: async (place) => {
      const { backend, client } = await openWorkflowIn(place)
      const workflow = client.defineWorkflow({ name: 'short' }, async ({ step }) => {
        for (const name of ['model', 'tool', 'answer']) await step.run({ name }, async () => 'ok')
      })
      const worker = client.newWorker({ concurrency: WIDTH })
      await worker.start()
      return {
        run: async () => void (await (await workflow.run({})).result({ timeoutMs: MINUTE_MS })),
        close: async () => {
          await worker.stop()
          await backend.stop()
        },
      }
    },
  }
}

function dbos(): ShortContender {
  return {
    name: 'DBOS, PostgreSQL',
    keeps: 'postgres',
    open: async (place) => {
      const { DBOS } = await rivalModule<DbosModule>('@dbos-inc/dbos-sdk')
      const work = async () => {
        for (const name of ['model', 'tool', 'answer']) await DBOS.runStep(async () => 'ok', { name })
      }
      const workflow = DBOS.registerWorkflow(work, { name: 'short' })
      DBOS.setConfig({ name: 'bench', systemDatabaseUrl: place, logLevel: 'error' })
      await DBOS.launch()
      return {
        run: async () => void (await (await DBOS.startWorkflow(workflow)()).getResult()),
        close: () => DBOS.shutdown({ deregister: true }),
      }
    },
  }
}

import { rivalModule } from '../rival-module.ts'
import type { DurableContender } from './task.ts'

/** What the benchmark uses of DBOS. */
export interface DbosModule {
  readonly DBOS: Dbos
}

interface Dbos {
  readonly workflowID: string | undefined
  readonly stepID: number | undefined
  setConfig(config: object): void
  registerWorkflow(work: () => Promise<unknown>, options: object): () => Promise<unknown>
  launch(): Promise<void>
  shutdown(options: object): Promise<void>
  startWorkflow(workflow: () => Promise<unknown>, options?: object): () => Promise<{ getResult(): Promise<unknown> }>
  runStep<T>(work: () => Promise<T>, options: object): Promise<T>
}

/** DBOS: `launch` recovers the workflows of a process that has died; a known `workflowID` begins no second one. */
export function dbos(): DurableContender {
  return {
    name: 'DBOS, PostgreSQL',
    keeps: 'postgres',
    run: async (task) => {
      const { DBOS } = await rivalModule<DbosModule>('@dbos-inc/dbos-sdk')
      const work = async () => {
        for (let done = 0; ; done += 1) {
          const next = await DBOS.runStep(async () => (await task.next(() => done)) ?? null, { name: 'model' })
          if (next === null) return 'done'
          await DBOS.runStep(() => task.act(next, `${DBOS.workflowID}-${DBOS.stepID}`), { name: 'tool' })
        }
      }
      const workflow = DBOS.registerWorkflow(work, { name: 'worker' })
      DBOS.setConfig({ name: 'bench', systemDatabaseUrl: task.place, logLevel: 'error' })
      await DBOS.launch()
      task.opened()
      const handle = await DBOS.startWorkflow(workflow, { workflowID: 'run' })()
      await handle.getResult()
      await DBOS.shutdown({ deregister: true })
      return 'completed'
    },
  }
}

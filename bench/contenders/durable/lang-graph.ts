import { join } from 'node:path'
import { type LangKeeping, langGraphs, langInput, langName } from '../lang-graph.ts'
import type { DurableContender } from './task.ts'

/** LangGraph.js with `durability: 'sync'`: a checkpoint is written before the next step begins. */
export function langGraph(keeping: LangKeeping): DurableContender {
  return {
    name: langName(keeping),
    keeps: keeping.saver === 'SqliteSaver' ? 'folder' : 'memory',
    run: async (task) => {
      const graph = langGraphs(keeping, join(task.place, 'langgraph.db'))(task)
      const configurable = { thread_id: 'run' }
      const { config } = await graph.getState({ configurable })
      task.opened()
      // Not by `next`, which is empty for a run that was killed between the writes of its last step and the checkpoint, too.
      const hasBegun = config.configurable.checkpoint_id !== undefined
      const options = { configurable, durability: 'sync', recursionLimit: task.steps * 4 }
      await graph.invoke(hasBegun ? null : langInput(), options)
      return 'completed'
    },
  }
}

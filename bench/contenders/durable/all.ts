import { dbos } from './dbos.ts'
import { flue } from './flue.ts'
import { langGraph } from './lang-graph.ts'
import { mastra } from './mastra.ts'
import { openWorkflow } from './open-workflow.ts'
import { own } from './own.ts'
import type { DurableContender } from './task.ts'

/** Those that a process may be killed under. */
export const killable: readonly DurableContender[] = [
  own('bailiwick, ask', 'folder', { effects: 'write' }),
  own('bailiwick, retry', 'folder', { effects: 'write', onInterrupted: 'retry' }),
  openWorkflow('OpenWorkflow, SQLite', 'folder'),
  dbos(),
  langGraph({ saver: 'SqliteSaver', isDelta: false }),
  mastra('Mastra, libSQL', 'folder'),
  flue('Flue, SQLite', 'folder'),
]

/** Those whose runs may be long, in memory and durable. */
export const longRunning: readonly DurableContender[] = [
  own('bailiwick, memory:, read tools', 'memory', { effects: 'read' }),
  own('bailiwick, sled:, read tools', 'folder', { effects: 'read' }),
  own('bailiwick, sled:, write tools', 'folder', { effects: 'write' }),
  openWorkflow('OpenWorkflow, memory', 'memory'),
  openWorkflow('OpenWorkflow, SQLite', 'folder'),
  dbos(),
  langGraph({ saver: 'MemorySaver', isDelta: false }),
  langGraph({ saver: 'MemorySaver', isDelta: true }),
  langGraph({ saver: 'SqliteSaver', isDelta: false }),
  langGraph({ saver: 'SqliteSaver', isDelta: true }),
  mastra('Mastra, memory', 'memory'),
  mastra('Mastra, libSQL', 'folder'),
  flue('Flue, memory', 'memory'),
  flue('Flue, SQLite', 'folder'),
]

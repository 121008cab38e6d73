/** The work of a run, the same for every contender: a model that asks for one call of a tool a step. */
export interface Task {
  /** Where the contender keeps the run: a folder, the URL of a PostgreSQL database, or `''` for the memory of the process. */
  readonly place: string
  readonly steps: number
  /** Must be called once the store is open, before the run begins or goes on. */
  readonly opened: () => void
  /** The model: resolves with the step to call next, or nothing if the work is done. `done` counts the results so far. */
  readonly next: (done: () => number) => Promise<number | undefined>
  /** The tool: writes to the outside world. `key` identifies the call as far as the contender can. */
  readonly act: (step: number, key: string) => Promise<string>
  /** A person: looks at the outside world and answers whether a call happened. `question` identifies the question. */
  readonly hasHappened: (step: number, question: string) => boolean
}

/** A library that continues a run after its process has died. */
export interface DurableContender {
  readonly name: string
  readonly keeps: 'folder' | 'postgres' | 'memory'
  /** The oldest major version of Node that it runs on, if that is later than ours. */
  readonly node?: number
  /** Steps that a run of it may have at most. */
  readonly mostSteps?: number
  /** Begins the run at the place, or continues the one that is there; resolves with `completed` or with what happened instead. */
  readonly run: (task: Task) => Promise<string>
}

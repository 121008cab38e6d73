import type { RunEvent } from '../types/events.ts'

/** Key of the method that reads events until their run rests: from the symbol registry, so that two copies of the package agree. */
export const untilRest: unique symbol = Symbol.for('bailiwick.untilRest')

/** Events of a run that can be read until the run ends or is suspended. */
export interface RestingEvents {
  [untilRest](): RunUntilRest
}

/** The events of a run, up to where it rests. */
export interface RunUntilRest {
  readonly events: AsyncIterable<RunEvent>
  /** The sequence of the event at which the run rested before; what comes after it is new. Never rejects. */
  readonly after: Promise<number | undefined>
}

/** Whether an event is that of a sequence, or came before it. */
export function isUpTo(event: RunEvent, sequence: number): boolean {
  return 'sequence' in event ? event.sequence <= sequence : event.after < sequence
}

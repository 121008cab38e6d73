// What pages in a browser import. Nothing here may need Node: bundlers for browsers refuse all of it then.
export type { AgentProgress, DiscardedParts, ShownReference, ShownUpTo } from '../ui/ui-message.ts'
export { withoutDiscarded } from '../ui/without-discarded.ts'

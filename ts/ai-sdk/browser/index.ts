// What pages in a browser import. Nothing here may need Node: bundlers would bundle it with warnings, and it would not work in a browser.
export type { AgentProgress, DiscardedParts, ShownProgress, ShownReference, ShownUpTo } from '../ui/ui-message.ts'
export { withoutDiscarded } from '../ui/without-discarded.ts'

export type { AgUiEvent, AgUiInterrupt, AgUiOutcome, AgUiUsage } from './event.ts'
export { type AgUiOptions, toAgUiEvents } from './to-ag-ui-events.ts'

export type { Activity } from './activity.ts'
export type { AgentEnd, AgentStart, ChatEnd, ChatStart, ToolEnd, ToolStart } from './gen-ai.ts'
export {
  type CheckedOptions,
  checkTelemetryOptions,
  type TelemetryAttributes,
  type TelemetryOptions,
} from './options.ts'
export { RunSpans, type RunTracing } from './run-spans.ts'
export { type Telemetry, telemetryFor } from './telemetry.ts'
export { traced, tracedCache } from './traced.ts'

/// <reference lib="esnext.disposable" />
export * from './errors/index.ts'
export * from './ledger/index.ts'
export type { ApprovalQuestion, ApprovalResponse, Approvals } from './runtime/approvals.ts'
export { createRuntime, type OptionsFor, type RuntimeOptions } from './runtime/create-runtime.ts'
export type { ErrorSource, OnError } from './runtime/host-errors.ts'
export type { ModelSource, ToolCallQuestion } from './runtime/host-parts.ts'
export type { PageOptions } from './runtime/page.ts'
export { parseRuntimeSpec } from './runtime/parse-runtime-spec.ts'
export type { Plan, PlanDraft, PlanStatus, PlanStep, PlanSummary, Plans } from './runtime/plans.ts'
export type { QueryRequest, Run, RunResult, RunStatus, RunSummary, Runs } from './runtime/run.ts'
export type {
  DeltaEvent,
  DiscardedEvent,
  FinishReason,
  JournaledEvent,
  ReferencedResult,
  RunEvent,
  RunFailure,
  TokensByModel,
  ToolFailure,
} from './runtime/run-events.ts'
export type { ApproverAnswer } from './runtime/run-host.ts'
export type { Runtime } from './runtime/runtime.ts'
export {
  openStore,
  type Store,
  type StoreBackup,
  type StoreHealth,
  type StoreOptions,
  type StoreStats,
  type StoreSweep,
  setupStore,
} from './runtime/store.ts'
export type {
  Cache,
  HostEvent,
  NewMessage,
  Page,
  Reference,
  References,
  ReferenceValue,
  Resolved,
  ThreadSummary,
  Threads,
  TokenUsage,
  TraceEvent,
  Traces,
  Usage,
} from './runtime/types.ts'
export * from './spec/index.ts'
export type { TelemetryAttributes, TelemetryOptions } from './telemetry/index.ts'

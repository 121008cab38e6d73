/// <reference lib="esnext.disposable" />
export * from './errors/index.ts'
export type { Activity, HostErrorSource, WorkReason } from './host/activity.ts'
export { createHost, type HostOptions, type HostOptionsFor } from './host/create-host.ts'
export type { Drained, Host, HostStats } from './host/host.ts'
export type { InspectorOptions } from './host/inspector.ts'
export * from './ledger/index.ts'
export type { ErrorSource, OnError } from './runs/host/host-errors.ts'
export type { ModelSource, ToolCallQuestion } from './runs/host/host-parts.ts'
export { type WaitFor, waitFor } from './runs/wait-for.ts'
export * from './spec/index.ts'
export {
  openStore,
  type Store,
  type StoreBackup,
  type StoreCompaction,
  type StoreHealth,
  type StoreOptions,
  type StoreStats,
  type StoreSweep,
  setupStore,
} from './store/store.ts'
export type { TelemetryAttributes, TelemetryOptions } from './telemetry/index.ts'
export { createRuntime, type OptionsFor, type RuntimeOptions } from './tenant/create-runtime.ts'
export { parseRuntimeSpec } from './tenant/parse-runtime-spec.ts'
export type { Runtime } from './tenant/runtime.ts'
export type {
  ApprovalNeed,
  ApprovalProgress,
  ApprovalQuestion,
  ApprovalResponse,
  ApprovalRule,
  ApprovalRuleRequest,
  Approvals,
  ApprovedBy,
  ApproverAnswer,
} from './types/approvals.ts'
export type { Cache } from './types/cache.ts'
export type { Around, ModelCallContext, ToolCall } from './types/callbacks.ts'
export type {
  ContinuedRun,
  DeltaEvent,
  DiscardedEvent,
  FinishReason,
  HostEvent,
  JournaledEvent,
  ProgressEvent,
  ReferencedResult,
  RunEvent,
  RunFailure,
  TokensByModel,
  ToolFailure,
  TraceEvent,
  Traces,
} from './types/events.ts'
export type { Page, PageOptions } from './types/page.ts'
export type { Plan, PlanDraft, PlanStatus, PlanStep, PlanSummary, Plans } from './types/plans.ts'
export type { Reference, References, ReferenceValue, Resolved } from './types/references.ts'
export type { OnChanged, QueryRequest, Run, RunResult, RunStatus, RunSummary, Runs } from './types/runs.ts'
export type { TokenUsage, Usage } from './types/tenant.ts'
export type { NewMessage, ThreadSummary, Threads } from './types/threads.ts'
export type {
  OpenCall,
  Resumed,
  Wait,
  WaitError,
  WaitKind,
  WaitOutcome,
  WaitRecord,
  WaitStatus,
  Waits,
} from './types/waits.ts'

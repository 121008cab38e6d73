export type {
  AgentRole,
  AgentSpec,
  Coordinator,
  CoordinatorDefinition,
  Executor,
  ExecutorDefinition,
  Planner,
  PlannerDefinition,
  Specialist,
  SpecialistDefinition,
} from './agent.ts'
export type {
  Message,
  Model,
  ModelEvent,
  ModelRequest,
  ModelSettings,
  Part,
  ToolContext,
  ToolGenerator,
  ToolHandler,
} from './callbacks.ts'
export { type DataEnvironment, defineDataEnvironment } from './data-environment.ts'
export { defineCoordinator, defineExecutor, definePlanner, defineSpecialist } from './define-agent.ts'
export { defineRuntime, type RuntimeDefinition, withTenant } from './define-runtime.ts'
export type { AgentOutput, GivenHandlers, SpecialistNames, ToolHandlers, ToolInput, ToolOutput } from './handlers.ts'
export type { JsonObject, JsonValue } from './json-value.ts'
export type { Kind, Limits, Retention, RunLimits } from './limits.ts'
export { definePlan, type PlanDefinition, type PlanType } from './plan.ts'
export { layeredPrompt, type Prompt, type PromptDefinition, type PromptExample } from './prompt.ts'
export { defineReference, type GlimpseOption, type ReferenceDefinition, type ReferenceType } from './reference.ts'
export type { RuntimeSpec, RuntimeSpecDump } from './runtime-spec.ts'
export type { JsonSchema, Schema, StandardJsonSchema, StandardSchema } from './schema.ts'
export { defineTenant, type Tenant } from './tenant.ts'
export {
  type ApprovalPolicy,
  defineTool,
  type InterruptedPolicy,
  type Tool,
  type ToolDefinition,
  type ToolEffects,
} from './tool.ts'
export type { Provider } from './topology.ts'

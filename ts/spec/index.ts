export type {
  Model,
  ModelEvent,
  ModelRequest,
  ModelSettings,
  Prompt,
  PromptExample,
  ToolContext,
  ToolGenerator,
  ToolHandler,
} from '../types/callbacks.ts'
export type { JsonObject, JsonSchema, JsonValue } from '../types/json.ts'
export type { ContextRules, DataEnvironment, Kind, Limits, Retention, RunLimits, Tenant } from '../types/tenant.ts'
export type { Message, Part } from '../types/threads.ts'
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
} from './definitions/agent.ts'
export { defineDataEnvironment } from './definitions/data-environment.ts'
export { defineCoordinator, defineExecutor, definePlanner, defineSpecialist } from './definitions/define-agent.ts'
export { defineRuntime, type RuntimeDefinition, withTenant } from './definitions/define-runtime.ts'
export type {
  AgentOutput,
  GivenHandlers,
  SpecialistNames,
  ToolHandlers,
  ToolInput,
  ToolOutput,
} from './definitions/handlers.ts'
export { definePlan, type PlanDefinition, type PlanType } from './definitions/plan.ts'
export { layeredPrompt, type PromptDefinition } from './definitions/prompt.ts'
export { defineQuestion, type QuestionDefinition } from './definitions/question.ts'
export {
  defineReference,
  type GlimpseOption,
  type ReferenceDefinition,
  type ReferenceType,
} from './definitions/reference.ts'
export { defineTenant } from './definitions/tenant.ts'
export {
  type ApprovalPolicy,
  defineTool,
  type InterruptedPolicy,
  type QuestionTool,
  type Tool,
  type ToolDefinition,
  type ToolEffects,
  type ToolQuestion,
  type ToolRetry,
  type WhileWaiting,
} from './definitions/tool.ts'
export type { RuntimeSpec, RuntimeSpecDump } from './dump/runtime-spec.ts'
export type { Provider } from './dump/topology.ts'
export type { Schema, StandardJsonSchema, StandardSchema } from './schema/schema.ts'

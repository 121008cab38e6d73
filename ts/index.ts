export * from './errors/index.ts'
export type {
  Cache,
  Page,
  Reference,
  References,
  ReferenceValue,
  Resolved,
  TokenUsage,
  Usage,
} from './runtime/types.ts'
export * from './spec/index.ts'

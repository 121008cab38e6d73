export { fromAiSdk } from './from-ai-sdk.ts'
export type { LanguageModel, LanguageModelProvider } from './language-model.ts'
export { toUIMessageStream, type UIMessageStreamOptions } from './to-ui-message-stream.ts'
export { toUIMessages, type UIMessagesOptions } from './to-ui-messages.ts'
export type {
  AgentProgress,
  DiscardedParts,
  ShownReference,
  UIMessage,
  UIMessageChunk,
  UIMessagePart,
  UIToolPart,
} from './ui-message.ts'
export { withoutDiscarded } from './without-discarded.ts'

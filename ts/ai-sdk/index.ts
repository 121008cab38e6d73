export { fromAiSdk } from './model/from-ai-sdk.ts'
export type { LanguageModel, LanguageModelProvider } from './model/language-model.ts'
export {
  type FromUIMessagesOptions,
  fromUIMessages,
  type GivenUIMessage,
  type PromptPart,
} from './ui/from-ui-messages.ts'
export {
  type ChatRuntime,
  type ResumeUIMessageStreamOptions,
  resumeUIMessageStream,
} from './ui/resume-ui-message-stream.ts'
export { toUIMessageStream, type UIMessageStreamOptions } from './ui/to-ui-message-stream.ts'
export { toUIMessages, type UIMessagesOptions } from './ui/to-ui-messages.ts'
export type {
  AgentProgress,
  DiscardedParts,
  ShownProgress,
  ShownReference,
  ShownUpTo,
  UIMessage,
  UIMessageChunk,
  UIMessagePart,
  UIToolPart,
} from './ui/ui-message.ts'
export { withoutDiscarded } from './ui/without-discarded.ts'

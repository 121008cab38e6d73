export { fromAiSdk } from './from-ai-sdk.ts'
export type { LanguageModel, LanguageModelProvider } from './language-model.ts'

export { noopModel, type RecordedRequest, type Script, type ScriptedModel, scriptedModel } from './scripted-model.ts'
export { type TestStore, type TestStoreOptions, testStore } from './test-store.ts'
export { testToolContext } from './test-tool-context.ts'

export { type TestStore, type TestStoreOptions, testStore } from './test-store.ts'
export { testToolContext } from './test-tool-context.ts'

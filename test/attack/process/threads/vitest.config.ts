import { defineConfig } from 'vitest/config'

// Each file has a thread of its own; the main thread of the process never loads the addon.
export default defineConfig({
  test: { include: ['*.check.ts'], pool: 'threads', maxWorkers: 1, testTimeout: 120_000 },
})

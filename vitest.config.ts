import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const ts = fileURLToPath(new URL('./ts/', import.meta.url))

export default defineConfig({
  resolve: {
    // Tests see the sources, with one copy of every class; test/package alone sees what is built and packed.
    alias: [
      { find: /^bailiwick$/, replacement: `${ts}index.ts` },
      { find: /^bailiwick\/([a-z/-]+)$/, replacement: `${ts}$1/index.ts` },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/support/database-server.ts',
    pool: 'forks',
    // The core brings its own threads; two files at a time keep a small machine busy.
    maxWorkers: 2,
    // A hang must end, a slow machine must not fail: no test is decided by time.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // `.only` would leave the other tests out without a word.
    allowOnly: false,
  },
})

import { defineConfig } from 'vitest/config'

/** Tests run on the sources: the condition makes `@kinora/*` resolve to `src`, so that nothing has to be built first. */
export default defineConfig({
  resolve: { conditions: ['@kinora/source'] },
  ssr: { resolve: { conditions: ['@kinora/source'], externalConditions: ['@kinora/source'] } },
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'packages/*/test/**/*.test.ts',
      'examples/**/*.test.ts',
      'test/**/*.test.ts',
    ],
    globalSetup: 'test/harness/queue-template.ts',
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})

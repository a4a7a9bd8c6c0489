import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // Most tests wait for other processes most of the time.
    maxWorkers: 4,
    // A busy machine must not stop a release; what needed a second try is named at the end of the run.
    retry: process.env.CI ? 1 : 0,
    reporters: process.env.CI ? ['default', './test/support/reporter.ts'] : ['default'],
  },
});

import { defineConfig } from 'vitest/config';

/** Real processes on real ports: one suite after the other, on the code that was built. */
export default defineConfig({
  test: {
    include: ['test/e2e/**/*.test.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 150_000,
  },
});

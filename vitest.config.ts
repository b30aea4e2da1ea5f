import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 180_000,
    // onnxruntime-node is a native addon: one process per test file keeps a native crash from hiding other results.
    pool: 'forks',
    maxWorkers: 2,
  },
});

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.{ts,tsx}'],
    restoreMocks: true,
    coverage: {
      include: ['src/**'],
      reportsDirectory: '../coverage/client',
      reporter: ['text'],
      thresholds: { lines: 90, functions: 90, branches: 90, statements: 90, 'src/core/**': { lines: 90, functions: 90, branches: 90, statements: 90 } },
    },
  },
});

import { defineConfig } from 'vitest/config';

/** Specs that build, install and compile: they take both cores, so timing tests never run beside them. */
const HEAVY = ['test/package/**/*.spec.ts', 'test/docs/**/*.spec.ts'];

/** Specs that drive Chromium: they need it, and both cores. */
const BROWSER = ['test/browser/**/*.spec.ts'];

export default defineConfig({
  resolve: { tsconfigPaths: true },
  test: {
    // Two cores: more workers than that only make the timing tests noisy.
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'library',
          include: ['test/**/*.spec.ts'],
          exclude: [...HEAVY, ...BROWSER],
          globalSetup: 'test/support/redis/global-setup.ts',
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'package',
          include: HEAVY,
          sequence: { groupOrder: 1 },
          typecheck: {
            enabled: true,
            include: ['test/types/**/*.spec-d.ts'],
            tsconfig: './test/types/tsconfig.json',
          },
        },
      },
      {
        extends: true,
        test: {
          name: 'browser',
          include: BROWSER,
          globalSetup: 'test/support/browser/global-setup.ts',
          testTimeout: 60_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});

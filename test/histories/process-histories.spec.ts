import { describe, expect, it } from 'vitest';
import { runProcesses } from '../support/history/process-history.js';
import { fileStorage, redisStorage } from '../support/history/process-storage.js';

/** How often something happens to a process, in every run of the tests; more by the environment. */
const TROUBLES = Number(process.env.HISTORY_TROUBLES ?? 5);
const SEED = Number(process.env.HISTORY_SEED ?? Date.now() % 1_000_000);
const TIMEOUT = 60_000 + TROUBLES * 5_000;

describe.each([
  ['a Redis', redisStorage],
  ['a file', fileStorage],
] as const)(`three processes on %s, in trouble ${TROUBLES} times, history ${SEED}`, (what, open) => {
  it.each(['strict', 'bus'] as const)(
    'serve nothing older than they may (%s)',
    { timeout: TIMEOUT },
    async (coherence) => {
      await using storage = await open();
      const report = await runProcesses({ storage, coherence, seed: SEED, troubles: TROUBLES });
      const { violations, reads, hits, faults, acknowledged } = report;
      process.stdout.write(
        `${coherence}, processes on ${what}, history ${SEED}: ${JSON.stringify(report)}\n`,
      );
      expect(violations).toEqual([]);
      expect(faults).toBe(TROUBLES);
      expect(hits / reads).toBeGreaterThan(0.2);
      expect(acknowledged).toBeGreaterThan(0);
    },
  );
});

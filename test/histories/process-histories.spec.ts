import { describe, expect, it } from 'vitest';
import { runProcesses } from '../support/history/process-history.js';

/** How often something happens to a process, in every run of the tests; more by the environment. */
const TROUBLES = Number(process.env.HISTORY_TROUBLES ?? 5);
const SEED = Number(process.env.HISTORY_SEED ?? Date.now() % 1_000_000);
const TIMEOUT = 60_000 + TROUBLES * 5_000;

describe(`three processes on a Redis, killed and stopped ${TROUBLES} times, history ${SEED}`, () => {
  it.each(['strict', 'bus'] as const)(
    'serve nothing older than they may (%s)',
    { timeout: TIMEOUT },
    async (coherence) => {
      const report = await runProcesses({ coherence, seed: SEED, troubles: TROUBLES });
      const { violations, reads, hits, faults, acknowledged } = report;
      process.stdout.write(`${coherence}, processes, history ${SEED}: ${JSON.stringify(report)}\n`);
      expect(violations).toEqual([]);
      expect(faults).toBe(TROUBLES);
      expect(hits / reads).toBeGreaterThan(0.2);
      expect(acknowledged).toBeGreaterThan(0);
    },
  );
});

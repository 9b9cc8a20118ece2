import { describe, expect, it } from 'vitest';
import { runFailovers } from '../support/history/failover-history.js';

/** Failovers in every run of the tests; more by the environment. */
const FAILOVERS = Number(process.env.HISTORY_FAILOVERS ?? 2);
const SEED = Number(process.env.HISTORY_SEED ?? Date.now() % 1_000_000);
const TIMEOUT = 60_000 + FAILOVERS * 10_000;

describe(`acknowledged evictions over ${FAILOVERS} failovers to a replica that was behind, history ${SEED}`, () => {
  it.each([true, false])(
    'are not lost where they wait for a replica (INFO allowed: %s)',
    { timeout: TIMEOUT },
    async (knowsHistory) => {
      const report = await runFailovers({
        seed: SEED,
        failovers: FAILOVERS,
        waitForReplicas: 1,
        knowsHistory,
      });
      const { violations, reads, hits, faults, acknowledged } = report;
      process.stdout.write(`failovers, history ${SEED}: ${JSON.stringify(report)}\n`);
      expect(violations).toEqual([]);
      expect(faults).toBe(FAILOVERS);
      expect(hits / reads).toBeGreaterThan(0.03);
      expect(acknowledged).toBeGreaterThanOrEqual(FAILOVERS * 5);
    },
  );

  it('are found to be lost where nothing keeps them', { timeout: 180_000 }, async () => {
    const { violations } = await runFailovers({
      seed: 1,
      failovers: 40,
      waitForReplicas: 0,
      knowsHistory: false,
    });
    expect(violations).not.toEqual([]);
  });
});

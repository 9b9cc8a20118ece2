import { describe, expect, it } from 'vitest';
import { runHistory } from '../support/history/redis-history.js';

/** Seconds for each kind of history, in every run of the tests; more by the environment. */
const SECONDS = Number(process.env.HISTORY_SECONDS ?? 6);
const SEED = Number(process.env.HISTORY_SEED ?? Date.now() % 1_000_000);
const TIMEOUT = 60_000 + SECONDS * 2_000;

const PROMISES = [
  { coherence: 'strict', promise: 'never get older data after an acknowledged eviction' },
  { coherence: 'bus', promise: 'get no older data later than the bound after an acknowledged eviction' },
] as const;

describe(`reads of three instances on a Redis that fails, history ${SEED}`, () => {
  it.each(PROMISES)('$promise ($coherence)', { timeout: TIMEOUT }, async ({ coherence }) => {
    const report = await runHistory({ coherence, seed: SEED, seconds: SECONDS });
    const { violations, reads, hits, faults, acknowledged, evictions } = report;
    process.stdout.write(`${coherence}, history ${SEED}: ${JSON.stringify(report)}\n`);
    expect(violations).toEqual([]);
    expect(reads).toBeGreaterThan(SECONDS * 20);
    expect(hits / reads).toBeGreaterThan(0.2);
    expect(acknowledged / evictions).toBeGreaterThan(0.3);
    expect(faults).toBeGreaterThan(SECONDS / 3);
  });

  it.each([
    { coherence: 'strict', defect: 'no stamp check' },
    { coherence: 'strict', defect: 'trusted memory' },
    { coherence: 'bus', defect: 'no stamp check' },
    { coherence: 'bus', defect: 'trusted memory' },
  ] as const)('which is found to be untrue: $defect ($coherence)', { timeout: 90_000 }, async (broken) => {
    const { violations } = await runHistory({ ...broken, seed: 1, seconds: 60 });
    expect(violations).not.toEqual([]);
  });
});

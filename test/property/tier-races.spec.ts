import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Defect, DEFECTS, withDefect } from '../support/history/defects.js';
import { type RaceCount, tierRaceProperty } from '../support/history/tier-race.js';

/** Interleavings in all: some ten seconds of them in every run of the tests; more by the environment. */
const RUNS = Number(process.env.TIER_RACE_RUNS ?? 2_400);
const EACH = Math.floor(RUNS / 2);
const TIMEOUT = 30_000 + RUNS * 20;

/** The property with a defect in the code it is about: how soon is that found? */
const BROKEN = { numRuns: 20_000, seed: 1, endOnFailure: true } as const;

const PROMISES = [
  { coherence: 'strict', promise: 'no read that starts after it was acknowledged gets older data' },
  { coherence: 'bus', promise: 'no read that starts later than the bound after that gets older data' },
] as const;

async function violationOf(coherence: 'strict' | 'bus', defect: Defect): Promise<string> {
  return withDefect(defect, async () => {
    const { errorInstance } = await fc.check(tierRaceProperty(coherence, defect), BROKEN);
    return String(errorInstance);
  });
}

describe.each(PROMISES)(
  `an eviction by one of three instances, with messages and answers late or lost: $promise ($coherence)`,
  ({ coherence }) => {
    it(`in ${EACH} interleavings`, { timeout: TIMEOUT }, async () => {
      const count: RaceCount = { runs: 0, hits: 0 };
      const holds = fc.assert(tierRaceProperty(coherence, undefined, count), { numRuns: EACH });
      await expect(holds).resolves.toBeUndefined();
      expect(count.hits / count.runs).toBeGreaterThan(1);
    });

    it.each(DEFECTS)(
      'which is found to be untrue with the defect: %s',
      { timeout: TIMEOUT },
      async (defect) => {
        expect(await violationOf(coherence, defect)).toContain('stale: ');
      },
    );
  },
);

import type { CacheStore } from 'nestjs-caching';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EvictionLog } from '../../libs/caching/src/cache/stamps.js';
import { behindConnection, raceProperty } from '../support/race.js';
import { RaceOverHttp } from '../support/race-over-http.js';

/** Interleavings in all: some twenty seconds of them in every run of the tests; more by the environment. */
const RUNS = Number(process.env.RACE_RUNS ?? 20_000);
const OVER_HTTP = Math.floor(RUNS / 10);
const IN_PROCESS = Math.floor((RUNS - OVER_HTTP) / 2);
const REMOTE = RUNS - OVER_HTTP - IN_PROCESS;
const TIMEOUT = 30_000 + RUNS * 20;

/** The property with a defect in the code it is about: how soon is that found? */
const BROKEN = { numRuns: 3_000, seed: 1, endOnFailure: true } as const;

/** Runs `work` while the one check that makes evictions win is missing from the shipped code. */
async function withoutStampCheck<T>(work: () => Promise<T>): Promise<T> {
  const shipped = Object.getOwnPropertyDescriptor(EvictionLog.prototype, 'isCurrent') as PropertyDescriptor;
  Object.defineProperty(EvictionLog.prototype, 'isCurrent', { ...shipped, value: () => true });
  try {
    return await work();
  } finally {
    Object.defineProperty(EvictionLog.prototype, 'isCurrent', shipped);
  }
}

/** A store that keeps its entries correctly, and takes every fill in flight for current. */
function credulous(inner: CacheStore): CacheStore {
  return {
    name: 'credulous',
    get position() {
      return inner.position;
    },
    isCurrent: () => true,
    lookup: (key) => inner.lookup(key),
    set: (entry) => inner.set(entry),
    evict: (tags) => inner.evict(tags),
  };
}

/** What the property found. */
async function violationOf<T>(property: fc.IAsyncProperty<T>): Promise<string> {
  return String((await fc.check(property, BROKEN)).errorInstance);
}

describe(`no read that starts after an acknowledged eviction gets older data, in ${RUNS} interleavings`, () => {
  const overHttp = new RaceOverHttp();

  beforeAll(() => overHttp.start());
  afterAll(() => overHttp.stop());

  it(`with the store in process, in ${IN_PROCESS} of them`, { timeout: TIMEOUT }, async () => {
    const holds = fc.assert(
      raceProperty((inner) => inner),
      { numRuns: IN_PROCESS },
    );
    await expect(holds).resolves.toBeUndefined();
  });

  it(
    `with a store that is asked and answers over a connection, in ${REMOTE} of them`,
    { timeout: TIMEOUT },
    async () => {
      const holds = fc.assert(raceProperty(behindConnection), { numRuns: REMOTE });
      await expect(holds).resolves.toBeUndefined();
    },
  );

  it(`with requests to an application, in ${OVER_HTTP} of them`, { timeout: TIMEOUT }, async () => {
    const holds = fc.assert(overHttp.property, { numRuns: OVER_HTTP });
    await expect(holds).resolves.toBeUndefined();
  });

  it('which is found to be untrue without the check of stamps: in process', async () => {
    const found = await withoutStampCheck(() => violationOf(raceProperty((inner) => inner)));
    expect(found).toContain('stale: ');
  });

  it('which is found to be untrue without the check of stamps: over a connection', async () => {
    const found = await withoutStampCheck(() => violationOf(raceProperty(behindConnection)));
    expect(found).toContain('stale: ');
  });

  it(
    'which is found to be untrue without the check of stamps: with requests',
    { timeout: TIMEOUT },
    async () => {
      const found = await withoutStampCheck(() => violationOf(overHttp.property));
      expect(found).toContain('stale: ');
    },
  );

  it('which is found to be untrue where only fills in flight are not checked', async () => {
    expect(await violationOf(raceProperty(credulous))).toContain('stale: ');
  });
});

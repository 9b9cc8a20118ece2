import { setTimeout as delay } from 'node:timers/promises';
import * as fc from 'fast-check';
import type { Coherence } from '../../../libs/caching/src/stores/tiered.store.js';
import type { FaultProxy } from '../redis/fault-proxy.js';
import { startRedis } from '../redis/redis-server.js';
import { type Defect, withDefect } from './defects.js';
import type { ObservedTier } from './observed-tier.js';
import { HistoryGroup } from './history-group.js';
import type { HistoryCount } from './judged-instance.js';
import { REDIS_FAULTS } from './redis-faults.js';

const MAX_FAULTS = 100_000;

export interface HistoryOptions {
  readonly coherence: Coherence;
  readonly seed: number;
  readonly seconds: number;
  readonly defect?: Defect;
}

export interface HistoryReport extends HistoryCount {
  readonly faults: number;
  readonly violations: readonly string[];
}

const faults = fc.record({
  name: fc.constantFrom(...Object.keys(REDIS_FAULTS)),
  place: fc.nat({ max: 2 }),
  milliseconds: fc.integer({ min: 20, max: 500 }),
  /** Milliseconds without a fault, before it. */
  rest: fc.integer({ min: 0, max: 300 }),
});

/**
 * A random history: three instances on a Redis with an append-only file, clients that read and write through them, and
 * one fault after the other. Ends with the first violation, or when the time is over and hits have returned.
 */
export function runHistory({ coherence, seed, seconds, defect }: HistoryOptions): Promise<HistoryReport> {
  return withDefect(defect, async () => {
    await using redis = await startRedis({ appendonly: true });
    const group = await HistoryGroup.start({ port: redis.port, coherence, seed, defect });
    let count = 0;
    try {
      await group.serveDuring(async (isOver) => {
        const until = performance.now() + seconds * 1_000;
        for (const fault of fc.sample(faults, { numRuns: Math.min(MAX_FAULTS, seconds * 20), seed })) {
          await delay(fault.rest);
          if (isOver() || performance.now() > until) break;
          const { place, milliseconds } = fault;
          const end = await (REDIS_FAULTS[fault.name] as (typeof REDIS_FAULTS)[string])(
            {
              redis,
              proxy: group.proxies[place] as FaultProxy,
              tier: group.tiers[place] as ObservedTier,
              restart: () => group.restart(place),
            },
            milliseconds,
          );
          await delay(milliseconds);
          await end();
          count++;
        }
      });
      if (group.world.violations.length === 0) await group.waitForHits();
    } finally {
      await group.close();
    }
    return { ...group.count, faults: count, violations: group.world.violations };
  });
}

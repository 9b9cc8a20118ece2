import { setTimeout as delay } from 'node:timers/promises';
import * as fc from 'fast-check';
import { EVICT_SCRIPT, SYNC_SCRIPT } from '../../../libs/caching/src/stores/redis/redis-scripts.js';
import type { FaultProxy } from '../redis/fault-proxy.js';
import { poll } from '../redis/poll.js';
import { FailoverPair } from './failover-pair.js';
import { HistoryGroup } from './history-group.js';
import type { ObservedTier } from './observed-tier.js';
import type { HistoryReport } from './redis-history.js';

export interface FailoverOptions {
  readonly seed: number;
  readonly failovers: number;
  /** How many replicas an eviction has to reach before it counts as acknowledged. */
  readonly waitForReplicas: 0 | 1;
  /**
   * Whether the instances may ask which server's history it is (`INFO`): another one than before is not trusted,
   * whatever it has. Without that, all depends on what the replica has: it has seen the scripts before, so that does not
   * tell it from the primary either.
   */
  readonly knowsHistory: boolean;
}

/** Acknowledged evictions without which a failover shows nothing. */
const ENOUGH = 5;
const ENOUGH_MS = 15_000;

const CREDENTIALS = 'history:secret';
const USER = ['--user', 'history', 'on', '>secret', '~*', '&*', '+@all'];

/** As they are sent. */
const SCRIPTS = [SYNC_SCRIPT, EVICT_SCRIPT].map((script) => `#!lua flags=allow-oom\n${script}`);

const failover = fc.record({
  /** Milliseconds of work before it. */
  before: fc.integer({ min: 200, max: 500 }),
  /** Milliseconds for which the replica does not get what is written. */
  lag: fc.integer({ min: 0, max: 300 }),
  /** An instance that loses its way to the primary, and does not hear what the others evict, in the last moments. */
  cutOff: fc.nat({ max: 2 }),
  /** Milliseconds by which answers of the new primary are late for that one. */
  late: fc.integer({ min: 0, max: 20 }),
});

/**
 * A random history in `strict` over failovers: the replica falls behind, the primary dies, the replica takes over with
 * what it has, and the one that died comes back as its replica. Ends with the first violation.
 */
export async function runFailovers(options: FailoverOptions): Promise<HistoryReport> {
  const { seed, failovers, waitForReplicas, knowsHistory } = options;
  await using pair = await (knowsHistory
    ? FailoverPair.start(USER, [])
    : FailoverPair.start([...USER, '-info'], SCRIPTS));
  const group = await HistoryGroup.start({
    port: pair.port,
    coherence: 'strict',
    seed,
    waitForReplicas,
    credentials: CREDENTIALS,
  });
  const enough = (known: number) => async () =>
    group.world.violations.length > 0 || group.count.acknowledged >= known + ENOUGH || undefined;
  let count = 0;
  try {
    await group.serveDuring(async (isOver) => {
      for (const { before, lag, cutOff, late } of fc.sample(failover, { numRuns: failovers, seed })) {
        await delay(before);
        await poll('evictions before a failover', enough(group.count.acknowledged), ENOUGH_MS);
        if (isOver()) return;
        const tier = group.tiers[cutOff] as ObservedTier;
        tier.messages = 'are lost';
        await (group.proxies[cutOff] as FaultProxy).refuse();
        await pair.interrupt();
        await delay(lag);
        await pair.failOver();
        await group.redirect(pair.port, { first: cutOff, late });
        await delay(before);
        tier.messages = 'arrive';
        await (group.proxies[cutOff] as FaultProxy).pass();
        await pair.repair();
        count++;
      }
    });
    if (group.world.violations.length === 0) await group.waitForHits();
  } finally {
    await group.close();
  }
  return { ...group.count, faults: count, violations: group.world.violations };
}

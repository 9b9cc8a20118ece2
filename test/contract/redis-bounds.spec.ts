import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StampDelta } from '../../libs/caching/src/cache/shared-log.js';
import { RedisNames } from '../../libs/caching/src/stores/redis/redis-names.js';
import { redis, type RedisTier } from '../../libs/caching/src/stores/redis/redis.store.js';
import { poll } from '../support/redis/poll.js';
import { type RedisServer, startRedis } from '../support/redis/redis-server.js';
import { tierHost } from '../support/tier-host.js';

const NAMES = new RedisNames('bounds');
const TAGS_AT_ONCE = 11_000;
/** Of stamps that are kept, as `docs` and the store say, and of those that are told at once. */
const KEPT = 100_000;
const TOLD = 10_000;

let server: RedisServer;
let tier: RedisTier;
const heard: unknown[] = [];

beforeAll(async () => {
  server = await startRedis();
  tier = redis({ url: server.url });
  tier.open(tierHost('bounds', { onEviction: (_position, tags) => heard.push(tags) }));
  await poll('the tier to be ready', () => tier.sync(undefined));
});

afterAll(async () => {
  await tier.close();
  await server.close();
});

const tags = (round: number) => Array.from({ length: TAGS_AT_ONCE }, (_, at) => `t:${round}:${at}`);

/** Whether an entry of this tag that was filled before `n` is refused. */
const refuses = ({ floor, stamps }: StampDelta, tag: string, n: number) =>
  floor >= n || stamps.some(([told, at]) => told === tag && at >= n);

describe('the sequence of evictions in Redis', () => {
  it('is bounded, and forgets no eviction without raising the floor', async () => {
    const { position: start } = await tier.sync(undefined);
    for (let round = 0; round < 12; round++) {
      const { n } = await tier.evict(tags(round));
      expect(Number(await server.command('ZCARD', NAMES.stamps))).toBeLessThanOrEqual(KEPT + 100);
      const delta = await tier.sync(undefined);
      expect(delta.stamps.length).toBeLessThanOrEqual(TOLD);
      for (let before = 0; before <= round; before++)
        for (const at of [0, TAGS_AT_ONCE / 2, TAGS_AT_ONCE - 1])
          expect(refuses(delta, `t:${before}:${at}`, start.n + before + 1), `tag ${before}:${at}`).toBe(true);
      // What is filled from now on is current.
      expect(delta.floor).toBeLessThanOrEqual(n);
    }
    const last = await tier.evict(['t:last']);
    const { floor, stamps } = await tier.sync({ ...last, n: last.n - 1 });
    expect(stamps).toEqual([['t:last', last.n]]);
    // More than a kept stamp's worth was dropped, all that is newer was not.
    expect(floor).toBeGreaterThan(start.n);
    expect(floor).toBeLessThan(last.n - 1);
  });

  it('is told without its tags where they are long', async () => {
    heard.length = 0;
    await tier.evict(tags(0));
    await tier.evict(['t:short']);
    await poll('both to be heard of', async () => heard.length >= 2 || undefined);
    expect(heard).toEqual([undefined, ['t:short']]);
  });
});

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { RedisNames } from '../../libs/caching/src/stores/redis/redis-names.js';
import { redis, type RedisTier } from '../../libs/caching/src/stores/redis/redis.store.js';
import { poll } from '../support/redis/poll.js';
import { type RedisServer, startRedis } from '../support/redis/redis-server.js';
import { tierHost } from '../support/tier-host.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** A stamp is kept for so much longer than entries live. */
const FILL = 10 * MINUTE;

let server: RedisServer;
let names: RedisNames;
let namespace: string;

beforeAll(async () => {
  server = await startRedis();
});

afterAll(() => server.close());

/** An instance whose entries live for so long. */
async function open(longestLife: number): Promise<RedisTier> {
  const tier = redis({ url: server.url });
  onTestFinished(() => tier.close());
  tier.open(tierHost(namespace, { longestLife: () => longestLife }));
  await poll('the tier to be ready', () => tier.sync(undefined));
  return tier;
}

/** What has a score below zero, by name: what there is to know beside stamps. */
async function heads(kind: string): Promise<Map<string, number>> {
  const reply = (await server.command('ZRANGEBYSCORE', names.stamps, '-inf', '-1', 'WITHSCORES')) as string[];
  const found = new Map<string, number>();
  for (let at = 0; at < reply.length; at += 2)
    if (reply[at]?.startsWith(kind)) found.set(reply[at] as string, -Number(reply[at + 1]) - 1);
  return found;
}

/** All that happened so far was so long ago. */
async function age(milliseconds: number): Promise<void> {
  for (const [mark, n] of await heads('M')) {
    await server.command('ZREM', names.stamps, mark);
    await server.command('ZADD', names.stamps, String(-n - 1), `M${Number(mark.slice(1)) - milliseconds}`);
  }
}

describe('stamps in Redis', () => {
  it('are kept for the longest-lived entries of all instances, whoever evicts', async () => {
    namespace = `lives-${randomUUID().slice(0, 13)}`;
    names = new RedisNames(namespace);
    const long = await open(10 * HOUR);
    const short = await open(MINUTE);
    const first = await long.evict(['t:1']);
    await age(HOUR);
    await short.evict(['t:2']);
    const { floor, stamps } = await short.sync({ ...first, n: 0 });
    expect(floor).toBe(0);
    expect(stamps).toContainEqual(['t:1', first.n]);
    expect(Number(await server.command('PTTL', names.stamps))).toBeGreaterThan(9 * HOUR);
    // One announcement counts for all.
    expect([...(await heads('L')).keys()]).toEqual([`L${10 * HOUR + FILL}`]);
  });

  it('go when no instance is left whose entries live for so long', async () => {
    namespace = `lives-${randomUUID().slice(0, 13)}`;
    names = new RedisNames(namespace);
    const long = await open(10 * HOUR);
    const first = await long.evict(['t:1']);
    await long.close();
    const short = await open(MINUTE);
    await age(HOUR);
    const [[member, till]] = [...(await heads('L'))] as [[string, number]];
    expect(till).toBeGreaterThan(Date.now() + 20 * HOUR);
    await server.command('ZADD', names.stamps, String(-(Date.now() - 1) - 1), member);
    await short.evict(['t:2']);
    expect((await short.sync({ ...first, n: 0 })).floor).toBe(first.n);
    expect([...(await heads('L')).keys()]).toEqual([`L${MINUTE + FILL}`]);
  });

  it.each(['Lsoon', 'Linf', 'Lnan', 'L99999999999999', 'L-1', 'L'])(
    'are not kept for a life that no entry has: %s',
    async (member) => {
      namespace = `lives-${randomUUID().slice(0, 13)}`;
      names = new RedisNames(namespace);
      const tier = await open(MINUTE);
      const first = await tier.evict(['t:1']);
      await server.command('ZADD', names.stamps, String(-2 * Date.now()), member);
      await age(HOUR);
      await tier.evict(['t:2']);
      expect((await tier.sync({ ...first, n: 0 })).floor).toBe(first.n);
      expect(Number(await server.command('PTTL', names.stamps))).toBeLessThan(HOUR);
    },
  );
});

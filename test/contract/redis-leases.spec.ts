import { redis } from 'nestjs-caching';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RedisTier } from '../../libs/caching/src/stores/redis/redis.store.js';
import { poll } from '../support/redis/poll.js';
import { type RedisServer, startRedis } from '../support/redis/redis-server.js';
import { tierHost } from '../support/tier-host.js';

describe('a lease in Redis', () => {
  let server: RedisServer;
  let tier: RedisTier;

  beforeAll(async () => {
    server = await startRedis();
    tier = redis({ url: server.url });
    tier.open(tierHost('leases', { timeout: 2_000 }));
    await poll('Redis to be reached', () => tier.position().then(() => true));
  });
  afterAll(async () => {
    await tier.close();
    await server.close();
  });

  const left = async (): Promise<number> => {
    const [name = ''] = (await server.command('KEYS', 'leases:lease:*')) as string[];
    return Number(await server.command('PTTL', name));
  };

  it('is kept for longer by whoever holds it, and by nobody else', async () => {
    expect(await tier.lease('k', 'mine', 60_000)).toBe('ours');
    await tier.renew('k', 'other', 600_000);
    expect(await left()).toBeLessThanOrEqual(60_000);
    await tier.renew('k', 'mine', 600_000);
    expect(await left()).toBeGreaterThan(60_000);
    expect(await tier.lease('k', 'other', 60_000)).toBe('theirs');
    await tier.release('k', 'mine');
    await tier.renew('k', 'mine', 600_000);
    expect(await tier.lease('k', 'other', 60_000)).toBe('ours');
    await tier.release('k', 'other', 60_000);
    await tier.renew('k', 'other', 600_000);
    expect(await tier.lease('k', 'third', 60_000)).toBe('uncacheable');
  });
});

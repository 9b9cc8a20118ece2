import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../libs/caching/src/cache/clock.js';
import { createRedisLink } from '../../libs/caching/src/stores/redis/create-redis-link.js';
import type { RedisLink } from '../../libs/caching/src/stores/redis/redis-link.js';
import { type FaultProxy, startFaultProxy } from '../support/redis/fault-proxy.js';
import { poll } from '../support/redis/poll.js';
import { type RedisServer, startRedis } from '../support/redis/redis-server.js';
import { RedisLinkLoad } from '../support/redis-link-load.js';

const TIMEOUT_MS = 100;
const RECOVERY_MS = 1_500;

describe('the guard of the link to Redis', () => {
  let redis: RedisServer;
  let proxy: FaultProxy;
  let link: RedisLink;
  let readies: number;

  beforeEach(async () => {
    redis = await startRedis();
    proxy = await startFaultProxy(redis);
  });

  afterEach(async () => {
    await link.close();
    await proxy.close();
    await redis.close();
  });

  async function open(url: string): Promise<void> {
    link = createRedisLink(
      { url },
      {
        clock: systemClock,
        timeout: TIMEOUT_MS,
        onError: () => undefined,
      },
    );
    readies = 0;
    link.onReady(() => readies++);
    link.open();
    await poll('the link to be ready', async () => readies > 0 || undefined, 5_000, 5);
  }

  it('fails at once while Redis is silent', async () => {
    await open(proxy.url);
    const load = await RedisLinkLoad.start(link);
    redis.stop();
    await delay(1_000);
    await load.stop();
    redis.resume();
    expect(load.failures.length).toBeGreaterThan(20);
    expect(load.median).toBeLessThan(10);
  });

  it('replaces a connection that stays silent while others answer', async () => {
    await open(proxy.url);
    // From now on Redis answers nothing on this connection, and everything on others.
    const silenced = link.send('k', ['CLIENT', 'REPLY', 'OFF']);
    await expect(silenced).rejects.toThrow('no answer within 100 ms');
    const startedAt = performance.now();
    await poll('a fresh connection', async () => readies > 1 || undefined, 5_000);
    expect(performance.now() - startedAt).toBeLessThan(3_500);
    expect(await link.send('k', ['GET', 'k'])).toBeNull();
  });

  it('connects afresh when its primary has become a replica', async () => {
    await open(proxy.url);
    proxy.answer(['SET'], "READONLY You can't write against a read only replica.");
    await expect(link.send('k', ['SET', 'k', 'v'])).rejects.toThrow('READONLY');
    await poll('a fresh connection', async () => readies > 1 || undefined, 1_000);
  });

  it('starts before Redis does', async () => {
    await redis.kill();
    link = createRedisLink(
      { url: redis.url },
      {
        clock: systemClock,
        timeout: TIMEOUT_MS,
        onError: () => undefined,
      },
    );
    link.open();
    await expect(link.send('k', ['GET', 'k'])).rejects.toThrow('Redis is not connected');
    await redis.restart();
    const load = performance.now();
    await poll('an answer', () => link.send('k', ['PING']).then(String), RECOVERY_MS);
    expect(performance.now() - load).toBeLessThan(RECOVERY_MS);
  });

  it('closes within a second and a half while Redis is stopped, and leaves no connection', async () => {
    await open(proxy.url);
    link.subscribe(
      'news',
      () => undefined,
      () => undefined,
    );
    redis.stop();
    await delay(500);
    const startedAt = performance.now();
    await link.close();
    expect(performance.now() - startedAt).toBeLessThan(1_500);
    await poll('its connections to be gone', async () => proxy.connections === 0 || undefined, 2_000);
    redis.resume();
  });

  it('does not take an error reply for a dead connection', async () => {
    await open(proxy.url);
    await link.send('text', ['SET', 'text', 'v']);
    for (let count = 0; count < 20; count++)
      await expect(link.send('text', ['HGET', 'text', 'f'])).rejects.toThrow('WRONGTYPE');
    expect(String(await link.send('text', ['GET', 'text']))).toBe('v');
    expect(readies).toBe(1);
  });

  it('takes ten thousand commands at a time and refuses the next at once', async () => {
    await open(proxy.url);
    proxy.hold();
    const sent = Promise.allSettled(Array.from({ length: 10_000 }, () => link.send('k', ['GET', 'k'])));
    await expect(link.send('k', ['GET', 'k'])).rejects.toThrow('10000 commands wait already');
    const outcomes = await sent;
    expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true);
  });
});

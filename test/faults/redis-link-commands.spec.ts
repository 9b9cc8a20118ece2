import { createClient } from '@redis/client';
import { redisInsStore } from 'cache-manager-redis-yet';
import { createClient as createClient4 } from 'redis';
import { createClient as createClient6 } from 'redis-6';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../libs/caching/src/cache/clock.js';
import { CacheStoreError } from '../../libs/caching/src/caching.errors.js';
import {
  createRedisLink,
  type RedisConnection,
} from '../../libs/caching/src/stores/redis/create-redis-link.js';
import type { RedisLink } from '../../libs/caching/src/stores/redis/redis-link.js';
import { poll } from '../support/redis/poll.js';
import { type RedisServer, startRedis } from '../support/redis/redis-server.js';

/** What an application hands over; none of them is connected. */
const WAYS: readonly (readonly [string, (url: string) => RedisConnection])[] = [
  ['a URL', (url) => ({ url })],
  ['redisInsStore', (url) => ({ client: redisInsStore(createClient4({ url }) as never) })],
  ['node-redis 4', (url) => ({ client: createClient4({ url }) })],
  ['node-redis 5', (url) => ({ client: createClient({ url }) })],
  ['node-redis 6', (url) => ({ client: createClient6({ url }) })],
];

describe('the link to one Redis server', () => {
  let redis: RedisServer;
  let link: RedisLink;
  const errors: string[] = [];

  beforeAll(async () => {
    redis = await startRedis({ requirepass: 'p@ss/wörd' });
  });

  afterAll(() => redis.close());

  afterEach(() => link.close());

  async function open(connection: RedisConnection): Promise<void> {
    link = createRedisLink(connection, {
      clock: systemClock,
      timeout: 1_000,
      onError: (operation, error) => errors.push(`${operation}: ${String(error)}`),
    });
    const ready = new Promise<void>((resolve) => link.onReady(resolve));
    link.open();
    await ready;
  }

  describe.each(WAYS)('by %s', (_name, connectionTo) => {
    it('returns strings as the bytes that were sent, numbers and lists', async () => {
      await open(connectionTo(redis.url));
      const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7) % 256));
      await link.send('short', ['SET', 'short', Buffer.from([0, 255])]);
      expect(await link.send('bytes', ['SET', 'bytes', bytes])).toEqual(Buffer.from('OK'));
      expect(bytes.equals((await link.send('bytes', ['GET', 'bytes'])) as Buffer)).toBe(true);
      expect(await link.send('none', ['MGET', 'short', 'none'])).toEqual([Buffer.from([0, 255]), null]);
      expect(await link.send('bytes', ['STRLEN', 'bytes'])).toBe(bytes.length);
    });

    it('hands on an error reply as the cause, and goes on', async () => {
      await open(connectionTo(redis.url));
      const error: unknown = await link.send('k', ['NOSUCH', 'k']).catch((cause: unknown) => cause);
      expect(error).toBeInstanceOf(CacheStoreError);
      expect((error as CacheStoreError).cause).toMatchObject({
        message: expect.stringMatching(/^ERR unknown command/),
      });
      expect(await link.send('k', ['PING'])).toEqual(Buffer.from('PONG'));
    });

    it('answers a thousand commands of one turn in their order', async () => {
      await open(connectionTo(redis.url));
      const replies = await Promise.all(
        Array.from({ length: 1_000 }, (_, i) => link.send('k', ['ECHO', `n${i}`])),
      );
      expect(replies.map(String)).toEqual(Array.from({ length: 1_000 }, (_, i) => `n${i}`));
    });

    it('hears what is published, while commands go on', async () => {
      await open(connectionTo(redis.url));
      const heard: string[] = [];
      const hearing: boolean[] = [];
      link.subscribe(
        'news',
        (message) => heard.push(message),
        (hears) => hearing.push(hears),
      );
      await poll('the subscription', async () => hearing[0] === true || undefined);
      await link.send('news', ['PUBLISH', 'news', 'öne']);
      await poll('the message', async () => heard[0]);
      // Longer than its heartbeat needs.
      await new Promise((resolve) => setTimeout(resolve, 1_200));
      expect({ heard, hearing }).toEqual({ heard: ['öne'], hearing: [true] });
    });

    it('finds all keys of a pattern, and no others', async () => {
      await open(connectionTo(redis.url));
      const names = Array.from({ length: 1_200 }, (_, i) => `app:${i}`);
      await link.send('k', ['MSET', ...names.flatMap((name) => [name, '1']), 'other:1', '1']);
      const found = new Set<string>();
      for await (const part of link.scan('app:*')) for (const key of part) found.add(key);
      expect([...found].sort()).toEqual(names.sort());
    });

    it('leaves no connection behind, and fails commands at once', async () => {
      const before = await connections(redis);
      await open(connectionTo(redis.url));
      link.subscribe(
        'news',
        () => undefined,
        () => undefined,
      );
      expect(await connections(redis)).toBeGreaterThan(before);
      await link.close();
      await link.close();
      await poll(
        'its connections to be closed',
        async () => (await connections(redis)) <= before || undefined,
      );
      await expect(link.send('k', ['PING'])).rejects.toThrow(CacheStoreError);
    });
  });
});

async function connections(redis: RedisServer): Promise<number> {
  const list = String(await redis.command('CLIENT', 'LIST'));
  return list.trim().split('\n').length;
}

import { CACHE_MANAGER } from '@nestjs/cache-manager';
import { Controller, Get } from '@nestjs/common';
import type { Cache } from 'cache-manager';
import { CacheEvictionService, CacheStoreError, CacheView, redis } from 'nestjs-caching';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RunningApplication } from '../support/application.js';
import { acknowledges, countOf, startOnRedis, store } from '../support/redis/applications.js';
import { type OpenClient, SINGLE_CLIENTS } from '../support/redis/clients.js';
import { poll } from '../support/redis/poll.js';
import { type RedisServer, startRedis } from '../support/redis/redis-server.js';
import { verdictsOf } from '../support/verdicts.js';

@Controller('books')
class BooksController {
  @Get() @CacheView() list() {
    return [];
  }
}

describe.each(SINGLE_CLIENTS)('CACHE_MANAGER on Redis by $name', ({ open }) => {
  let server: RedisServer;
  let given: OpenClient;
  const running: RunningApplication[] = [];

  const start = async (namespace = 'cache'): Promise<Cache> => {
    const started = await startOnRedis('fastify', server.url, {
      controllers: [BooksController],
      caching: { namespace, ttl: '2m', store: redis({ client: given.client as never }) },
    });
    running.push(started);
    return started.app.get<Cache>(CACHE_MANAGER, { strict: false });
  };

  beforeAll(async () => {
    server = await startRedis();
  });
  beforeEach(async () => {
    await server.command('FLUSHALL');
    given = await open(server.url);
    await given.connected;
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((each) => each.close()));
    await given.close();
  });
  afterAll(() => server.close());

  it('gets, sets, deletes, and does so with many at once', async () => {
    const values = await start();
    await values.set('a', { title: 'Der Zauberberg – 魔の山', tags: ['x', null], at: 1.5 });
    expect(await values.get('a')).toEqual({ title: 'Der Zauberberg – 魔の山', tags: ['x', null], at: 1.5 });
    expect(await values.del('a')).toBe(true);
    expect(await values.get('a')).toBeUndefined();
    await values.mset([
      { key: 'b', value: 1 },
      { key: 'c', value: 2, ttl: 60_000 },
    ]);
    expect(await values.mget(['b', 'c', 'd'])).toEqual([1, 2, undefined]);
    await values.mdel(['b', 'c']);
    expect(await values.mget(['b', 'c'])).toEqual([undefined, undefined]);
    expect(await server.command('KEYS', 'cache:value:*')).toEqual([]);
  });

  it.each([0, false, '', null])('keeps the falsy value %o', async (value) => {
    const values = await start();
    await values.set('falsy', value);
    expect(await values.get('falsy')).toBe(value);
    expect(await values.wrap('falsy', async () => 'not this one')).toBe(value);
  });

  it("gives a value its own time, the module's without one, and a year at most, in Redis too", async () => {
    const values = await start();
    await values.set('own', 1, 60_000);
    await values.set('fraction', 1, 1_000.5);
    await values.set('default', 1);
    await values.set('never', 1, 0);
    const left = async (key: string) => Number(await server.command('PTTL', `cache:value:${key}`));
    const bounds = { own: 60_000, fraction: 1_001, default: 120_000, never: 365 * 86_400_000 };
    for (const [key, life] of Object.entries(bounds)) {
      expect(await left(key)).toBeLessThanOrEqual(life);
      expect(await left(key)).toBeGreaterThan(key === 'fraction' ? 0 : life - 30_000);
    }
    const expires = (await values.ttl('own')) as number;
    expect(expires).toBeGreaterThan(Date.now() + 30_000);
    expect(expires).toBeLessThanOrEqual(Date.now() + 60_000);
    expect(await values.ttl('nothing')).toBeUndefined();
    await poll(
      'the shortest has ended',
      async () => (await values.get('fraction')) === undefined || undefined,
    );
  });

  it('wraps a function, which runs once for all applications', async () => {
    const [first, second] = [await start(), await start()];
    let runs = 0;
    const wrapped = (values: Cache) => values.wrap('w', async () => ++runs);
    expect([await wrapped(first), await wrapped(first), await wrapped(second)]).toEqual([1, 1, 1]);
  });

  it('is one for all applications: what one sets or deletes, the others see at once', async () => {
    const [first, second] = [await start(), await start()];
    for (let round = 0; round < 20; round++) {
      await first.set('a', round);
      expect(await second.get('a')).toBe(round);
    }
    await second.del('a');
    expect(await first.get('a')).toBeUndefined();
  });

  it("clears this namespace's values, and neither views nor anybody else's keys", async () => {
    const [values, other] = [await start('shop-1.a'), await start('shop-1')];
    const [app] = running as [RunningApplication];
    await store(app, '/books');
    const strangers = [
      'a',
      'cache',
      'value:a',
      'shop-1.a',
      'shop-1.a:',
      'shop-1xa:value:a',
      'xshop-1.a:value:a',
    ];
    const kept = [...strangers, 'shop-1.a:valued:a', '{shop-1.a}:value:a'];
    for (const key of kept) await server.command('SET', key, 'theirs');
    await other.set('a', 'other');
    await values.mset(Array.from({ length: 3_000 }, (_, at) => ({ key: `k${at}`, value: at })));
    await values.set('a', 'ours');
    expect(await server.command('DBSIZE')).toBeGreaterThan(3_000);

    await values.clear();
    expect([await values.get('a'), await values.get('k2999')]).toEqual([undefined, undefined]);
    expect(await server.command('KEYS', 'shop-1.a:value:*')).toEqual([]);
    expect(await other.get('a')).toBe('other');
    expect(await server.command('MGET', ...kept)).toEqual(kept.map(() => 'theirs'));
    expect(await verdictsOf(app, '/books')).toEqual(['HIT']);

    await values.set('a', 'again');
    await app.app.get(CacheEvictionService).all();
    expect(await values.get('a')).toBe('again');
    expect(await verdictsOf(app, '/books')).toEqual(['MISS']);
  });

  it('takes what is no value of ours for none', async () => {
    const values = await start();
    for (const text of ['', 'not JSON', '{"value":', '[]', 'null', '5']) {
      await server.command('SET', 'cache:value:strange', text);
      expect(await values.get('strange')).toBeUndefined();
    }
    await server.command('DEL', 'cache:value:strange');
    await server.command('LPUSH', 'cache:value:strange', 'a list');
    expect(await values.get('strange')).toBeUndefined();
    await values.set('strange', 'replaced');
    expect(await values.get('strange')).toBe('replaced');
  });

  it('finds nothing and keeps nothing while Redis is away, rejects del and clear, and comes back', async () => {
    await using mortal = await startRedis();
    const client = await open(mortal.url);
    await client.connected;
    const app = await startOnRedis('fastify', mortal.url, {
      controllers: [BooksController],
      caching: { store: redis({ client: client.client as never }) },
    });
    running.push(app);
    const values = app.app.get<Cache>(CACHE_MANAGER, { strict: false });
    await values.set('a', 1);
    await mortal.kill();
    await poll('Redis is missed', async () => (await values.get('a')) === undefined || undefined);
    await values.set('b', 2);
    expect(await values.mget(['a', 'b'])).toEqual([undefined, undefined]);
    expect(await values.wrap('w', async () => 'worked out')).toBe('worked out');
    await expect(values.del('a')).rejects.toThrow(CacheStoreError);
    await expect(values.mdel(['a', 'b'])).rejects.toThrow(CacheStoreError);
    await expect(values.clear()).rejects.toThrow(CacheStoreError);
    expect(countOf(app, 'storeError')).toBeGreaterThan(0);
    expect(await verdictsOf(app, '/books')).toEqual(['MISS']);

    await mortal.restart();
    await acknowledges(app);
    await values.set('a', 3);
    expect(await values.get('a')).toBe(3);
    await client.close();
  });
});

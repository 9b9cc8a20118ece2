import { Controller, Get, HttpCode, Put } from '@nestjs/common';
import {
  CacheEvict,
  CacheEvictionService,
  CacheStoreError,
  type CachingModuleOptions,
  CacheView,
} from 'nestjs-caching';
import { afterEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication } from '../support/application.js';
import { acknowledges, startOnRedis, store, verdictComes } from '../support/redis/applications.js';
import { startFaultProxy } from '../support/redis/fault-proxy.js';
import { poll } from '../support/redis/poll.js';
import { startRedis } from '../support/redis/redis-server.js';
import { verdictsOf } from '../support/verdicts.js';

/** What the handlers of all instances answer from: their database. */
const data = { price: 1 };

@Controller('shop')
class ShopController {
  @Get('book') @CacheView({ tags: ['books'] }) book() {
    return { price: data.price };
  }

  @Get('shared') @CacheView({ tags: ['books'], coalesce: 'cluster' }) shared() {
    return { price: data.price };
  }

  @Put('book') @HttpCode(204) @CacheEvict('books') reprice(): void {
    data.price++;
  }
}

/** Milliseconds. What a request may take beside the cache, on a busy machine. */
const SLACK = 400;
const STORE_TIMEOUT = 100;

describe.each(PLATFORMS)('on %s, while Redis is away,', (platform) => {
  const running: RunningApplication[] = [];

  const start = async (url: string, caching: CachingModuleOptions = {}, connected = true) => {
    const options = { controllers: [ShopController], caching, connected };
    const started = await startOnRedis(platform, url, options);
    running.push(started);
    return started;
  };
  const priceIn = async (app: RunningApplication) =>
    (JSON.parse((await app.request('/shop/book')).text) as { price: number }).price;

  afterEach(() => Promise.all(running.splice(0).map((each) => each.close())));

  it.each(['bus', 'strict'] as const)(
    'requests are answered by their handlers, each within storeTimeout (%s)',
    async (coherence) => {
      await using server = await startRedis();
      const a = await start(server.url, { coherence, storeTimeout: STORE_TIMEOUT });
      await verdictComes(a, '/shop/book', 'HIT');
      await server.kill();
      await verdictComes(a, '/shop/book', 'MISS');
      for (const path of ['/shop/book', '/shop/shared', '/shop/book', '/shop/shared']) {
        const begin = performance.now();
        const { status, verdict } = await a.request(path);
        expect([status, verdict]).toEqual([200, 'MISS']);
        expect(performance.now() - begin).toBeLessThan(STORE_TIMEOUT + SLACK);
      }
      await server.restart();
      expect(await verdictComes(a, '/shop/book', 'HIT')).toBeLessThan(1_500 + SLACK);
    },
  );

  it('a request waits no longer than storeTimeout for a Redis that is silent', async () => {
    await using server = await startRedis();
    const a = await start(server.url, { memory: false, storeTimeout: STORE_TIMEOUT });
    await verdictComes(a, '/shop/book', 'HIT');
    server.stop();
    for (let request = 0; request < 5; request++) {
      const begin = performance.now();
      expect((await a.request('/shop/book')).status).toBe(200);
      expect(performance.now() - begin).toBeLessThan(STORE_TIMEOUT + SLACK);
    }
    server.resume();
    expect(await verdictComes(a, '/shop/book', 'HIT')).toBeLessThan(1_500 + SLACK);
  });

  it("an eviction holds at once where it was asked for, and its receipt says that it is 'queue'd", async () => {
    await using server = await startRedis();
    const a = await start(server.url);
    await verdictComes(a, '/shop/book', 'HIT');
    await server.kill();
    const evictions = a.app.get(CacheEvictionService);
    await poll(
      'an eviction is queued',
      async () => !(await evictions.byTag('other')).acknowledged || undefined,
    );
    data.price++;
    const receipt = await evictions.byTag('books');
    expect(receipt.acknowledged).toBe(false);
    expect(await priceIn(a)).toBe(data.price);
    expect((await a.request('/shop/book', { method: 'PUT' })).status).toBe(204);
    expect(await priceIn(a)).toBe(data.price);
    expect(a.events.findLast(({ type }) => type === 'evicted')).toMatchObject({ acknowledged: false });

    await server.restart();
    await acknowledges(a);
    expect(await priceIn(a)).toBe(data.price);
  });

  it("an eviction rejects with CacheStoreError for 'throw', and holds all the same; a write does not fail by it", async () => {
    await using server = await startRedis();
    const a = await start(server.url, { onStoreFailure: 'throw' });
    await verdictComes(a, '/shop/book', 'HIT');
    await server.kill();
    await verdictComes(a, '/shop/book', 'MISS');
    data.price++;
    const evictions = a.app.get(CacheEvictionService);
    for (const evict of [
      () => evictions.byTag('books'),
      () => evictions.byPath('/shop/book'),
      () => evictions.all(),
    ])
      await expect(evict()).rejects.toThrow(CacheStoreError);
    expect(await priceIn(a)).toBe(data.price);
    expect((await a.request('/shop/book', { method: 'PUT' })).status).toBe(204);
    expect(await priceIn(a)).toBe(data.price);
  });

  it.each(['queue', 'throw'] as const)(
    "an eviction that Redis was not told of is done again, and reaches the others ('%s')",
    async (onStoreFailure) => {
      await using server = await startRedis();
      await using proxy = await startFaultProxy(server);
      // Redis itself goes on, so what is stored there stays valid for whoever can reach it.
      const [a, b] = [await start(proxy.url, { onStoreFailure }), await start(server.url)];
      await store(a, '/shop/book');
      expect(await verdictsOf(b, '/shop/book')).toEqual(['HIT']);
      await proxy.refuse();
      data.price++;
      const told = await a.app
        .get(CacheEvictionService)
        .byTag('books')
        .catch((error: unknown) => error);
      expect(told).toMatchObject(
        onStoreFailure === 'queue' ? { acknowledged: false } : { code: 'CACHING_STORE' },
      );
      expect(await priceIn(a)).toBe(data.price);
      expect(await priceIn(b)).toBe(data.price - 1);

      await proxy.pass();
      await poll('B has the new price', async () => (await priceIn(b)) === data.price || undefined, 3_000);
      expect(await priceIn(a)).toBe(data.price);
      expect(await priceIn(b)).toBe(data.price);
    },
  );

  it('an instance that could not hear of an eviction does not serve what it has once it is back', async () => {
    await using server = await startRedis();
    await using proxy = await startFaultProxy(server);
    const [a, b] = [await start(server.url), await start(proxy.url)];
    await store(a, '/shop/book');
    expect(await verdictsOf(b, '/shop/book', '/shop/book')).toEqual(['HIT', 'HIT']);
    await proxy.refuse();
    data.price++;
    expect((await a.app.get(CacheEvictionService).byTag('books')).acknowledged).toBe(true);
    await store(a, '/shop/book');
    await proxy.pass();
    const prices: number[] = [];
    await poll('B hits again', async () => {
      const { text, verdict } = await b.request('/shop/book');
      prices.push((JSON.parse(text) as { price: number }).price);
      return verdict === 'HIT' || undefined;
    });
    expect(new Set(prices)).toEqual(new Set([data.price]));
  });

  it('an instance whose connections went silent trusts its memory for heartbeat and storeTimeout', async () => {
    const bounds = { heartbeat: 200, storeTimeout: STORE_TIMEOUT };
    await using server = await startRedis();
    await using proxy = await startFaultProxy(server);
    const [a, b] = [await start(server.url), await start(proxy.url, bounds)];
    await verdictComes(b, '/shop/book', 'HIT');
    proxy.hold();
    data.price++;
    expect((await a.app.get(CacheEvictionService).byTag('books')).acknowledged).toBe(true);
    const begin = performance.now();
    let lastStale = 0;
    await poll('B has the new price', async () => {
      const asked = performance.now() - begin;
      if ((await priceIn(b)) === data.price) return true;
      lastStale = asked;
      return undefined;
    });
    expect(lastStale).toBeGreaterThan(0);
    expect(lastStale).toBeLessThanOrEqual(bounds.heartbeat + bounds.storeTimeout);
    await proxy.pass();
  });

  it('an application starts, serves, and finds Redis when it comes', async () => {
    await using server = await startRedis();
    await server.kill();
    const begin = performance.now();
    const a = await start(server.url, {}, false);
    // Nest itself takes its time, connecting to nobody none.
    expect(performance.now() - begin).toBeLessThan(1_500);
    expect(await verdictsOf(a, '/shop/book', '/shop/shared')).toEqual(['MISS', 'MISS']);
    expect((await a.app.get(CacheEvictionService).byTag('books')).acknowledged).toBe(false);
    await server.restart();
    expect(await verdictComes(a, '/shop/book', 'HIT')).toBeLessThan(1_500 + SLACK);
    expect(await acknowledges(a)).toBeLessThan(1_500);
    // Said once, if it took long enough to be worth it.
    expect(a.logger.errors.length).toBeLessThanOrEqual(1);
  });

  it('an application ends at once', async () => {
    await using server = await startRedis();
    await start(server.url);
    await server.kill();
    const begin = performance.now();
    await running.pop()?.close();
    expect(performance.now() - begin).toBeLessThan(1_500);
  });
});

import {
  Controller,
  Get,
  Header,
  HttpCode,
  Param,
  Post,
  Put,
  Redirect,
  Res,
  StreamableFile,
} from '@nestjs/common';
import {
  CacheEvict,
  CacheEvictionService,
  type CachingModuleOptions,
  CacheView,
  headers,
  query,
  redis,
} from 'nestjs-caching';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type Platform, type RunningApplication } from '../support/application.js';
import { deaf, startOnRedis, store } from '../support/redis/applications.js';
import { poll } from '../support/redis/poll.js';
import { type RedisServer, startRedis } from '../support/redis/redis-server.js';
import { verdictsOf } from '../support/verdicts.js';
import { unframedBytes, wireRequest } from '../support/wire.js';

/** What the handlers of all instances answer from: their database. */
const data = { price: 1, runs: 0 };

/** What the responses of Express and Fastify have in common. */
interface AnyResponse {
  header(name: string, value: string | string[]): unknown;
}

@Controller('shop')
class ShopController {
  @Get('book') @CacheView({ tags: ['books'] }) book() {
    data.runs++;
    return { price: data.price };
  }

  @Get('books/:id') @CacheView({ tags: ['books'] }) one(@Param('id') id: string) {
    return { id, price: data.price };
  }

  @Put('book') @HttpCode(204) @CacheEvict('books') reprice(): void {
    data.price++;
  }
}

@Controller('kinds')
@CacheView({ statuses: [200, 201, 203, 301, 404] })
class KindsController {
  @Get('json') @Header('X-Shelf', 'Top') json() {
    return { title: 'Der Zauberberg – 魔の山', nested: [null, 0, '', { a: 1.5 }] };
  }

  @Get('binary') binary(): StreamableFile {
    return new StreamableFile(Buffer.from(Array.from({ length: 1_024 }, (_, at) => at % 256)), {
      type: 'image/x-all-bytes',
      disposition: 'inline; filename="all.bin"',
    });
  }

  @Get('fields') fields(@Res({ passthrough: true }) response: AnyResponse) {
    response.header('Link', ['</a>; rel=next', '</b>; rel=prev']);
    response.header('X-Mixed-CASE', 'Kept');
    response.header('X-Empty', '');
    response.header('Cache-Control', 'max-age=60');
    return 'text';
  }

  @Get('status') @HttpCode(203) status() {
    return { other: 'status' };
  }

  /** Express writes it in the type that the client accepts. */
  @Get('moved') @CacheView({ key: [query(), headers('accept')] }) @Redirect('/elsewhere', 301) moved() {
    return undefined;
  }

  @Get('empty') empty(): void {
    return undefined;
  }

  @Post('large') @CacheView({ key: () => 'one' }) large() {
    return { text: 'x'.repeat(300_000) };
  }
}

const KINDS = ['GET json', 'GET binary', 'GET fields', 'GET status', 'GET moved', 'GET empty', 'POST large'];

describe.each(PLATFORMS)('two applications on one Redis, on %s,', (platform) => {
  let server: RedisServer;
  const running: RunningApplication[] = [];

  const start = async (caching: CachingModuleOptions = {}, on: Platform = platform) => {
    const controllers = [ShopController, KindsController];
    const started = await startOnRedis(on, server.url, { controllers, caching });
    running.push(started);
    return started;
  };

  beforeAll(async () => {
    server = await startRedis();
  });
  beforeEach(async () => {
    data.price = 1;
    data.runs = 0;
    await server.command('FLUSHALL');
  });
  afterEach(() => Promise.all(running.splice(0).map((each) => each.close())));
  afterAll(() => server.close());

  it.each(KINDS)('have each what the other has stored, byte for byte: %s', async (kind) => {
    const [a, b] = [await start(), await start()];
    const [method = '', path = ''] = kind.split(' ');
    const ask = (app: RunningApplication) => wireRequest(app.port, `/kinds/${path}`, { method });
    const miss = await ask(a);
    expect(miss.verdict).toBe('MISS');
    await poll('it is stored', async () => a.events.some(({ type }) => type === 'stored') || undefined);
    for (const hit of [await ask(b), await ask(b)]) {
      expect(hit.verdict).toBe('HIT');
      expect(unframedBytes(hit)).toBe(unframedBytes(miss));
    }
    // From Redis, and then from memory.
    expect(b.events.flatMap((event) => (event.type === 'hit' ? [event.tier] : []))).toEqual([
      'shared',
      'local',
    ]);
    expect(b.events.some(({ type }) => type === 'miss')).toBe(false);
  });

  it('read what an application on the other platform has stored', async () => {
    const [a, b] = [await start({}, 'express'), await start({}, 'fastify')];
    await store(a, '/shop/book');
    expect(await verdictsOf(b, '/shop/book')).toEqual(['HIT']);
    await store(b, '/shop/books/1');
    expect(await verdictsOf(a, '/shop/books/1')).toEqual(['HIT']);
    expect(data.runs).toBe(1);
  });

  it('have nothing in common with another namespace', async () => {
    const [a, other] = [await start(), await start({ namespace: 'other' })];
    await store(a, '/shop/book');
    await store(other, '/shop/book');
    expect(data.runs).toBe(2);
    await other.app.get(CacheEvictionService).all();
    expect(await verdictsOf(a, '/shop/book')).toEqual(['HIT']);
  });

  it('are told by a receipt that an eviction is acknowledged, each at the next place in one sequence', async () => {
    const [a, b] = [await start(), await start()];
    const first = await a.app.get(CacheEvictionService).byTag('books');
    const second = await b.app.get(CacheEvictionService).byPrefix('/shop');
    expect(first).toEqual({
      epoch: expect.any(String) as string,
      stamp: expect.any(Number) as number,
      acknowledged: true,
    });
    expect(second).toEqual({ epoch: first.epoch, stamp: first.stamp + 1, acknowledged: true });
  });

  describe.each(['@CacheEvict', 'the service'])('see an eviction by %s of the other', (by) => {
    /** Resolves when whoever evicts was told that it is done. */
    const change = async (app: RunningApplication) => {
      if (by === '@CacheEvict') {
        expect((await app.request('/shop/book', { method: 'PUT' })).status).toBe(204);
        return;
      }
      data.price++;
      await app.app.get(CacheEvictionService).byTag('books');
    };
    const priceIn = async (app: RunningApplication) =>
      (JSON.parse((await app.request('/shop/book')).text) as { price: number }).price;

    it('in strict coherence with the next read, though every message is lost', async () => {
      const strict = () => start({ coherence: 'strict', store: deaf(redis({ url: server.url })) });
      const [a, b] = [await strict(), await strict()];
      for (let round = 0; round < 10; round++) {
        expect(await verdictsOf(b, '/shop/book', '/shop/book')).toContain('HIT');
        await change(a);
        expect(await priceIn(b)).toBe(data.price);
      }
    });

    it('in bus coherence by a message, long before the heartbeat', async () => {
      const [a, b] = [await start({ heartbeat: '1h' }), await start({ heartbeat: '1h' })];
      for (let round = 0; round < 5; round++) {
        await store(b, '/shop/book');
        expect(await verdictsOf(b, '/shop/book')).toEqual(['HIT']);
        await change(a);
        await poll('the new price', async () => (await priceIn(b)) === data.price || undefined, 1_000);
      }
    });

    it('in bus coherence within heartbeat and storeTimeout, where every message is lost', async () => {
      const bounds = { heartbeat: 400, storeTimeout: 200 };
      const lossy = () => start({ ...bounds, store: deaf(redis({ url: server.url })) });
      const [a, b] = [await lossy(), await lossy()];
      let staleReads = 0;
      for (let round = 0; round < 3; round++) {
        await store(b, '/shop/book');
        await change(a);
        const begin = performance.now();
        let lastStale = 0;
        await poll('the new price', async () => {
          const asked = performance.now() - begin;
          if ((await priceIn(b)) === data.price) return true;
          lastStale = asked;
          staleReads++;
          return undefined;
        });
        expect(lastStale).toBeLessThanOrEqual(bounds.heartbeat + bounds.storeTimeout);
        expect(await priceIn(b)).toBe(data.price);
      }
      expect(staleReads).toBeGreaterThan(0);
    });
  });

  it('with memory: false read from Redis alone, and with memory hit without asking for the entry', async () => {
    const [a, b] = [await start({ memory: false }), await start()];
    await store(a, '/shop/book');
    expect(await verdictsOf(a, '/shop/book', '/shop/book')).toEqual(['HIT', 'HIT']);
    expect(await verdictsOf(b, '/shop/book')).toEqual(['HIT']);
    const views = (await server.command('KEYS', 'cache:view:*')) as string[];
    expect(views).toHaveLength(1);
    await server.command('DEL', ...views);
    expect(await verdictsOf(b, '/shop/book')).toEqual(['HIT']);
    expect(await verdictsOf(a, '/shop/book')).toEqual(['MISS']);
  });
});

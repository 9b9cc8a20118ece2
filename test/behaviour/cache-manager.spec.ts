import { CACHE_MANAGER, CacheInterceptor, CacheKey, CacheModule, CacheTTL } from '@nestjs/cache-manager';
import {
  Controller,
  type DynamicModule,
  Get,
  Inject,
  Injectable,
  Module,
  UseInterceptors,
} from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import type { Cache } from 'cache-manager';
import { CacheEvictionService, CacheView, CachingModule, memory } from 'nestjs-caching';
import { afterEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { FakeClock } from '../support/fake-clock.js';
import { verdictsOf, warningsAbout } from '../support/verdicts.js';

@Controller('books')
class BooksController {
  @Get() @CacheView() list() {
    return {};
  }
}

describe('CACHE_MANAGER', () => {
  let running: RunningApplication;
  const start = async (options: Parameters<typeof startApplication>[1] = {}): Promise<Cache> => {
    running = await startApplication('fastify', { controllers: [BooksController], ...options });
    return running.app.get<Cache>(CACHE_MANAGER, { strict: false });
  };

  afterEach(() => running.close());

  it('gets, sets and deletes values', async () => {
    const values = await start();
    await values.set('a', { title: 'Emma', tags: ['x'] });
    expect(await values.get('a')).toEqual({ title: 'Emma', tags: ['x'] });
    expect(await values.del('a')).toBe(true);
    expect(await values.get('a')).toBeUndefined();
    await values.mset([
      { key: 'b', value: 1 },
      { key: 'c', value: 2 },
    ]);
    expect(await values.mget(['b', 'c', 'd'])).toEqual([1, 2, undefined]);
    await values.mdel(['b', 'c']);
    expect(await values.mget(['b', 'c'])).toEqual([undefined, undefined]);
  });

  it.each([0, false, '', null])('keeps the falsy value %o', async (value) => {
    const values = await start();
    await values.set('falsy', value);
    expect(await values.get('falsy')).toBe(value);
  });

  it("keeps a value for its own time, the module's without one, and a year at most", async () => {
    const values = await start({ caching: { ttl: '2m' } });
    await values.set('own', 1, 60_000);
    await values.set('default', 1);
    await values.set('never', 1, 0);
    running.clock.advance(59_999);
    expect(await values.mget(['own', 'default', 'never'])).toEqual([1, 1, 1]);
    running.clock.advance(1);
    expect(await values.mget(['own', 'default', 'never'])).toEqual([undefined, 1, 1]);
    running.clock.advance(60_000);
    expect(await values.mget(['own', 'default', 'never'])).toEqual([undefined, undefined, 1]);
    running.clock.advance(365 * 86_400_000);
    expect(await values.get('never')).toBeUndefined();
  });

  it('tells when a value expires', async () => {
    const values = await start();
    await values.set('a', 1, 60_000);
    const expires = (await values.ttl('a')) as number;
    expect(expires).toBeGreaterThan(Date.now());
    expect(expires).toBeLessThanOrEqual(Date.now() + 60_000);
    expect(await values.ttl('nothing')).toBeUndefined();
  });

  it('wraps a function, which runs once', async () => {
    const values = await start();
    let runs = 0;
    const wrapped = () => values.wrap('w', async () => ++runs);
    expect([await wrapped(), await wrapped()]).toEqual([1, 1]);
  });

  it('does not touch views with del, clear and set, nor values with evictions of views', async () => {
    const values = await start();
    expect(await verdictsOf(running, '/books')).toEqual(['MISS']);
    await values.set('/books', 'a value of that name');
    await values.del('/books');
    await values.set('kept', 1);
    await values.clear();
    expect(await values.get('kept')).toBeUndefined();
    expect(await verdictsOf(running, '/books')).toEqual(['HIT']);

    await values.set('kept', 2);
    await values.set('/books', 3);
    const evictions = running.app.get(CacheEvictionService);
    await evictions.all();
    await evictions.byPrefix('/');
    expect(await verdictsOf(running, '/books')).toEqual(['MISS']);
    expect(await values.mget(['kept', '/books'])).toEqual([2, 3]);
  });

  it('is held within the bounds of the one store', async () => {
    const store = memory({ maxEntries: 10, clock: new FakeClock() });
    const values = await start({ caching: { store } });
    await running.request('/books');
    expect(store.entries).toBe(1);
    for (let at = 0; at < 100; at++) await values.set(`k${at}`, at);
    expect(store.entries).toBe(10);
    expect(await values.get('k99')).toBe(99);
    expect(await values.get('k0')).toBeUndefined();
  });

  it('stays apart from another namespace on the same store, in what it reads and what it clears', async () => {
    const store = memory({ clock: new FakeClock() });
    const first = await start({ caching: { store, namespace: 'first' } });
    const other = await startApplication('fastify', { caching: { store, namespace: 'second' } });
    const second = other.app.get<Cache>(CACHE_MANAGER, { strict: false });
    await first.set('a', 1);
    await second.set('a', 2);
    expect([await first.get('a'), await second.get('a')]).toEqual([1, 2]);
    await first.clear();
    expect([await first.get('a'), await second.get('a')]).toEqual([undefined, 2]);
    await other.close();
  });

  it('is one where the module is imported twice: the last set wins, and nothing is warned of', async () => {
    const caches: Cache[] = [];
    const feature = (): DynamicModule => {
      @Injectable()
      class FeatureService {
        constructor(@Inject(CACHE_MANAGER) cache: Cache) {
          caches.push(cache);
        }
      }
      @Module({})
      class FeatureModule {}
      return { module: FeatureModule, imports: [CachingModule.forRoot()], providers: [FeatureService] };
    };
    running = await startApplication('fastify', { caching: false, imports: [feature(), feature()] });
    const [first, second] = caches as [Cache, Cache];
    for (const value of [1, 2, 3]) await first.set('a', value);
    await second.set('a', 4);
    expect([await first.get('a'), await second.get('a')]).toEqual([4, 4]);
    expect(running.logger.warnings).toEqual([]);
  });

  it("is the application's own with cacheManager: false, without a warning", async () => {
    const own = CacheModule.register({ isGlobal: true, namespace: 'own' });
    const values = await start({ caching: { cacheManager: false }, imports: [own] });
    await values.set('a', 1);
    expect(await values.get('a')).toBe(1);
    await running.app.get(CacheEvictionService).all();
    expect(running.logger.warnings).toEqual([]);
    expect(await verdictsOf(running, '/books', '/books')).toEqual(['MISS', 'HIT']);
  });

  it("beside the application's own is warned of", async () => {
    await start({ imports: [CacheModule.register({ isGlobal: true })] });
    expect(running.logger.warnings).toHaveLength(1);
    expect(running.logger.warnings[0]).toContain('cacheManager: false');
  });
});

describe.each(PLATFORMS)("@nestjs/cache-manager's own response caching on %s", (platform) => {
  let running: RunningApplication;

  afterEach(() => running.close());

  it('is warned of where it is beside @CacheView, on a method or a controller', async () => {
    @Controller('a')
    @UseInterceptors(CacheInterceptor)
    class ClassController {
      @Get() @CacheView() list() {
        return {};
      }
    }
    class OwnInterceptor extends CacheInterceptor {}
    @Controller('b')
    @CacheView()
    class MethodController {
      @Get() @UseInterceptors(OwnInterceptor) list() {
        return {};
      }

      @Get('key') @CacheKey('k') key() {
        return {};
      }

      @Get('ttl') @CacheTTL(5) ttl() {
        return {};
      }
    }
    running = await startApplication(platform, { controllers: [ClassController, MethodController] });
    for (const route of ['ClassController.list', 'MethodController.list']) {
      expect(warningsAbout(running, route)).toEqual([expect.stringContaining('CacheInterceptor')]);
    }
    for (const route of ['MethodController.key', 'MethodController.ttl']) {
      expect(warningsAbout(running, route)).toEqual([expect.stringContaining('@CacheView({ key, ttl })')]);
    }
    expect(await verdictsOf(running, '/b/key', '/b/key')).toEqual(['MISS', 'HIT']);
  });

  it('is warned of as APP_INTERCEPTOR', async () => {
    running = await startApplication(platform, {
      controllers: [BooksController],
      providers: [{ provide: APP_INTERCEPTOR, useClass: CacheInterceptor }],
    });
    expect(running.logger.warnings).toEqual([expect.stringContaining('APP_INTERCEPTOR')]);
  });

  it('is left alone on routes that this module does not cache', async () => {
    let runs = 0;
    @Controller('theirs')
    class TheirsController {
      @Get() @UseInterceptors(CacheInterceptor) @CacheKey('theirs') @CacheTTL(60_000) list() {
        return { run: ++runs };
      }
    }
    running = await startApplication(platform, { controllers: [TheirsController, BooksController] });
    expect(running.logger.warnings).toEqual([]);
    const texts = [(await running.request('/theirs')).text, (await running.request('/theirs')).text];
    expect(texts).toEqual(['{"run":1}', '{"run":1}']);
    await running.app.get<Cache>(CACHE_MANAGER, { strict: false }).del('theirs');
    expect((await running.request('/theirs')).text).toBe('{"run":2}');
  });
});

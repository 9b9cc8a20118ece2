import { Body, Controller, Delete, Get, HttpCode, Post, Put, Sse } from '@nestjs/common';
import {
  CacheEvict,
  CacheView,
  type CacheViewOptions,
  CachingConfigError,
  type CachingModuleOptions,
  custom,
  formBody,
  jsonBody,
  NoCache,
} from 'nestjs-caching';
import { of } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { verdictsOf } from '../support/verdicts.js';

describe.each(PLATFORMS)('decorators on %s', (platform) => {
  let running: RunningApplication;
  const start = async (controller: new () => object, caching: CachingModuleOptions = {}) => {
    running = await startApplication(platform, { controllers: [controller], caching });
  };

  afterEach(async () => {
    // What failed to start has closed itself.
    await running.close();
  });

  it('@CacheView of a controller covers its GET handlers only', async () => {
    @Controller('books')
    @CacheView('1m')
    class BooksController {
      @Get() list() {
        return {};
      }

      @Get('now') @NoCache() now() {
        return {};
      }

      @Post() add(@Body() _body: unknown) {
        return {};
      }

      @Put() change() {
        return {};
      }

      @Delete() remove() {
        return {};
      }

      @Post('search') @HttpCode(200) @CacheView({ key: jsonBody() }) search() {
        return {};
      }
    }
    await start(BooksController);
    const every = (method: string) => ({ target: '/books', method, body: {} });
    for (const method of ['POST', 'PUT', 'DELETE']) {
      expect(await verdictsOf(running, every(method), every(method))).toEqual([undefined, undefined]);
    }
    expect(await verdictsOf(running, '/books', '/books')).toEqual(['MISS', 'HIT']);
    expect((await running.request('/books')).cacheStatus).toBe('nestjs-caching; hit; ttl=60');
    expect(await verdictsOf(running, '/books/now', '/books/now')).toEqual([undefined, undefined]);
    const search = { target: '/books/search', method: 'POST', body: { a: 1 } };
    expect(await verdictsOf(running, search, search)).toEqual(['MISS', 'HIT']);
  });

  it("a method's fields win one by one over its controller's, and those over the module's", async () => {
    @Controller()
    @CacheView({ ttl: '2m', vary: ['x-a'] })
    class LayersController {
      @Get('own') @CacheView({ ttl: '1m' }) own() {
        return {};
      }

      @Get('class') ofClass() {
        return {};
      }
    }
    await start(LayersController, { ttl: '3m', unless: ({ headers }) => headers['x-b'] !== undefined });
    const own = await running.request('/own');
    expect(own.cacheStatus).toBe('nestjs-caching; fwd=uri-miss; stored; ttl=60');
    expect((await running.request('/class')).cacheStatus).toBe(
      'nestjs-caching; fwd=uri-miss; stored; ttl=120',
    );
    const withHeader = (name: string) => ({ target: '/own', headers: { [name]: '1' } });
    expect(await verdictsOf(running, withHeader('x-a'), '/own', withHeader('x-b'))).toEqual([
      'MISS',
      'HIT',
      'BYPASS',
    ]);
  });

  it('cacheAll caches every GET but those that say @NoCache', async () => {
    @Controller('a')
    class AllController {
      @Get() list() {
        return {};
      }

      @Get('now') @NoCache() now() {
        return {};
      }

      @Post() add() {
        return {};
      }

      @Sse('events') events() {
        return of({ data: 'x' });
      }
    }
    await start(AllController, { cacheAll: true });
    const post = { target: '/a', method: 'POST' };
    expect(await verdictsOf(running, '/a', '/a', '/a/now', '/a/now', post, post, '/a/events')).toEqual([
      'MISS',
      'HIT',
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('@NoCache of a controller wins over cacheAll and its @CacheView, but not over that of a method', async () => {
    @Controller('a')
    @NoCache()
    @CacheView()
    class NoController {
      @Get() list() {
        return {};
      }

      @Get('yes') @CacheView() yes() {
        return {};
      }

      @Get('both') @CacheView() @NoCache() both() {
        return {};
      }
    }
    await start(NoController, { cacheAll: true });
    expect(await verdictsOf(running, '/a', '/a', '/a/yes', '/a/yes', '/a/both', '/a/both')).toEqual([
      undefined,
      undefined,
      'MISS',
      'HIT',
      undefined,
      undefined,
    ]);
  });

  it('without any of them nothing is cached, and nothing is said', async () => {
    @Controller()
    class PlainController {
      @Get() list() {
        return {};
      }
    }
    await start(PlainController);
    const reply = await running.request('/');
    expect([reply.verdict, reply.cacheStatus]).toEqual([undefined, undefined]);
    expect(running.events).toEqual([]);
  });

  it('@CacheEvict of a controller counts for its handlers that write and have none of their own', async () => {
    @Controller('books')
    @CacheEvict('books')
    class BooksController {
      @Get() @CacheView({ tags: ['books'] }) list() {
        return {};
      }

      @Get('other') @CacheView({ tags: ['other'] }) other() {
        return {};
      }

      @Post() add() {
        return {};
      }

      @Put('prices') @CacheEvict({ tags: ['other'] }) change() {
        return {};
      }
    }
    await start(BooksController);
    const both = ['/books', '/books/other'] as const;
    expect(await verdictsOf(running, ...both, ...both)).toEqual(['MISS', 'MISS', 'HIT', 'HIT']);
    await running.request('/books', { method: 'POST' });
    expect(await verdictsOf(running, ...both)).toEqual(['MISS', 'HIT']);
    await running.request('/books/prices', { method: 'PUT' });
    expect(await verdictsOf(running, ...both)).toEqual(['HIT', 'MISS']);
  });
});

describe('an unsafe method', () => {
  const startWith = async (view: CacheViewOptions, caching: CachingModuleOptions = {}) => {
    @Controller()
    class SearchController {
      @Post('search') @CacheView(view) search() {
        return {};
      }
    }
    return startApplication('fastify', { controllers: [SearchController], caching });
  };

  it.each<[string, CacheViewOptions]>([
    ['the default key', {}],
    ['a header', { vary: ['x-a'] }],
  ])('without a key that reads the body fails at boot, naming it: %s', async (_what, view) => {
    const starting = startWith(view);
    await expect(starting).rejects.toBeInstanceOf(CachingConfigError);
    await expect(starting).rejects.toMatchObject({ field: 'key', code: 'CACHING_CONFIG' });
    await expect(starting).rejects.toThrow(/@CacheView of SearchController\.search.*jsonBody\(\).*POST/);
  });

  it.each<[string, CacheViewOptions]>([
    ['jsonBody', { key: jsonBody() }],
    ['formBody', { key: formBody() }],
    ['custom', { key: custom(() => 'x') }],
    ['a function', { key: () => 'x' }],
  ])('starts with a key that reads the body: %s', async (_what, view) => {
    const running = await startWith(view);
    expect(running.logger.warnings).toEqual([]);
    await running.close();
  });
});

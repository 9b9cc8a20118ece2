import { Controller, Get, Res } from '@nestjs/common';
import { CacheContext, CacheEvictionService, type CachePolicyOptions, CacheView } from 'nestjs-caching';
import type { Response } from 'express';
import type { FastifyReply } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { eventually, Gate } from '../support/gate.js';
import { useRequestIds } from '../support/plugins.js';

type AnyResponse = Response & FastifyReply;
type Fields = Readonly<Record<string, string>>;

describe.each(PLATFORMS)('how long a response lives on %s', (platform) => {
  let runs: number;
  let fields: Fields;
  let running: RunningApplication;

  const start = async (caching: CachePolicyOptions = {}) => {
    @Controller()
    class BooksController {
      @Get('books') @CacheView({ ttl: '1m' }) books(@Res({ passthrough: true }) response: AnyResponse) {
        for (const [name, value] of Object.entries(fields)) response.header(name, value);
        return { run: ++runs };
      }

      @Get('public') @CacheView({ ttl: '1m', scope: 'public' }) shared(
        @Res({ passthrough: true }) response: AnyResponse,
      ) {
        for (const [name, value] of Object.entries(fields)) response.header(name, value);
        return { run: ++runs };
      }
    }
    running = await startApplication(platform, {
      controllers: [BooksController],
      caching: { ...caching },
      setUp: (app) => useRequestIds(platform, app),
    });
  };

  beforeEach(() => {
    runs = 0;
    fields = {};
  });

  afterEach(() => running.close());

  /** Seconds for which what was stored is served, up to 100. */
  const lifeOf = async (said: Fields): Promise<number> => {
    fields = said;
    await running.request('/books');
    for (let second = 0; second < 100; second++) {
      if ((await running.request('/books')).verdict !== 'HIT') return second;
      running.clock.advance(1_000);
    }
    return 100;
  };

  it.each<[string, Fields, number]>([
    ['nothing', {}, 60],
    ['less than the route', { 'Cache-Control': 'max-age=20' }, 20],
    ['more than the route', { 'Cache-Control': 'max-age=90' }, 60],
    ['something for shared caches', { 'Cache-Control': 'max-age=10, s-maxage=30' }, 30],
    [
      'something for caches like this one',
      { 'Cache-Control': 'max-age=10', 'CDN-Cache-Control': 'max-age=40' },
      40,
    ],
    ['an invalid targeted field', { 'Cache-Control': 'max-age=10', 'CDN-Cache-Control': 'max-age="40"' }, 10],
    ['when it expires', { Expires: new Date(1_700_000_015_000).toUTCString() }, 15],
    ['that it is old already', { 'Cache-Control': 'max-age=50', Age: '45' }, 5],
    [
      'when it was generated',
      { 'Cache-Control': 'max-age=50', Date: new Date(1_699_999_970_000).toUTCString() },
      20,
    ],
    [
      'a date in the future',
      { 'Cache-Control': 'max-age=50', Date: new Date(1_800_000_000_000).toUTCString() },
      50,
    ],
    ['the same twice', { 'Cache-Control': 'max-age=30, max-age=12' }, 12],
    ['a lifetime that is none', { 'Cache-Control': 'max-age=soon' }, 0],
    ['more than anybody lives', { 'Cache-Control': 'max-age=99999999999999999999' }, 60],
    ['that it may be served stale', { 'Cache-Control': 'max-age=20, stale-while-revalidate=50' }, 20],
    ['something that only looks like a directive', { 'Cache-Control': 'x="max-age=5", max-age=25' }, 25],
    ['that it has to be validated once stale', { 'Cache-Control': 'max-age=20, must-revalidate' }, 20],
  ])('is the shorter of route and response where the response says %s', async (_what, said, seconds) => {
    await start();
    expect(await lifeOf(said)).toBe(seconds);
  });

  it.each([
    ['response', 90],
    ['route', 60],
    ['min', 60],
  ] as const)('is said by whom freshness: %s names', async (freshness, seconds) => {
    await start({ freshness });
    expect(await lifeOf({ 'Cache-Control': 'max-age=90' })).toBe(seconds);
  });

  it('does not end what forbids storing, whoever says how long', async () => {
    await start({ freshness: 'route' });
    expect(await lifeOf({ 'Cache-Control': 'no-store, max-age=90' })).toBe(0);
    expect(await lifeOf({ 'Cache-Control': 'private' })).toBe(0);
    expect(await lifeOf({ 'Cache-Control': 'no-cache' })).toBe(0);
  });

  it('is over for what is kept to be served stale: it is filled again, and Cache-Status says stale', async () => {
    await start();
    fields = { 'Cache-Control': 'max-age=20, stale-if-error=50' };
    await running.request('/books');
    running.clock.advance(20_000);
    const after = await running.request('/books');
    expect(after.cacheStatus).toBe('nestjs-caching; fwd=stale; stored; ttl=20');
    expect(after.text).toBe('{"run":2}');
  });

  it('is what the response says of Authorization, where the response decides', async () => {
    await start({ freshness: 'response' });
    const ask = () => running.request('/public', { headers: { authorization: 'Bearer a' } });
    fields = { 'Cache-Control': 'max-age=30' };
    await ask();
    expect((await ask()).cacheStatus).toBe('nestjs-caching; fwd=uri-miss; detail=authorization');
    fields = { 'Cache-Control': 'public, max-age=30' };
    await ask();
    expect((await ask()).verdict).toBe('HIT');
  });

  it('shows on hits: Age grows, Date stays when it was generated, ttl is what is left', async () => {
    await start();
    fields = { 'Cache-Control': 'max-age=30', Age: '10' };
    const miss = await running.request('/books');
    expect(miss.cacheStatus).toBe('nestjs-caching; fwd=uri-miss; stored; ttl=20');
    expect(miss.headers.age).toBe('10');
    running.clock.advance(4_000);
    const hit = await running.request('/books');
    expect([hit.headers.age, hit.headers.date]).toEqual(['14', new Date(1_699_999_990_000).toUTCString()]);
    expect(hit.cacheStatus).toBe('nestjs-caching; hit; ttl=16');
  });

  it('shows also where nothing else is told', async () => {
    running = await startApplication(platform, {
      controllers: [plainController()],
      caching: { debugHeaders: false },
    });
    await running.request('/plain');
    running.clock.advance(61_999);
    const hit = await running.request('/plain');
    expect([hit.headers.age, hit.verdict, hit.cacheStatus]).toEqual(['61', undefined, undefined]);
    expect(hit.headers.date).toBe(new Date(1_700_000_000_000).toUTCString());
  });
});

describe.each(PLATFORMS)('what caches behind this one are told on %s', (platform) => {
  let running: RunningApplication;
  let fields: Fields;
  let gate: Gate;

  beforeEach(async () => {
    fields = {};
    gate = new Gate();
    @Controller()
    class BooksController {
      @Get('books')
      @CacheView({ ttl: '1m', downstream: { maxAge: '20s', public: true } })
      books(@Res({ passthrough: true }) response: AnyResponse) {
        for (const [name, value] of Object.entries(fields)) response.header(name, value);
        return {};
      }

      @Get('cookie')
      @CacheView({ downstream: { public: true } })
      cookie(@Res({ passthrough: true }) response: AnyResponse) {
        response.header('Set-Cookie', 'a=b');
        return {};
      }

      @Get('short')
      @CacheView({ ttl: '1m', tags: ['short'], downstream: { maxAge: '20s' } })
      async short(@CacheContext() cache: CacheContext) {
        cache.ttl('5s');
        await gate.pass();
        return {};
      }
    }
    running = await startApplication(platform, { controllers: [BooksController] });
  });

  afterEach(() => running.close());

  const control = async (target = '/books') => (await running.request(target)).headers['cache-control'];

  it('is how long they may keep it from now, which is never longer than this cache does', async () => {
    expect(await control()).toBe('public, max-age=20');
    running.clock.advance(30_000);
    const hit = await running.request('/books');
    // Of 50 they take off the Age of 30.
    expect([hit.headers['cache-control'], hit.headers.age]).toEqual(['public, max-age=50', '30']);
    running.clock.advance(25_000);
    expect(await control()).toBe('public, max-age=60');
  });

  describe('of a response that others have waited for', () => {
    const playTwo = async (meanwhile: () => unknown) => {
      const both = [control('/short'), control('/short')];
      await eventually(() => running.events.filter(({ type }) => type === 'miss').length === 2, 'both miss');
      await meanwhile();
      gate.open();
      return Promise.all(both);
    };

    it('is for as long as this cache keeps it, for all of them', async () => {
      expect(await playTwo(() => undefined)).toEqual(['max-age=5', 'max-age=5']);
    });

    it('is nothing where it was evicted meanwhile', async () => {
      const evict = () => running.app.get(CacheEvictionService).byTag('short');
      expect(await playTwo(evict)).toEqual([undefined, undefined]);
    });
  });

  it('is the handler’s own where it says something', async () => {
    fields = { 'Cache-Control': 'max-age=5' };
    expect([await control(), await control()]).toEqual(['max-age=5', 'max-age=5']);
  });

  it('is nothing of a response that is not stored', async () => {
    expect(await control('/cookie')).toBeUndefined();
  });
});

function plainController() {
  @Controller()
  class PlainController {
    @Get('plain') @CacheView() plain() {
      return {};
    }
  }
  return PlainController;
}

import { Controller, Get, Res } from '@nestjs/common';
import {
  CacheContext,
  type CacheValidator,
  CacheEvictionService,
  CacheView,
  type CacheViewOptions,
  type CachingModuleOptions,
  memory,
} from 'nestjs-caching';
import type { Response } from 'express';
import type { FastifyReply } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { FakeClock } from '../support/fake-clock.js';
import { HandlerGate, until } from '../support/handler-gate.js';
import { wireRequest } from '../support/wire.js';

type AnyResponse = Response & FastifyReply;
type Said = CacheValidator | Promise<CacheValidator>;

describe.each(PLATFORMS)('a validator of a route on %s', (platform) => {
  let runs: number;
  let asked: number;
  let said: () => Said;
  let fields: Record<string, string>;
  let meanwhile: () => void | Promise<void>;
  const open: RunningApplication[] = [];

  beforeEach(() => {
    runs = 0;
    asked = 0;
    said = () => 'v1';
    fields = {};
    meanwhile = () => undefined;
  });

  afterEach(() => Promise.all(open.splice(0).map((running) => running.close())));

  const start = async (options: CacheViewOptions = {}, caching: CachingModuleOptions = {}) => {
    @Controller()
    class BooksController {
      @Get('book')
      @CacheView({
        ttl: '10s',
        validator: () => {
          asked += 1;
          return said();
        },
        ...options,
      })
      async book(@Res({ passthrough: true }) response: AnyResponse, @CacheContext() cache: CacheContext) {
        const run = ++runs;
        for (const [name, value] of Object.entries(fields)) response.header(name, value);
        cache.tag(`late:${run}`);
        await meanwhile();
        return { run };
      }
    }
    const running = await startApplication(platform, { controllers: [BooksController], caching });
    open.push(running);
    const ask = (headers: Record<string, string> = {}) => wireRequest(running.port, '/book', { headers });
    return { running, ask, clock: running.clock, evictions: running.app.get(CacheEvictionService) };
  };

  /** What was stored has just expired. */
  const startExpired = async (options: CacheViewOptions = {}) => {
    const started = await start(options);
    await started.ask();
    started.clock.advance(10_000);
    return started;
  };

  /** The validator says nothing until the gate is opened. */
  const holdValidator = (): HandlerGate => {
    const gate = new HandlerGate();
    said = async () => {
      await gate.pass();
      return 'v1';
    };
    return gate;
  };

  /** Counts from now on: resolves when so many requests have missed. */
  const misses = ({ events }: RunningApplication, count: number) => {
    events.length = 0;
    return () =>
      until(() => events.filter(({ type }) => type === 'miss').length === count, `${count} have missed`);
  };

  it('renews what is stale where its word is the same, without the handler', async () => {
    const { ask, clock } = await start();
    const miss = await ask();
    clock.advance(9_000);
    const hit = await ask();
    expect([asked, hit.verdict]).toEqual([1, 'HIT']);
    clock.advance(1_000);
    const renewed = await ask();
    expect([renewed.verdict, renewed.text, runs, asked]).toEqual(['REVALIDATED', '{"run":1}', 1, 2]);
    expect(renewed.cacheStatus).toBe('nestjs-caching; fwd=stale; fwd-status=304; ttl=10; detail=validator');
    // Found valid now: its age begins anew.
    expect([renewed.field('age'), renewed.field('date')]).toEqual(['0', new Date(clock.now()).toUTCString()]);
    expect(renewed.field('etag')).toBe(miss.field('etag'));
    clock.advance(4_000);
    const again = await ask();
    expect([again.verdict, again.field('age'), asked]).toEqual(['HIT', '4', 2]);
    expect(again.cacheStatus).toBe('nestjs-caching; hit; ttl=6');
  });

  it.each([{ 'Cache-Control': 'no-cache' }, { 'Cache-Control': 'max-age=1' }, { Pragma: 'no-cache' }])(
    'is asked where a request wants what is stored to be asked about, and no handler runs: %j',
    async (headers) => {
      const { ask, clock } = await start({ honourRequestCacheControl: true });
      await ask();
      clock.advance(4_000);
      const renewed = await ask(headers);
      expect([renewed.verdict, renewed.text, runs, asked]).toEqual(['REVALIDATED', '{"run":1}', 1, 2]);
      expect(renewed.cacheStatus).toBe(
        'nestjs-caching; fwd=request; fwd-status=304; ttl=10; detail=validator',
      );
      expect(renewed.field('age')).toBe('0');
      // Once a second at most: who asks again gets what was renewed.
      expect([(await ask(headers)).verdict, asked]).toEqual(['HIT', 2]);
      clock.advance(7_000);
      expect([(await ask()).cacheStatus, asked]).toEqual(['nestjs-caching; hit; ttl=3', 2]);
      said = () => 'v2';
      const fresh = await ask(headers);
      expect([fresh.text, fresh.cacheStatus, asked]).toEqual([
        '{"run":2}',
        'nestjs-caching; fwd=request; stored; ttl=10',
        3,
      ]);
    },
  );

  it('renews nothing for a request of which nothing may be kept, nor what is evicted while it is asked', async () => {
    const { ask, clock, evictions } = await start({ honourRequestCacheControl: true, tags: ['books'] });
    await ask();
    clock.advance(2_000);
    const kept = await ask({ 'Cache-Control': 'no-cache, no-store' });
    expect([kept.text, kept.cacheStatus]).toEqual([
      '{"run":2}',
      'nestjs-caching; fwd=request; detail=request',
    ]);
    expect((await ask()).text).toBe('{"run":1}');
    clock.advance(2_000);
    said = async () => {
      await evictions.byTag('books');
      return 'v1';
    };
    await ask({ 'Cache-Control': 'no-cache' });
    said = () => 'v1';
    expect((await ask()).verdict).toBe('MISS');
  });

  it('has the handler run where its word is another, whose response is renewed by the new one', async () => {
    const { ask, clock } = await startExpired();
    said = () => 'v2';
    expect((await ask()).text).toBe('{"run":2}');
    clock.advance(10_000);
    const renewed = await ask();
    expect([renewed.text, renewed.verdict, asked]).toEqual(['{"run":2}', 'REVALIDATED', 3]);
  });

  it.each<[string, CacheValidator, CacheValidator, boolean]>([
    ['a number', 7, 7, true],
    ['a bigint', 7n, 7n, true],
    ['a Date', new Date(5), new Date(5), true],
    ['a long text', 'x'.repeat(5_000), 'x'.repeat(5_000), true],
    ['an empty text', '', '', true],
    ['a number and the same as text', 7, '7', false],
    ['two Dates', new Date(5), new Date(6), false],
    ['two long texts', `${'x'.repeat(5_000)}1`, `${'x'.repeat(5_000)}2`, false],
    ['nothing', undefined, undefined, false],
    ['null', null, null, false],
    ['nothing any more', 'v1', undefined, false],
  ])('may say %s', async (_what, first, second, isRenewed) => {
    said = () => first;
    const { ask } = await startExpired();
    said = async () => second;
    const { verdict, status } = await ask();
    expect([status, verdict]).toEqual([200, isRenewed ? 'REVALIDATED' : 'MISS']);
  });

  it('makes no-cache worth storing: it is asked before each use', async () => {
    const { ask, clock } = await start();
    fields = { 'Cache-Control': 'no-cache' };
    await ask();
    const verdicts = [(await ask()).verdict, (await ask()).verdict];
    clock.advance(9_000);
    verdicts.push((await ask()).verdict);
    clock.advance(9_000);
    verdicts.push((await ask()).verdict);
    expect([verdicts, runs, asked]).toEqual([Array(4).fill('REVALIDATED'), 1, 5]);
    said = () => 'v2';
    expect((await ask()).text).toBe('{"run":2}');
    // Whatever is said of what is not known is never used again.
    said = () => undefined;
    expect((await ask()).cacheStatus).toBe('nestjs-caching; fwd=stale; detail=no-cache');
  });

  it('answers conditions of the request as a hit does', async () => {
    const { ask, clock } = await start();
    const etag = (await ask()).field('etag') ?? '';
    clock.advance(10_000);
    const renewed = await ask({ 'If-None-Match': etag });
    expect([renewed.status, renewed.payload.length, renewed.verdict]).toEqual([304, 0, 'REVALIDATED']);
    expect(runs).toBe(1);
  });

  it('is asked once for all who wait, and all are given what is renewed', async () => {
    const { running, ask } = await startExpired();
    const gate = holdValidator();
    const missed = misses(running, 3);
    const all = [ask(), ask(), ask()];
    await gate.reached;
    await missed();
    gate.open();
    const texts = (await Promise.all(all)).map(({ text }) => text);
    expect([texts, asked, runs]).toEqual([Array(3).fill('{"run":1}'), 2, 1]);
  });

  it('is asked before the handler: a change while that runs is not hidden', async () => {
    let version = 1;
    said = () => version;
    // The handler has read its data already.
    meanwhile = () => {
      version = 2;
    };
    const { ask } = await startExpired();
    expect((await ask()).text).toBe('{"run":2}');
  });

  it('never brings back what was evicted, also not while it is asked, nor later what it renewed', async () => {
    const { running, ask, clock, evictions } = await startExpired();
    await evictions.byTag('late:1');
    expect((await ask()).text).toBe('{"run":2}');
    clock.advance(10_000);
    const gate = holdValidator();
    const slow = ask();
    await gate.reached;
    await evictions.byTag('late:2');
    const missed = misses(running, 1);
    const later = ask();
    await missed();
    gate.open();
    // Who asked before the eviction may have been answered before it.
    expect((await slow).text).toBe('{"run":2}');
    expect((await later).text).toBe('{"run":3}');
    said = () => 'v1';
    expect((await ask()).text).toBe('{"run":3}');
    // The tags that its handler gave a renewed one still are its own.
    clock.advance(10_000);
    expect((await ask()).verdict).toBe('REVALIDATED');
    await evictions.byTag('late:3');
    expect((await ask()).text).toBe('{"run":4}');
  });

  it('never brings back what was evicted while a request waited for another to renew it', async () => {
    const { running, ask, evictions } = await startExpired();
    const gate = holdValidator();
    const leader = ask();
    await gate.reached;
    // The waiter has come later in the sequence than the leader, so it is not given what the eviction ends.
    await evictions.byTag('another');
    const missed = misses(running, 1);
    const waiter = ask();
    await missed();
    await evictions.byTag('late:1');
    gate.open();
    expect([(await leader).text, (await waiter).text]).toEqual(['{"run":1}', '{"run":2}']);
    said = () => 'v1';
    expect((await ask()).text).toBe('{"run":2}');
  });

  it('never brings back what was evicted while the tags of a request were asked for', async () => {
    let gate: HandlerGate | undefined;
    const tags = async () => {
      await gate?.pass();
      return ['book'];
    };
    const { ask, evictions } = await startExpired({ tags });
    gate = new HandlerGate();
    const asking = ask();
    await gate.reached;
    await evictions.byTag('late:1');
    gate.open();
    expect((await asking).text).toBe('{"run":2}');
    expect((await ask()).text).toBe('{"run":2}');
  });

  it('renews for as long as a response lives, also after a soft eviction early in its life', async () => {
    const { ask, clock, evictions } = await start();
    await ask();
    clock.advance(1_000);
    await evictions.byTag('late:1', { soft: true });
    const renewed = await ask();
    expect([renewed.verdict, runs]).toEqual(['REVALIDATED', 1]);
    expect(renewed.cacheStatus).toBe('nestjs-caching; fwd=stale; fwd-status=304; ttl=10; detail=validator');
  });

  it('makes nothing live for longer at a time than its fields say', async () => {
    const { ask, clock } = await start({ ttl: '60s' });
    fields = { Expires: new Date(clock.now() + 20_000).toUTCString() };
    await ask();
    clock.advance(15_000);
    expect((await ask()).verdict).toBe('HIT');
    clock.advance(10_000);
    // It expired 5 seconds ago: renewed it is, fresh it is not.
    const verdicts = [(await ask()).verdict, (await ask()).verdict];
    expect([verdicts, runs]).toEqual([['REVALIDATED', 'REVALIDATED'], 1]);
  });

  it.each<[string, () => Said, string]>([
    [
      'throws',
      () => {
        throw new Error('no database');
      },
      'failed: no database',
    ],
    ['rejects', () => Promise.reject(new Error('no database')), 'failed: no database'],
    ['returns an object', () => ({}) as never, 'returned an object; allowed:'],
    ['returns a promise of NaN', async () => Number.NaN, 'returned NaN; allowed:'],
    ['returns no date', () => new Date(Number.NaN), 'allowed: a string, a number, a bigint or a valid Date'],
  ])('that %s fails the request, and names itself and the route', async (_what, failing, problem) => {
    const { running, ask } = await startExpired();
    said = failing;
    const failed = await Promise.all([ask(), ask(), ask()]);
    expect(failed.map(({ status }) => status)).toEqual([500, 500, 500]);
    const errors = running.logger.errors.join();
    expect(errors).toContain('The validator callback of BooksController.book');
    expect(errors).toContain(problem);
    said = () => 'v1';
    // What is stored has taken no harm.
    expect((await ask()).verdict).toBe('REVALIDATED');
    expect(runs).toBe(1);
  });

  it('renews in the background what is served stale meanwhile', async () => {
    const { running, ask } = await startExpired({ staleWhileRevalidate: '60s' });
    running.events.length = 0;
    expect((await ask()).verdict).toBe('STALE');
    await until(() => running.events.some(({ type }) => type === 'stored'), 'it is renewed');
    expect([(await ask()).verdict, runs, asked]).toEqual(['HIT', 1, 2]);
  });

  it('is asked for the variant of the request where the response varies', async () => {
    const { ask, clock } = await start();
    fields = { Vary: 'Accept-Language' };
    await ask({ 'Accept-Language': 'de' });
    await ask({ 'Accept-Language': 'en' });
    clock.advance(10_000);
    const renewed = await ask({ 'Accept-Language': 'en' });
    expect([renewed.verdict, renewed.text]).toEqual(['REVALIDATED', '{"run":2}']);
    expect((await ask({ 'Accept-Language': 'en' })).verdict).toBe('HIT');
  });

  it('means nothing to what another validator has stored', async () => {
    const store = memory({ clock: new FakeClock() });
    const first = await start({}, { store });
    await first.ask();
    const second = await start({ validator: () => 'v1' }, { store });
    expect((await second.ask()).verdict).toBe('MISS');
  });

  it('is not asked by a request that runs the handler anyway, but for what it stores', async () => {
    const { ask, clock } = await start({ refresh: ({ headers }) => headers['x-refresh'] !== undefined });
    await ask();
    expect((await ask({ 'X-Refresh': '1' })).text).toBe('{"run":2}');
    clock.advance(10_000);
    expect((await ask()).text).toBe('{"run":2}');
  });
});

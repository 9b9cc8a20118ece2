import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Controller, Get, Headers, HttpCode, Query } from '@nestjs/common';
import {
  CACHE_EVENTS_CHANNEL,
  type CacheEvent,
  CacheEvents,
  CacheEvictionService,
  CacheView,
  headers,
  query,
} from 'nestjs-caching';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { FakeClock } from '../support/fake-clock.js';
import { HandlerGate } from '../support/handler-gate.js';
import { eventually } from '../support/gate.js';

const SECRET = 'tok-93ab77';

describe('events', () => {
  it('are not even made while nobody listens', () => {
    const events = new CacheEvents(() => undefined, new FakeClock());
    const isMade = () => [events.active, events.begin('route') !== undefined];
    expect(isMade()).toEqual([false, false]);
    const stop = events.on(() => undefined);
    expect(isMade()).toEqual([true, true]);
    stop();
    expect(isMade()).toEqual([false, false]);
    const listener = (): void => undefined;
    subscribe(CACHE_EVENTS_CHANNEL, listener);
    expect(isMade()).toEqual([true, true]);
    unsubscribe(CACHE_EVENTS_CHANNEL, listener);
    expect(isMade()).toEqual([false, false]);
    const stopCounting = events.count({ record: () => undefined, hit: () => undefined });
    expect(isMade()).toEqual([true, true]);
    stopCounting();
    expect(isMade()).toEqual([false, false]);
  });
});

describe.each(PLATFORMS)('events on %s', (platform) => {
  let running: RunningApplication;
  let gate: HandlerGate;

  beforeEach(async () => {
    gate = new HandlerGate();
    @Controller('books')
    class BooksController {
      @Get()
      @CacheView({ ttl: '1m', tags: ['books'], key: [query(), headers('x-token')] })
      list(@Query('page') page: string, @Headers('x-token') token: string) {
        running.clock.advance(40);
        return { page, token };
      }

      @Get('gated')
      @CacheView({ ttl: '1m' })
      async gated() {
        await gate.pass();
        running.clock.advance(25);
        return { body: SECRET };
      }

      @Get('missing')
      @HttpCode(404)
      @CacheView()
      missing() {
        return { body: SECRET };
      }

      @Get('again')
      @CacheView({ refresh: ({ query }) => query['fresh'] === '1' })
      again() {
        return 'x';
      }

      @Get('never')
      @CacheView({ unless: () => true })
      never() {
        return 'x';
      }
    }
    running = await startApplication(platform, { controllers: [BooksController] });
  });

  afterEach(() => running.close());

  const told = (): string[] => running.events.map(({ type }) => type);
  const one = <T extends CacheEvent['type']>(type: T): Extract<CacheEvent, { type: T }> => {
    const found = running.events.filter((event) => event.type === type);
    expect(found).toHaveLength(1);
    return found[0] as Extract<CacheEvent, { type: T }>;
  };

  it('tell the way of a miss, step by step, with what the handler took', async () => {
    const start = running.clock.now();
    const { body } = await running.request('/books?page=1');
    expect(told()).toEqual(['lookup', 'miss', 'handled', 'stored']);
    const common = { route: 'BooksController.list', request: one('miss').request };
    expect(one('lookup')).toStrictEqual({
      type: 'lookup',
      at: start,
      ...common,
      durationMs: 0,
      found: 'nothing',
      tier: undefined,
      asked: 'local',
      lookupMs: 0,
    });
    expect(one('miss')).toStrictEqual({
      type: 'miss',
      at: start,
      ...common,
      durationMs: 0,
      reason: 'absent',
    });
    expect(one('handled')).toStrictEqual({ ...one('miss'), type: 'handled' });
    expect(one('stored')).toStrictEqual({
      type: 'stored',
      at: start + 40,
      ...common,
      durationMs: 40,
      status: 200,
      bytes: body.length,
      ttlMs: 60_000,
      tags: expect.any(Number),
      handlerMs: 40,
      storeMs: 0,
    });
  });

  it('tell of a hit what it saved: the time that the handler took when it was stored', async () => {
    const { body } = await running.request('/books?page=1');
    running.events.length = 0;
    running.clock.advance(5_000);
    await running.request('/books?page=1');
    expect(told()).toEqual(['lookup', 'hit']);
    expect(one('lookup')).toMatchObject({ found: 'fresh', tier: 'local' });
    expect(one('hit')).toStrictEqual({
      type: 'hit',
      at: running.clock.now(),
      route: 'BooksController.list',
      request: one('lookup').request,
      durationMs: 0,
      tier: 'local',
      status: 200,
      bytes: body.length,
      ageMs: 5_000,
      savedMs: 40,
      reason: undefined,
    });
  });

  it('of one request share its number, and of one entry the digest of its key', async () => {
    for (const page of [1, 1, 2]) await running.request(`/books?page=${page}`);
    const requests = running.events.flatMap((event) => ('request' in event ? [event.request] : []));
    expect(requests.map(({ id }) => id)).toEqual([1, 1, 1, 1, 2, 2, 3, 3, 3, 3]);
    const [first, second, third] = [requests[0], requests[4], requests[6]].map((each) => each?.keyDigest);
    expect(first).toMatch(/^[\w-]{12}$/);
    expect(second).toBe(first);
    expect(third).not.toBe(first);
    expect(JSON.parse(JSON.stringify(running.events[0]))).toMatchObject({
      request: { id: 1, keyDigest: first },
    });
  });

  it('hold nothing of bodies, keys or credentials', async () => {
    await running.request(`/books?page=${SECRET}`, { headers: { 'x-token': SECRET } });
    await running.request(`/books?page=${SECRET}`, { headers: { 'x-token': SECRET } });
    await running.request('/books/missing', { headers: { authorization: SECRET } });
    await running.app.get(CacheEvictionService).byTag(SECRET);
    expect(new Set(told())).toEqual(
      new Set(['lookup', 'miss', 'handled', 'stored', 'hit', 'bypassed', 'evicted']),
    );
    expect(JSON.stringify(running.events)).not.toContain(SECRET);
    for (const event of running.events)
      for (const value of Object.values(event)) expect(value).not.toBeInstanceOf(Buffer);
  });

  it('tell why a response was not stored, a request bypassed, and a handler ran though there was an entry', async () => {
    await running.request('/books/missing');
    expect(one('skipped')).toMatchObject({ reason: 'status', status: 404, handlerMs: 0 });
    await running.request('/books/never');
    expect(one('bypassed')).toMatchObject({ reason: 'unless', route: 'BooksController.never' });
    await running.request('/books/again');
    running.events.length = 0;
    await running.request('/books/again?fresh=1');
    expect(one('refresh')).toMatchObject({ reason: 'callback', outcome: 'started' });
    expect(told()).toEqual(['refresh', 'handled', 'stored']);
  });

  it('tell of those who waited for another request that they did, and what that saved', async () => {
    const both = [running.request('/books/gated'), running.request('/books/gated')];
    await eventually(() => told().filter((type) => type === 'miss').length === 2, 'both missed');
    gate.open();
    await Promise.all(both);
    expect(one('coalesced')).toMatchObject({ status: 200, savedMs: 25, durationMs: 25 });
    expect(one('coalesced').request.keyDigest).toBe(one('stored').request.keyDigest);
    expect(one('coalesced').request.id).not.toBe(one('stored').request.id);
  });

  it('tell of an eviction how many tags it named', async () => {
    await running.app.get(CacheEvictionService).byTag('books', 'authors');
    expect(one('evicted')).toStrictEqual({
      type: 'evicted',
      at: running.clock.now(),
      cause: 'tags',
      tags: 2,
      soft: false,
      acknowledged: true,
      evictMs: 0,
    });
  });

  it('are published on the channel of node:diagnostics_channel as well', async () => {
    const published: unknown[] = [];
    const listener = (event: unknown): void => void published.push(event);
    subscribe(CACHE_EVENTS_CHANNEL, listener);
    try {
      await running.request('/books?page=1');
    } finally {
      unsubscribe(CACHE_EVENTS_CHANNEL, listener);
    }
    await running.request('/books?page=1');
    expect(CACHE_EVENTS_CHANNEL).toBe('nestjs-caching:event');
    expect(published).toEqual(running.events.slice(0, 4));
    expect(published).toHaveLength(4);
  });

  it('reach the other listeners, and the request its client, where a listener throws', async () => {
    const events = running.app.get(CacheEvents);
    const complaints = () => running.logger.errors.filter((line) => line.includes('a listener that fails'));
    const stop = events.on(() => {
      throw new Error('a listener that fails');
    });
    const late: CacheEvent[] = [];
    events.on((event) => late.push(event));
    const { status } = await running.request('/books?page=1');
    expect(status).toBe(200);
    expect(late.map(({ type }) => type)).toEqual(['lookup', 'miss', 'handled', 'stored']);
    expect(complaints()).toHaveLength(4);
    stop();
    await running.request('/books?page=1');
    expect(complaints()).toHaveLength(4);
  });
});

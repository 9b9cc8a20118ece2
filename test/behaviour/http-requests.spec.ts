import { Controller, Get, Res, ServiceUnavailableException } from '@nestjs/common';
import { CacheView } from 'nestjs-caching';
import type { Response } from 'express';
import type { FastifyReply } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { HandlerGate, until } from '../support/handler-gate.js';

type AnyResponse = Response & FastifyReply;

describe.each(PLATFORMS)('what a request says of its caching on %s', (platform) => {
  let runs: number;
  let control: string | undefined;
  let gate: HandlerGate | undefined;
  let isFailing: boolean;
  let running: RunningApplication;

  beforeEach(async () => {
    runs = 0;
    control = undefined;
    gate = undefined;
    isFailing = false;
    @Controller()
    class BooksController {
      @Get('books')
      @CacheView({ ttl: '1m', honourRequestCacheControl: true })
      async books(@Res({ passthrough: true }) response: AnyResponse) {
        if (control !== undefined) response.header('Cache-Control', control);
        runs += 1;
        const run = runs;
        await gate?.pass();
        if (isFailing) throw new ServiceUnavailableException();
        return { run };
      }

      @Get('deaf') @CacheView() deaf() {
        return { run: ++runs };
      }
    }
    running = await startApplication(platform, { controllers: [BooksController] });
  });

  afterEach(() => running.close());

  const ask = (headers: Record<string, string> = {}, target = '/books') =>
    running.request(target, { headers });

  it.each([
    { 'Cache-Control': 'no-cache' },
    { 'Cache-Control': 'no-store' },
    { 'Cache-Control': 'max-age=0' },
    { 'Cache-Control': 'only-if-cached' },
    { Pragma: 'no-cache' },
  ])('counts for nothing unless the route says so: %j', async (headers) => {
    expect((await ask(headers, '/deaf')).verdict).toBe('MISS');
    expect((await ask(headers, '/deaf')).verdict).toBe('HIT');
  });

  it.each([{ 'Cache-Control': 'no-cache' }, { 'Cache-Control': 'max-age=0' }, { Pragma: 'no-cache' }])(
    'brings a new response, which replaces what is stored: %j',
    async (headers) => {
      await ask();
      running.clock.advance(2_000);
      const fresh = await ask(headers);
      expect([fresh.text, fresh.cacheStatus]).toEqual([
        '{"run":2}',
        'nestjs-caching; fwd=request; stored; ttl=60',
      ]);
      expect([(await ask()).text, (await ask()).verdict]).toEqual(['{"run":2}', 'HIT']);
    },
  );

  it('brings a new response once a second and key; who asks again gets what is stored', async () => {
    await ask();
    running.clock.advance(2_000);
    const answers = [];
    for (let asked = 0; asked < 50; asked++) answers.push((await ask({ 'Cache-Control': 'no-cache' })).text);
    expect([runs, new Set(answers).size]).toEqual([2, 1]);
    expect((await ask({ 'Cache-Control': 'no-cache' }, '/books?other')).text).toBe('{"run":3}');
    running.clock.advance(1_000);
    await ask({ 'Cache-Control': 'no-cache' });
    expect(runs).toBe(4);
  });

  it('brings one new response to all who ask while nothing fresh is there', async () => {
    gate = new HandlerGate();
    const asked = Array.from({ length: 20 }, () => ask({ 'Cache-Control': 'no-cache' }));
    await gate.reached;
    await until(() => running.events.filter(({ type }) => type === 'miss').length === 20, 'all missed');
    gate.open();
    expect(new Set((await Promise.all(asked)).map(({ text }) => text))).toEqual(new Set(['{"run":1}']));
  });

  it('brings one new response to all who ask while what is there is stale', async () => {
    control = 'max-age=10, stale-while-revalidate=100';
    await ask();
    running.clock.advance(30_000);
    gate = new HandlerGate();
    running.events.length = 0;
    const asked = Array.from({ length: 20 }, () => ask({ 'Cache-Control': 'no-cache' }));
    await gate.reached;
    await until(() => running.events.filter(({ type }) => type === 'miss').length === 20, 'all missed');
    gate.open();
    expect(new Set((await Promise.all(asked)).map(({ text }) => text))).toEqual(new Set(['{"run":2}']));
  });

  it('bounds how old, and how close to its end, a response may be', async () => {
    await ask();
    running.clock.advance(10_000);
    expect((await ask({ 'Cache-Control': 'max-age=10' })).verdict).toBe('HIT');
    expect((await ask({ 'Cache-Control': 'min-fresh=50' })).verdict).toBe('HIT');
    expect((await ask({ 'Cache-Control': 'min-fresh=51' })).text).toBe('{"run":2}');
    running.clock.advance(10_000);
    expect((await ask({ 'Cache-Control': 'max-age=9' })).text).toBe('{"run":3}');
  });

  it('no-store: the response is not kept, and takes nothing from those who come after', async () => {
    const first = await ask({ 'Cache-Control': 'no-store' });
    expect(first.cacheStatus).toBe('nestjs-caching; fwd=uri-miss; detail=request');
    gate = new HandlerGate();
    const waiting = [ask(), ask()];
    await gate.reached;
    await until(() => running.events.filter(({ type }) => type === 'miss').length === 2, 'both missed');
    gate.open();
    // One run for both: nothing made requests for this key run alone.
    expect((await Promise.all(waiting)).map(({ text }) => text)).toEqual(['{"run":2}', '{"run":2}']);
  });

  // RFC 9111 §5.2.3 and §5.4.
  it.each<Record<string, string>>([
    { 'Cache-Control': 'x-unknown=1, no-transform' },
    { 'Cache-Control': 'max-age=x' },
    { Pragma: 'x-unknown' },
  ])('that means nothing changes nothing of how stale content is served: %j', async (headers) => {
    control = 'max-age=10, stale-while-revalidate=100, stale-if-error=200';
    await ask();
    running.clock.advance(30_000);
    expect((await ask(headers)).cacheStatus).toContain('detail=stale-while-revalidate');
    await until(() => runs === 2, 'it is renewed');
    running.clock.advance(150_000);
    isFailing = true;
    const rescued = await ask(headers);
    expect([rescued.status, rescued.cacheStatus]).toEqual([
      200,
      expect.stringContaining('detail=stale-if-error'),
    ]);
  });

  it('only-if-cached: what is stored, or 504 and no handler', async () => {
    const headers = { 'Cache-Control': 'only-if-cached' };
    const nothing = await ask(headers);
    expect([nothing.status, nothing.cacheStatus, runs]).toEqual([
      504,
      'nestjs-caching; detail=only-if-cached',
      0,
    ]);
    await ask();
    expect([(await ask(headers)).status, (await ask(headers)).verdict]).toEqual([200, 'HIT']);
  });

  it('counts for a HEAD as well, which renews nothing', async () => {
    const head = (said: string) =>
      running.request('/books', { method: 'HEAD', headers: { 'Cache-Control': said } });
    expect([(await head('only-if-cached')).status, runs]).toEqual([504, 0]);
    await ask();
    running.clock.advance(2_000);
    expect((await head('only-if-cached')).verdict).toBe('HIT');
    expect((await head('max-age=10')).verdict).toBe('HIT');
    for (const said of ['no-cache', 'max-age=1']) {
      running.clock.advance(1_000);
      expect((await head(said)).cacheStatus).toBe('nestjs-caching; fwd=method; detail=method');
    }
    expect(runs).toBe(3);
    expect((await ask()).text).toBe('{"run":1}');
    expect((await ask({ 'Cache-Control': 'no-cache' })).text).toBe('{"run":4}');
  });

  it('max-stale: what is kept beyond its life, unless the response forbids it', async () => {
    control = 'max-age=10, stale-while-revalidate=100';
    await ask();
    running.clock.advance(30_000);
    expect((await ask({ 'Cache-Control': 'max-stale=20' })).cacheStatus).toBe('nestjs-caching; hit; ttl=-20');
    expect((await ask({ 'Cache-Control': 'max-stale=19' })).text).toBe('{"run":2}');
  });
});

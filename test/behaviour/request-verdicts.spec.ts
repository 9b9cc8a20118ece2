import { Controller, Get, HttpException } from '@nestjs/common';
import { type CacheEvent, CacheEvictionService, CacheView } from 'nestjs-caching';
import { prometheus } from 'nestjs-caching/prometheus';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication } from '../support/application.js';
import { startDashboard } from '../support/dashboard/dashboard-app.js';
import { LiveReader } from '../support/dashboard/live-reader.js';
import { eventually, Gate, turns } from '../support/gate.js';
import { openRequest } from '../support/wire.js';

/** With one of these the way of a request ends, in what it is answered with. */
const VERDICTS = ['hit', 'stale', 'coalesced', 'bypassed', 'handled'];

describe.each(PLATFORMS)('each request to a cached route has one verdict on %s', (platform) => {
  let running: RunningApplication;
  let register: Registry;
  let version: string | Error;
  let fails: boolean;
  let gate: Gate | undefined;
  let tagGates: Gate[];
  let runs: number;

  const answer = async () => {
    runs++;
    await gate?.pass();
    if (fails) throw new HttpException('failed', 503);
    return 'x';
  };

  @Controller('views')
  class ViewsController {
    @Get('validated')
    @CacheView({
      ttl: '10s',
      staleIfError: '1m',
      validator: () => {
        if (version instanceof Error) throw version;
        return version;
      },
      honourRequestCacheControl: true,
    })
    validated() {
      return answer();
    }

    @Get('refreshed')
    @CacheView({ ttl: '10s', refresh: ({ query }) => 'fresh' in query, inputs: 'reviewed' })
    refreshed() {
      return answer();
    }

    @Get('rescued')
    @CacheView({ ttl: '10s', staleIfError: '1m', maxEntryBytes: 100 })
    rescued() {
      return answer();
    }

    @Get('swr')
    @CacheView({ ttl: '10s', staleWhileRevalidate: '1m' })
    swr() {
      return answer();
    }

    @Get('soft')
    @CacheView({ ttl: '10s', staleIfError: '1m', softTimeout: '1s' })
    soft() {
      return answer();
    }

    @Get('tagged')
    @CacheView({
      ttl: '10s',
      tags: async () => {
        await tagGates.shift()?.pass();
        return ['a'];
      },
    })
    tagged() {
      return answer();
    }

    @Get('badly-tagged')
    @CacheView({
      ttl: '10s',
      tags: () => {
        throw new Error('no tags today');
      },
    })
    badlyTagged() {
      return answer();
    }
  }

  beforeEach(async () => {
    runs = 0;
    fails = false;
    version = 'v1';
    gate = undefined;
    tagGates = [];
    register = new Registry();
    running = await startDashboard(
      platform,
      {},
      { controllers: [ViewsController], caching: { dashboard: true, metrics: prometheus({ register }) } },
    );
  });

  afterEach(() => running.close());

  const ask = (path: string, headers: Record<string, string> = {}) =>
    running.request(`/views/${path}`, { headers });
  const age = (seconds: number): void => running.clock.advance(seconds * 1_000);

  /** What the metric says, without the route. */
  const counted = async (): Promise<Record<string, number>> => {
    const metric = await register.getSingleMetric('nestjs_caching_requests_total')?.get();
    return Object.fromEntries(
      (metric?.values ?? []).map(({ labels: { result, reason, tier }, value }) => [
        [result, reason, tier].filter((each) => each !== undefined).join(' '),
        value,
      ]),
    );
  };

  /** What events say of each request, in the order in which these came. */
  const verdicts = (): string[][] => {
    const byRequest = new Map<unknown, string[]>();
    for (const event of running.events) {
      if (!('request' in event)) continue;
      const told = byRequest.get(event.request) ?? [];
      byRequest.set(event.request, told);
      if (VERDICTS.includes(event.type)) told.push(verdictOf(event));
    }
    return [...byRequest.values()];
  };
  const verdictOf = (event: CacheEvent): string =>
    'reason' in event && event.reason !== undefined ? `${event.type} ${event.reason}` : event.type;

  /** The requests that the dashboard's charts show, and those in its table of routes. */
  const shown = async (): Promise<{ seconds: Record<string, number>; routes: Record<string, number> }> => {
    const reader = LiveReader.open(running.port);
    try {
      await eventually(() => reader.ticks.length === 1, 'the first message');
      const [tick] = reader.ticks;
      return { seconds: sum(tick?.seconds ?? []), routes: sum(tick?.routes ?? []) };
    } finally {
      reader.socket.destroy();
    }
  };
  const sum = (each: readonly object[]): Record<string, number> => {
    const sums: Record<string, number> = {};
    for (const one of each as readonly Record<string, unknown>[])
      for (const kind of ['hits', 'stale', 'coalesced', 'fills', 'bypassed'])
        if (one[kind] !== 0 && one[kind] !== undefined) sums[kind] = (sums[kind] ?? 0) + Number(one[kind]);
    return sums;
  };

  it('a hit where a validator renewed what is stored, and it is told from other hits', async () => {
    await ask('validated');
    await ask('validated');
    age(10);
    await ask('validated');
    expect(verdicts()).toEqual([['handled absent'], ['hit'], ['hit renewed']]);
    expect(await counted()).toEqual({ 'miss absent': 1, 'hit local': 1, 'hit renewed local': 1 });
    const expected = { hits: 2, fills: 1 };
    expect(await shown()).toEqual({ seconds: expected, routes: expected });
  });

  it('the same where the request wished for a new response', async () => {
    await ask('validated');
    await ask('validated', { 'cache-control': 'no-cache' });
    version = 'v2';
    age(2);
    await ask('validated', { 'cache-control': 'no-cache' });
    expect(verdicts()).toEqual([['handled absent'], ['hit renewed'], ['handled request']]);
    expect(await counted()).toEqual({ 'miss absent': 1, 'hit renewed local': 1, 'refresh request': 1 });
  });

  it('a miss where the validator says that it has changed, or fails', async () => {
    await ask('validated');
    age(10);
    version = 'v2';
    await ask('validated');
    age(10);
    version = new Error('down');
    expect((await ask('validated')).status).toBe(500);
    expect(verdicts()).toEqual([['handled absent'], ['handled stale'], ['handled stale']]);
    expect(await counted()).toEqual({ 'miss absent': 1, 'miss stale': 2 });
  });

  it('stale where the handler failed and something stale was sent, also to those who waited', async () => {
    await ask('rescued');
    age(10);
    fails = true;
    gate = new Gate();
    const both = [ask('rescued'), ask('rescued')];
    await eventually(() => running.events.filter(({ type }) => type === 'miss').length === 3, 'both missed');
    gate.open();
    expect((await Promise.all(both)).map(({ verdict }) => verdict)).toEqual(['STALE', 'STALE']);
    expect(verdicts()).toEqual([['handled absent'], ['stale if-error'], ['stale if-error']]);
    expect(await counted()).toEqual({ 'miss absent': 1, 'stale if-error local': 2 });
    const expected = { stale: 2, fills: 1 };
    expect(await shown()).toEqual({ seconds: expected, routes: expected });
  });

  it('a miss where the handler failed and nothing could be sent in its place', async () => {
    await ask('rescued');
    age(10);
    fails = true;
    gate = new Gate();
    const asked = ask('rescued');
    await eventually(() => runs === 2, 'the handler runs');
    await running.app.get(CacheEvictionService).all();
    gate.open();
    expect((await asked).status).toBe(503);
    expect(verdicts()).toEqual([['handled absent'], ['handled stale']]);
    expect(await counted()).toEqual({ 'miss absent': 1, 'miss stale': 1 });
  });

  it('a miss where it could have been rescued and had not to be', async () => {
    await ask('rescued');
    age(10);
    await ask('rescued');
    expect(verdicts()).toEqual([['handled absent'], ['handled stale']]);
    expect(await counted()).toEqual({ 'miss absent': 1, 'miss stale': 1 });
  });

  it('a miss where it waited for a renewal that came in time', async () => {
    await ask('soft');
    age(10);
    expect((await ask('soft')).headers['cache-status']).toContain('fwd=stale; collapsed');
    await eventually(() => verdicts().length === 3, 'the renewal in the background is told of');
    // What runs in the background answers nobody.
    expect(verdicts()).toEqual([['handled absent'], ['coalesced stale'], []]);
    expect(await counted()).toEqual({ 'miss absent': 1, 'miss stale': 1 });
    const expected = { coalesced: 1, fills: 1 };
    expect(await shown()).toEqual({ seconds: expected, routes: expected });
  });

  it('stale where a renewal in the background is not waited for, which counts as no request', async () => {
    await ask('swr');
    age(10);
    await ask('swr');
    await eventually(
      () => running.events.some((e) => e.type === 'refresh' && e.outcome === 'stored'),
      'done',
    );
    expect(verdicts()).toEqual([['handled absent'], ['stale while-revalidate'], []]);
    expect(await counted()).toEqual({ 'miss absent': 1, 'stale while-revalidate local': 1 });
    const expected = { stale: 1, fills: 1 };
    expect(await shown()).toEqual({ seconds: expected, routes: expected });
  });

  it('a hit where another request filled the cache while its tags were worked out', async () => {
    const gates = (tagGates = [new Gate(), new Gate()]).slice();
    const both = [ask('tagged'), ask('tagged')];
    await eventually(() => gates.every(({ arrived }) => arrived === 1), 'both missed');
    gates[0]?.open();
    await Promise.race(both);
    gates[1]?.open();
    await Promise.all(both);
    expect(new Set(verdicts().flat())).toEqual(new Set(['handled absent', 'hit']));
    expect(verdicts()).toHaveLength(2);
    expect(await counted()).toEqual({ 'miss absent': 1, 'hit local': 1 });
  });

  it('a miss where its tags could not be worked out', async () => {
    expect((await ask('badly-tagged')).status).toBe(500);
    expect(verdicts()).toEqual([['handled absent']]);
    expect(await counted()).toEqual({ 'miss absent': 1 });
  });

  it('a refresh where the route wanted one', async () => {
    await ask('refreshed?fresh');
    expect(verdicts()).toEqual([['handled callback']]);
    expect(await counted()).toEqual({ 'refresh callback': 1 });
  });

  it('a miss where the request wants nothing stored, or only what is', async () => {
    await ask('validated', { 'cache-control': 'no-store' });
    expect((await ask('validated', { 'cache-control': 'only-if-cached' })).status).toBe(504);
    expect(verdicts()).toEqual([['handled absent'], ['handled absent']]);
    expect(await counted()).toEqual({ 'miss absent': 2 });
  });

  it('a miss where the client leaves before the handler answers, or fails', async () => {
    await ask('rescued');
    age(10);
    gate = new Gate();
    fails = true;
    const client = openRequest(running.port, '/views/rescued');
    await eventually(() => runs === 2, 'the handler runs');
    await client.leave();
    await eventually(() => verdicts()[1]?.length === 1, 'it is noticed');
    gate.open();
    await turns(20);
    expect(verdicts()).toEqual([['handled absent'], ['handled stale']]);
    expect(await counted()).toEqual({ 'miss absent': 1, 'miss stale': 1 });
  });
});

import { Controller, Get, HttpException, Param } from '@nestjs/common';
import { CacheView } from 'nestjs-caching';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { burst } from '../support/burst.js';
import { eventually, Gate } from '../support/gate.js';

const REQUESTS = 10_000;
const SOCKETS = 200;

describe.each(PLATFORMS)('under load on %s', (platform) => {
  let running: RunningApplication;
  let gate: Gate | undefined;
  let fails: boolean;
  let runs: string[];

  beforeEach(async () => {
    gate = undefined;
    fails = false;
    runs = [];
    @Controller()
    class ViewsController {
      @Get('renewed/:id') @CacheView({ ttl: '10s', staleWhileRevalidate: '1m' }) async renewed(
        @Param('id') id: string,
      ) {
        return this.answer(id);
      }

      @Get('rescued/:id') @CacheView({ ttl: '10s', staleIfError: '1h' }) async rescued(
        @Param('id') id: string,
      ) {
        return this.answer(id);
      }

      @Get('both/:id') @CacheView({ ttl: '10s', staleWhileRevalidate: '30s', staleIfError: '1h' }) async both(
        @Param('id') id: string,
      ) {
        return this.answer(id);
      }

      async answer(id: string) {
        runs.push(id);
        await gate?.pass();
        if (fails) throw new HttpException('out of order', 503);
        return { id, run: runs.length };
      }
    }
    running = await startApplication(platform, { controllers: [ViewsController] });
  });

  afterEach(async () => {
    gate?.open();
    await running.close();
  });

  /** Each begins and ends once. */
  const refreshes = (): number => running.events.filter(({ type }) => type === 'refresh').length;

  it('10,000 requests at once for an expired entry are all answered stale, with one renewal', async () => {
    await running.request('/renewed/1');
    running.clock.advance(10_000);
    gate = new Gate();
    const replies = await burst(running.port, '/renewed/1', REQUESTS, SOCKETS);
    expect(replies).toHaveLength(REQUESTS);
    expect(new Set(replies.map(({ status, verdict, body }) => `${status} ${verdict} ${body}`))).toEqual(
      new Set(['200 STALE {"id":"1","run":1}']),
    );
    await eventually(() => runs.length === 2, 'the renewal runs its handler');
    gate.open();
    await eventually(
      () => running.events.some((event) => event.type === 'refresh' && event.outcome === 'stored'),
      'it is stored',
    );
    const after = await burst(running.port, '/renewed/1', 100, 10);
    expect(new Set(after.map(({ verdict, body }) => `${verdict} ${body}`))).toEqual(
      new Set(['HIT {"id":"1","run":2}']),
    );
    expect(runs).toHaveLength(2);
  });

  it.each(['rescued', 'both'])(
    'a handler that fails for 60 s shows no client an error, and runs once a period and key at most: /%s',
    async (route) => {
      const keys = ['1', '2', '3'];
      for (const key of keys) await running.request(`/${route}/${key}`);
      running.clock.advance(10_000);
      fails = true;
      runs = [];
      const statuses = new Set<number>();
      const ran = new Map<string, number[]>(keys.map((key) => [key, []]));
      for (let elapsed = 0; elapsed < 60_000; elapsed += 250) {
        const replies = await Promise.all(keys.map((key) => burst(running.port, `/${route}/${key}`, 4, 2)));
        for (const { status } of replies.flat()) statuses.add(status);
        await eventually(() => refreshes() % 2 === 0, 'renewals that have begun have ended');
        for (const id of runs.splice(0)) ran.get(id)?.push(elapsed);
        running.clock.advance(250);
      }
      expect(statuses).toEqual(new Set([200]));
      for (const at of ran.values()) {
        const pauses = at.slice(1).map((time, index) => time - (at[index] ?? 0));
        expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000, 10_000]);
      }
      fails = false;
      running.clock.advance(10_000);
      await running.request(`/${route}/1`);
      await eventually(() => runs.length === 1 && running.events.at(-1)?.type !== 'miss', 'it has recovered');
      const after = await running.request(`/${route}/1`);
      expect([after.status, after.verdict]).toEqual([200, 'HIT']);
    },
  );
});

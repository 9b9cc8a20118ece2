import { Controller, Get, Req, Res } from '@nestjs/common';
import { CacheView, type CachingModuleOptions, redis } from 'nestjs-caching';
import type { Request, Response } from 'express';
import type { FastifyReply } from 'fastify';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication } from '../support/application.js';
import { HandlerGate } from '../support/handler-gate.js';
import { countOf, startOnRedis } from '../support/redis/applications.js';
import { poll } from '../support/redis/poll.js';
import { type RedisServer, startRedis } from '../support/redis/redis-server.js';

type AnyResponse = Response & FastifyReply;

describe.each(PLATFORMS)('responses in Redis that vary on what their handler knew, on %s,', (platform) => {
  let server: RedisServer;
  let runs = 0;
  let gate: HandlerGate | undefined;
  const running: RunningApplication[] = [];

  const start = async (caching: CachingModuleOptions = {}) => {
    @Controller()
    class GreetingsController {
      @Get('hello') @CacheView({ inputs: 'reviewed' }) async hello(
        @Req() request: Request,
        @Res({ passthrough: true }) response: AnyResponse,
      ) {
        runs += 1;
        response.header('Vary', 'Accept-Language');
        await gate?.pass();
        return { said: request.headers['accept-language'] };
      }
    }
    const started = await startOnRedis(platform, server.url, {
      controllers: [GreetingsController],
      caching: { store: redis({ url: server.url }), storeTimeout: '2s', ...caching },
    });
    running.push(started);
    const say = async (language: string) => {
      const { verdict, text } = await started.request('/hello', { headers: { 'accept-language': language } });
      return [verdict, (JSON.parse(text) as { said: string }).said];
    };
    const store = async (language: string) => {
      const before = countOf(started, 'stored');
      const said = await say(language);
      await poll('it is stored', async () => countOf(started, 'stored') > before || undefined);
      return said;
    };
    return { started, say, store };
  };

  beforeAll(async () => {
    server = await startRedis();
  });
  beforeEach(async () => {
    runs = 0;
    gate = undefined;
    await server.command('FLUSHALL');
  });
  afterEach(() => Promise.all(running.splice(0).map((each) => each.close())));
  afterAll(() => server.close());

  it('are found by an instance that has never seen them, with and without memory of its own', async () => {
    const a = await start();
    expect(await a.store('de')).toEqual(['MISS', 'de']);
    expect(await a.store('en')).toEqual(['MISS', 'en']);
    for (const caching of [{}, { memory: false } as const, { coherence: 'strict' } as const]) {
      const b = await start(caching);
      expect(await b.say('en')).toEqual(['HIT', 'en']);
      expect(await b.say('de')).toEqual(['HIT', 'de']);
      expect(await b.say('de')).toEqual(['HIT', 'de']);
      // One look-up more for the first of them, and one for each that comes after.
      const once = ['lookup', 'hit'];
      // When the link for evictions is up is told as well, sooner or later.
      const types = b.started.events.map(({ type }) => type).filter((type) => type !== 'coherence');
      expect(types).toEqual(['lookup', ...once, ...once, ...once]);
    }
    expect(runs).toBe(2);
  });

  it('take one look-up a hit once it is known by what', async () => {
    const a = await start({ memory: false });
    await a.store('de');
    await a.say('de');
    const lookups = async () => {
      const text = String(await server.command('INFO', 'commandstats'));
      return [...text.matchAll(/cmdstat_(?:mget|get|evalsha|fcall):calls=(\d+)/g)].reduce(
        (sum, [, calls]) => sum + Number(calls),
        0,
      );
    };
    const before = await lookups();
    for (let at = 0; at < 20; at++) expect(await a.say('de')).toEqual(['HIT', 'de']);
    const after = await lookups();
    // A heartbeat or two may come between.
    expect(after - before).toBeGreaterThanOrEqual(20);
    expect(after - before).toBeLessThan(30);
  });

  it('are each filled once among all instances, those of who waited for another’s included', async () => {
    const [a, b] = [await start({ coalesce: 'cluster' }), await start({ coalesce: 'cluster' })];
    gate = new HandlerGate();
    const first = a.say('de');
    await gate.reached;
    const others = [b.say('de'), b.say('en'), b.say('en'), a.say('en')];
    await poll(
      'all have missed',
      async () => countOf(a.started, 'miss') + countOf(b.started, 'miss') === 5 || undefined,
    );
    gate.open();
    expect((await first)[1]).toBe('de');
    expect((await Promise.all(others)).map(([, said]) => said)).toEqual(['de', 'en', 'en', 'en']);
    expect(runs).toBe(2);
  });
});

import { Controller, Get, Header, NotFoundException, Req, Res } from '@nestjs/common';
import {
  CacheEvictionService,
  CacheView,
  type CacheViewOptions,
  type CachingModuleOptions,
  memory,
} from 'nestjs-caching';
import type { Request, Response } from 'express';
import type { FastifyReply } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { FakeClock } from '../support/fake-clock.js';
import { HandlerGate, until } from '../support/handler-gate.js';
import { useCompression } from '../support/plugins.js';
import { wireBytes, wireRequest } from '../support/wire.js';

type AnyResponse = Response & FastifyReply;

describe.each(PLATFORMS)('responses that vary on what only their handler knew, on %s,', (platform) => {
  let runs: number;
  let vary: string | undefined;
  let gate: HandlerGate | undefined;
  const open: RunningApplication[] = [];

  beforeEach(() => {
    runs = 0;
    vary = 'Accept-Language';
    gate = undefined;
  });

  afterEach(() => Promise.all(open.splice(0).map((running) => running.close())));

  const start = async (
    caching: CachingModuleOptions = {},
    options: CacheViewOptions = {},
    setUp?: Parameters<typeof startApplication>[1]['setUp'],
  ) => {
    @Controller()
    class GreetingsController {
      /** By all that its `Vary` names. */
      @Get('hello')
      @CacheView({ tags: ['greetings'], inputs: 'reviewed', ...options })
      async hello(@Req() request: Request, @Res({ passthrough: true }) response: AnyResponse) {
        const run = ++runs;
        const names = vary?.split(',').map((name) => name.trim().toLowerCase()) ?? [];
        if (vary !== undefined) response.header('Vary', vary);
        const said = names.map((name) => String(request.headers[name]));
        await gate?.pass();
        return { said, run };
      }

      @Get('lost') @CacheView({ inputs: 'reviewed' }) async lost(
        @Req() request: Request,
        @Res({ passthrough: true }) response: AnyResponse,
      ) {
        runs += 1;
        response.header('Vary', 'Accept-Language');
        const language = request.headers['accept-language'];
        await gate?.pass();
        throw new NotFoundException(language);
      }

      @Get('declared') @Header('Vary', 'X-Shop') @CacheView({ inputs: 'reviewed' }) declared(
        @Req() request: Request,
      ) {
        runs += 1;
        return { shop: request.headers['x-shop'] };
      }
    }
    const running = await startApplication(platform, {
      controllers: [GreetingsController],
      caching,
      ...(setUp && { setUp }),
    });
    open.push(running);
    const ask = async (headers: Record<string, string> = {}, target = '/hello', method = 'GET') =>
      wireRequest(running.port, target, { headers, method });
    const say = async (language: string, target = '/hello') => {
      const { verdict, text } = await ask({ 'Accept-Language': language }, target);
      return [verdict, (JSON.parse(text) as { said: string[] }).said[0]];
    };
    return {
      running,
      ask,
      say,
      controller: GreetingsController,
      evictions: running.app.get(CacheEvictionService),
    };
  };

  it('are kept apart by it, and each is a hit for its own', async () => {
    const { ask, say } = await start();
    expect(await say('de')).toEqual(['MISS', 'de']);
    expect(await say('en')).toEqual(['MISS', 'en']);
    expect(await say('de')).toEqual(['HIT', 'de']);
    expect(await say('en')).toEqual(['HIT', 'en']);
    // A field that is absent is not one that is empty.
    expect((await ask()).verdict).toBe('MISS');
    expect((await ask({ 'Accept-Language': '' })).verdict).toBe('MISS');
    expect(runs).toBe(4);
  });

  it('are replayed byte for byte, and Cache-Status tells that others were there', async () => {
    const { ask } = await start();
    await ask({ 'Accept-Language': 'en' });
    const miss = await ask({ 'Accept-Language': 'de' });
    const hit = await ask({ 'Accept-Language': 'de' });
    expect(miss.cacheStatus).toBe('nestjs-caching; fwd=vary-miss; stored; ttl=300');
    expect(hit.field('vary')).toBe('Accept-Language');
    expect(wireBytes(hit)).toBe(wireBytes(miss));
  });

  it('answer HEAD, conditions and what requests wish from the variant of the request', async () => {
    const { ask } = await start({}, { honourRequestCacheControl: true });
    const de = { 'Accept-Language': 'de' };
    await ask({ 'Accept-Language': 'en' });
    const { etag } = { etag: (await ask(de)).field('etag') ?? '' };
    expect((await ask(de, '/hello', 'HEAD')).verdict).toBe('HIT');
    expect((await ask({ 'Accept-Language': 'fr' }, '/hello', 'HEAD')).verdict).toBe('BYPASS');
    expect((await ask({ ...de, 'If-None-Match': etag })).status).toBe(304);
    expect((await ask({ 'Accept-Language': 'en', 'If-None-Match': etag })).status).toBe(200);
    const stored = { 'Cache-Control': 'only-if-cached' };
    expect((await ask({ ...de, ...stored })).status).toBe(200);
    expect((await ask({ 'Accept-Language': 'fr', ...stored })).status).toBe(504);
  });

  it('are told apart by every name that any of them gave', async () => {
    const { ask } = await start();
    const both = (language: string, shop: string) => ({ 'Accept-Language': language, 'X-Shop': shop });
    vary = 'X-Shop';
    await ask(both('de', 'a'));
    vary = 'Accept-Language, X-Shop';
    expect((await ask(both('de', 'b'))).text).toContain('"said":["de","b"]');
    expect((await ask(both('en', 'b'))).text).toContain('"said":["en","b"]');
    expect((await ask(both('de', 'b'))).verdict).toBe('HIT');
    expect((await ask(both('en', 'b'))).verdict).toBe('HIT');
    // What had been stored by one name only is never given to who differs in the other.
    const other = await ask(both('fr', 'a'));
    expect([other.verdict, other.text]).toEqual(['MISS', '{"said":["fr","a"],"run":4}']);
  });

  it('are all found where one names this and another that', async () => {
    const { ask } = await start();
    const one = { 'X-Shop': 'a' };
    const other = { 'X-Shop': 'b', 'Accept-Language': 'de' };
    vary = 'X-Shop';
    await ask(one);
    vary = 'Accept-Language';
    await ask(other);
    vary = 'X-Shop';
    // Under the names of both by now.
    await ask(one);
    const verdicts = [(await ask(one)).verdict, (await ask(other)).verdict];
    expect(verdicts).toEqual(['HIT', 'HIT']);
  });

  it('are found where this process does not know yet that they vary', async () => {
    const store = memory({ clock: new FakeClock() });
    const first = await start({ store });
    await first.say('de');
    await first.say('en');
    const second = await start({ store });
    expect(await second.say('en')).toEqual(['HIT', 'en']);
    expect(await second.say('fr')).toEqual(['MISS', 'fr']);
    expect(await first.say('fr')).toEqual(['HIT', 'fr']);
    const third = await start({ store });
    expect((await third.ask({ 'Accept-Language': 'de' }, '/hello', 'HEAD')).verdict).toBe('HIT');
    const fourth = await start({ store }, { honourRequestCacheControl: true });
    const wish = { 'Accept-Language': 'de', 'Cache-Control': 'only-if-cached' };
    expect((await fourth.ask(wish)).status).toBe(200);
  });

  it('are evicted together, by tag, by path and by the key of their URL', async () => {
    const { say, evictions, controller } = await start();
    const key = await evictions.keyFor(controller, 'hello', { url: '/hello' });
    for (const evict of [
      () => evictions.byTag('greetings'),
      () => evictions.byPath('/hello'),
      () => evictions.byKey(key),
      () => evictions.all(),
    ]) {
      await say('de');
      await say('en');
      await evict();
      expect(await say('de')).toEqual(['MISS', 'de']);
      expect(await say('en')).toEqual(['MISS', 'en']);
    }
  });

  it('are given to those who wait only where these are the same', async () => {
    const { running, say } = await start();
    gate = new HandlerGate();
    const missed = () => running.events.filter(({ type }) => type === 'miss').length;
    const leader = say('de');
    await gate.reached;
    const waiting = [say('de'), say('en'), say('en')];
    await until(() => missed() === 4, 'all have missed');
    gate.open();
    expect(await leader).toEqual(['MISS', 'de']);
    expect((await Promise.all(waiting)).map(([, said]) => said)).toEqual(['de', 'en', 'en']);
    // One run for each language.
    expect(runs).toBe(2);
  });

  it('are given to nobody else who waits either where they are not stored, as errors are', async () => {
    const { running, ask } = await start();
    gate = new HandlerGate();
    const missed = () => running.events.filter(({ type }) => type === 'miss').length;
    const leader = ask({ 'Accept-Language': 'de' }, '/lost');
    await gate.reached;
    const waiter = ask({ 'Accept-Language': 'en' }, '/lost');
    await until(() => missed() === 2, 'both have missed');
    gate.open();
    expect((await leader).text).toContain('"message":"de"');
    expect((await waiter).text).toContain('"message":"en"');
  });

  it.each(['*', 'Accept, *', 'not a token', Array.from({ length: 17 }, (_, at) => `X-${at}`).join(', ')])(
    'are not stored where nobody can tell by what: %s',
    async (names) => {
      const { ask } = await start();
      vary = names;
      const statuses = [(await ask()).cacheStatus, (await ask()).cacheStatus];
      const status = 'nestjs-caching; fwd=uri-miss; detail=vary';
      expect(statuses).toEqual([status, status]);
    },
  );

  it('are not stored under values without end, and such requests take nothing from others', async () => {
    const { ask, say } = await start();
    const long = { 'Accept-Language': 'x'.repeat(5_000) };
    expect((await ask(long)).cacheStatus).toBe('nestjs-caching; fwd=uri-miss; detail=vary');
    await say('de');
    expect((await ask(long)).cacheStatus).toBe('nestjs-caching; fwd=bypass; detail=vary');
    expect(await say('de')).toEqual(['HIT', 'de']);
  });

  it('are 64 for one URL at the most, the latest of them', async () => {
    const store = memory({ clock: new FakeClock() });
    const { say } = await start({ store });
    for (let at = 0; at < 200; at++) await say(`x-${at}`);
    // And the word under the URL's own key that there are some.
    expect(store.entries).toBeLessThanOrEqual(65);
    expect(await say('x-199')).toEqual(['HIT', 'x-199']);
    expect(await say('x-0')).toEqual(['MISS', 'x-0']);
  });

  it('are the same for requests whose fields mean the same', async () => {
    const { ask } = await start();
    vary = 'Accept-Encoding, X-List';
    const same = [
      { 'Accept-Encoding': 'gzip, deflate, br', 'X-List': 'a, b' },
      { 'Accept-Encoding': 'br,gzip;q=1.0,  deflate', 'X-List': 'a,b' },
    ];
    expect((await ask(same[0])).verdict).toBe('MISS');
    expect((await ask(same[1])).verdict).toBe('HIT');
    expect((await ask({ 'Accept-Encoding': 'gzip', 'X-List': 'a, b' })).verdict).toBe('MISS');
  });

  it('are told apart by the languages of the route, where it names some', async () => {
    const { ask, say } = await start({}, { languages: ['de', 'en'] });
    await say('de-CH, de;q=0.9, en;q=0.5');
    expect((await say('de, en;q=0.1'))[0]).toBe('HIT');
    expect((await say('fr, de;q=0.9, en;q=0.5'))[0]).toBe('HIT');
    expect((await say('en, de;q=0.5'))[0]).toBe('MISS');
    expect((await ask({ 'Accept-Language': 'fr' })).verdict).toBe('MISS');
    expect((await ask({ 'Accept-Language': 'it' })).verdict).toBe('HIT');
  });

  it('that are declared beside vary are told apart by its languages as well', async () => {
    vary = undefined;
    const { say } = await start({}, { vary: ['accept-language'], languages: ['de', 'en'] });
    await say('de-CH, de;q=0.9, en;q=0.5');
    expect((await say('de, en;q=0.1'))[0]).toBe('HIT');
    expect((await say('en'))[0]).toBe('MISS');
  });

  it('do not vary on what middleware has put into Vary, nor on what their handler can not see', async () => {
    const { ask } = await start({}, {}, (app) => app.enableCors({ origin: ['https://a.example'] }));
    vary = undefined;
    const a = await ask({ Origin: 'https://a.example' });
    const b = await ask({ Origin: 'https://b.example' });
    expect([a.verdict, a.field('vary'), b.verdict]).toEqual(['MISS', 'Origin', 'HIT']);
    const handlers = await start();
    vary = 'Range, If-None-Match';
    expect((await handlers.ask({ Range: 'bytes=0-1' })).verdict).toBe('MISS');
    expect((await handlers.ask({ 'If-None-Match': '"a"' })).verdict).toBe('HIT');
  });

  it('do vary on what @Header declares', async () => {
    const { ask } = await start();
    const shop = async (name: string) => {
      const { verdict, text } = await ask({ 'X-Shop': name }, '/declared');
      return [verdict, text];
    };
    expect(await shop('a')).toEqual(['MISS', '{"shop":"a"}']);
    expect(await shop('b')).toEqual(['MISS', '{"shop":"b"}']);
    expect(await shop('a')).toEqual(['HIT', '{"shop":"a"}']);
  });

  it('are nobody’s who shows credentials, unless their route says whose they are', async () => {
    vary = 'Cookie, Authorization';
    const { ask } = await start();
    expect((await ask({ Authorization: 'Bearer a' })).verdict).toBe('BYPASS');
    expect((await ask({ Cookie: 'sid=a' })).verdict).toBe('BYPASS');
    // Who shows none is told apart from all who do.
    expect((await ask()).verdict).toBe('MISS');
    expect((await ask()).verdict).toBe('HIT');
    expect((await ask({ Cookie: 'sid=a' })).verdict).toBe('BYPASS');
    const everybody = await start({}, { scope: 'public' });
    const asA = await everybody.ask({ Authorization: 'Bearer a' });
    const asB = await everybody.ask({ Authorization: 'Bearer b' });
    expect([asA.verdict, asB.verdict]).toEqual(['MISS', 'MISS']);
    expect(asB.text).toContain('Bearer b');
    expect((await everybody.ask({ Authorization: 'Bearer a' })).text).toBe(asA.text);
  });

  it('write no value of a field into the keys of the store', async () => {
    vary = 'Cookie, Authorization';
    const store = memory({ clock: new FakeClock() });
    const keys: string[] = [];
    const set = store.set.bind(store);
    store.set = (entry) => {
      keys.push(entry.key, ...entry.tags, entry.variantOf ?? '');
      return set(entry);
    };
    const { ask } = await start({ store }, { scope: 'public' });
    await ask({ Authorization: 'Bearer secret' });
    expect(keys.length).toBeGreaterThan(2);
    expect(keys.filter((key) => key.includes('secret'))).toEqual([]);
  });

  it('are compressed behind the cache as the client accepts, from one entry', async () => {
    const { ask } = await start({}, {}, (app) => useCompression(platform, app));
    vary = undefined;
    const coded = await ask({ 'Accept-Encoding': 'gzip' });
    const plain = await ask();
    expect([coded.verdict, plain.verdict]).toEqual(['MISS', 'HIT']);
  });
});

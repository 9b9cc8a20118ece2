import { Controller, Get, Inject, Injectable, Param, Query, StreamableFile } from '@nestjs/common';
import { CacheContext, CacheEvictionService, CacheUsageError, CacheView } from 'nestjs-caching';
import { Readable } from 'node:stream';
import { defer, from } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { eventually, Gate, turns } from '../support/gate.js';

/** How many tags of the application's a response may carry. */
const MAX_TAGS = 256;

const tagsTo = (count: number, name = 'tag'): string[] =>
  Array.from({ length: count }, (_, at) => `${name}:${at}`);

describe.each(PLATFORMS)('CacheContext on %s', (platform) => {
  let running: RunningApplication;
  let evictions: CacheEvictionService;
  let quotes: QuoteService;
  let runs: number;
  let streaming: Gate;

  /** A service that knows nothing of the request for which it is called. */
  @Injectable()
  class QuoteService {
    constructor(@Inject(CacheContext) readonly cache: CacheContext) {}

    async quote(id: string): Promise<number> {
      await turns(2);
      this.cache.tag(`quote:${id}`);
      return ++runs;
    }

    async delayed(): Promise<number> {
      await turns(2);
      this.cache.noStore();
      return ++runs;
    }

    async shortLived(): Promise<number> {
      await turns(2);
      this.cache.ttl('10s');
      return ++runs;
    }
  }

  beforeEach(async () => {
    runs = 0;
    streaming = new Gate();
    @Controller()
    class Views {
      constructor(@Inject(QuoteService) private readonly service: QuoteService) {}

      @Get('quotes/:id') @CacheView() quote(@Param('id') id: string) {
        return this.service.quote(id).then((run) => ({ run }));
      }
      @Get('observed/:id') @CacheView() observed(@Param('id') id: string) {
        return defer(() => from(this.service.quote(id)));
      }
      @Get('delayed') @CacheView({ unless: ({ query }) => query.nocache === '1' }) delayed() {
        return this.service.delayed();
      }
      @Get('short-lived') @CacheView('1h') shortLived() {
        return this.service.shortLived();
      }
      @Get('parameter/:what')
      @CacheView({ ttl: '1m', tags: ['declared'] })
      parameter(@Param('what') what: string, @CacheContext() cache: CacheContext) {
        if (what === 'no-store') cache.noStore();
        if (what === 'ttl') cache.ttl(2_000);
        if (what === 'tag') cache.tag('one', 'two');
        return { run: ++runs };
      }
      @Get('uncached') uncached(@CacheContext() cache: CacheContext) {
        cache.noStore();
        cache.ttl('1h');
        cache.tag('one');
        return { run: ++runs };
      }
      @Get('many')
      @CacheView({ tags: tagsTo(6, 'declared') })
      many(@Query('n') n: string, @CacheContext() cache: CacheContext) {
        for (const tag of tagsTo(Number(n))) cache.tag(tag);
        return { run: ++runs };
      }
      @Get('wrong') @CacheView() wrong(@Query('what') what: string, @CacheContext() cache: CacheContext) {
        try {
          if (what === 'ttl') cache.ttl(0);
          if (what === 'seconds') cache.ttl('5' as never);
          if (what === 'tag') cache.tag('fine', '');
          if (what === 'undefined') cache.tag('fine', undefined as never);
        } catch (error) {
          if (error instanceof CacheUsageError)
            return { run: ++runs, code: error.code, message: error.message };
          throw error;
        }
        return { run: ++runs };
      }
      @Get('stream/:what') @CacheView('1h') stream(
        @Param('what') what: string,
        @CacheContext() cache: CacheContext,
      ) {
        const run = ++runs;
        const chunks = async function* () {
          yield Buffer.from('begin ');
          await streaming.pass();
          if (what === 'no-store') cache.noStore();
          if (what === 'ttl') cache.ttl('10s');
          if (what === 'tag') cache.tag('late');
          if (what === 'many') cache.tag(...tagsTo(100_000));
          yield Buffer.from(`run ${run}`);
        };
        return new StreamableFile(Readable.from(chunks()));
      }
      @Get('afterwards') @CacheView() afterwards(@CacheContext() cache: CacheContext) {
        void streaming.pass().then(() => cache.tag('afterwards'));
        return { run: ++runs };
      }
    }
    running = await startApplication(platform, { controllers: [Views], providers: [QuoteService] });
    evictions = running.app.get(CacheEvictionService);
    quotes = running.app.get(QuoteService);
  });

  afterEach(() => running.close());

  const verdict = async (target: string): Promise<string | undefined> =>
    (await running.request(target)).verdict;

  it.each(['/quotes', '/observed'])(
    'injected into a service tags the response it is called for: %s',
    async (path) => {
      const targets = [`${path}/1`, `${path}/2`];
      await Promise.all(targets.map((target) => running.request(target)));
      expect(await Promise.all(targets.map(verdict))).toEqual(['HIT', 'HIT']);
      await evictions.byTag('quote:2');
      expect(await Promise.all(targets.map(verdict))).toEqual(['HIT', 'MISS']);
    },
  );

  it('injected into a service keeps a response out of the cache, and says so', async () => {
    expect((await running.request('/delayed')).cacheStatus).toBe(
      'nestjs-caching; fwd=uri-miss; detail=handler',
    );
    expect(await verdict('/delayed')).toBe('MISS');
    expect(running.events.filter(({ type }) => type === 'stored')).toEqual([]);
  });

  it('injected into a service decides how long a response is kept', async () => {
    expect((await running.request('/short-lived')).cacheStatus).toContain('ttl=10');
    running.clock.advance(9_999);
    expect(await verdict('/short-lived')).toBe('HIT');
    running.clock.advance(1);
    expect(await verdict('/short-lived')).toBe('MISS');
  });

  it('as a parameter does the same, beside what the route declares', async () => {
    expect(await verdict('/parameter/no-store')).toBe('MISS');
    expect(await verdict('/parameter/no-store')).toBe('MISS');
    expect((await running.request('/parameter/ttl')).cacheStatus).toContain('ttl=2');
    for (const tag of ['one', 'two', 'declared']) {
      await verdict('/parameter/tag');
      expect(await verdict('/parameter/tag')).toBe('HIT');
      await evictions.byTag(tag);
      expect([tag, await verdict('/parameter/tag')]).toEqual([tag, 'MISS']);
    }
  });

  it('concerns only the response it was called for', async () => {
    await verdict('/parameter/no-store');
    await verdict('/parameter/plain');
    expect(await verdict('/parameter/plain')).toBe('HIT');
    running.clock.advance(2_000);
    await verdict('/parameter/ttl');
    expect(await verdict('/parameter/plain')).toBe('HIT');
  });

  it('takes as many tags as a route may declare, and stores nothing with more', async () => {
    await verdict(`/many?n=${MAX_TAGS - 6}`);
    expect(await verdict(`/many?n=${MAX_TAGS - 6}`)).toBe('HIT');
    await evictions.byTag(`tag:${MAX_TAGS - 7}`);
    expect(await verdict(`/many?n=${MAX_TAGS - 6}`)).toBe('MISS');
    await verdict(`/many?n=${MAX_TAGS - 5}`);
    expect(await verdict(`/many?n=${MAX_TAGS - 5}`)).toBe('MISS');
  });

  it('stays quick where a handler adds tags without end', async () => {
    const before = performance.now();
    expect((await running.request('/many?n=200000')).status).toBe(200);
    expect(performance.now() - before).toBeLessThan(5_000);
    expect(await verdict('/many?n=200000')).toBe('MISS');
  });

  it.each([
    ['ttl', 'CacheContext.ttl(0); allowed: a duration'],
    ['seconds', 'CacheContext.ttl("5"); allowed: a duration'],
    ['tag', 'CacheContext.tag(""); allowed: non-empty strings'],
    ['undefined', 'CacheContext.tag(undefined); allowed: non-empty strings'],
  ])('rejects a wrong %s with an error that names it', async (what, message) => {
    const { text } = await running.request(`/wrong?what=${what}`);
    expect(JSON.parse(text)).toMatchObject({
      code: 'CACHING_USAGE',
      message: expect.stringContaining(message) as string,
    });
  });

  it('does nothing outside of a request, on an uncached route, and on a bypass', async () => {
    quotes.cache.noStore();
    quotes.cache.ttl('1h');
    quotes.cache.tag('one');
    expect(await quotes.quote('1')).toBe(1);
    expect((await running.request('/uncached')).status).toBe(200);
    expect((await running.request('/delayed?nocache=1')).cacheStatus).toContain('detail=unless');
    await verdict('/parameter/plain');
    expect(await verdict('/parameter/plain')).toBe('HIT');
  });

  it('does nothing once the response has gone, and harms none that is stored', async () => {
    await verdict('/afterwards');
    expect(await verdict('/afterwards')).toBe('HIT');
    streaming.open();
    await turns(5);
    await evictions.byTag('afterwards');
    expect(await verdict('/afterwards')).toBe('HIT');
  });

  describe('while a stream is being sent', () => {
    const send = async (what: string): Promise<void> => {
      const sending = running.request(`/stream/${what}`);
      await eventually(() => streaming.arrived > 0, 'the stream has begun');
      streaming.open();
      await sending;
    };

    it('still tags the response', async () => {
      await send('tag');
      expect(await verdict('/stream/tag')).toBe('HIT');
      await evictions.byTag('late');
      expect(await verdict('/stream/tag')).toBe('MISS');
    });

    it('still keeps it out of the cache', async () => {
      await send('no-store');
      expect(await verdict('/stream/no-store')).toBe('MISS');
      await send('many');
      expect(await verdict('/stream/many')).toBe('MISS');
    });

    it('still decides how long it is kept', async () => {
      await send('ttl');
      expect(await verdict('/stream/ttl')).toBe('HIT');
      running.clock.advance(10_000);
      expect(await verdict('/stream/ttl')).toBe('MISS');
    });
  });
});

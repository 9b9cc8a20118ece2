import {
  Controller,
  Get,
  Header,
  HttpCode,
  NotFoundException,
  Param,
  Res,
  StreamableFile,
} from '@nestjs/common';
import {
  CacheContext,
  CacheEvictionService,
  CacheView,
  type FilteredResponse,
  type SkipReason,
} from 'nestjs-caching';
import type { Response } from 'express';
import type { FastifyReply } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { wireRequest } from '../support/wire.js';

type AnyResponse = Response & FastifyReply;

/** Response fields that keep a response out of the cache. */
const FIELDS: readonly (readonly [name: string, value: string, reason: SkipReason])[] = [
  ['Set-Cookie', 'a=b', 'set-cookie'],
  ['Set-Cookie2', 'a=b', 'set-cookie'],
  ['Cache-Control', 'no-store', 'no-store'],
  ['Cache-Control', 'max-age=5, No-Store', 'no-store'],
  ['Cache-Control', 'private', 'private'],
  ['Cache-Control', 'private="x-field, y-field", max-age=5', 'private'],
  ['Cache-Control', 'no-cache', 'no-cache'],
  ['Cache-Control', 'max-age=0', 'stale'],
  ['Expires', '0', 'stale'],
  ['CDN-Cache-Control', 'private', 'private'],
  ['Vary', '*', 'vary'],
  ['Vary', 'Accept, *', 'vary'],
  ['Vary', 'not a token', 'vary'],
  ['Vary', Array.from({ length: 100 }, (_, at) => `X-${at}`).join(', '), 'vary'],
  ['Content-Range', 'bytes 0-1/2', 'partial'],
  ['Content-Encoding', 'x-own', 'encoded'],
];

/** And some that don't, though they look like it. */
const HARMLESS: readonly (readonly [name: string, value: string])[] = [
  ['Cache-Control', 'public, max-age=60'],
  ['Cache-Control', 'no-store, must-understand'],
  ['CDN-Cache-Control', 'private=1'],
  ['Cache-Control', 'max-age=5, ext="private, no-store"'],
  ['Vary', 'Accept-Language'],
  ['Vary', 'accept-language, ACCEPT-LANGUAGE'],
  ['Vary', 'X-Uncovered'],
];

describe.each(PLATFORMS)('whether a response is stored on %s', (platform) => {
  let runs: number;
  let field: readonly [string, string];
  let running: RunningApplication;

  beforeEach(async () => {
    runs = 0;
    @Controller()
    class ResponsesController {
      constructor(private readonly evictions: CacheEvictionService) {}

      @Get('field') @CacheView({ vary: ['accept-language'] }) field(
        @Res({ passthrough: true }) response: AnyResponse,
      ) {
        response.header(...field);
        return { run: ++runs };
      }

      @Get('status') @HttpCode(202) @CacheView() status() {
        return { run: ++runs };
      }

      @Get('partial') @HttpCode(206) @CacheView() partial() {
        return { run: ++runs };
      }

      @Get('not-modified') @HttpCode(304) @CacheView() notModified() {
        runs += 1;
      }

      @Get('handler') @CacheView() handler(@CacheContext() cache: CacheContext) {
        cache.noStore();
        return { run: ++runs };
      }

      @Get('filter') @CacheView({ filter: () => false }) filter() {
        return { run: ++runs };
      }

      @Get('too-large') @CacheView({ maxEntryBytes: 5 }) tooLarge() {
        return { run: ++runs };
      }

      @Get('evicted') @CacheView({ tags: ['own'] }) async evicted() {
        runs += 1;
        await this.evictions.byTag('own');
        return { run: runs };
      }

      @Get('trailers') @CacheView() trailers(@Res() response: AnyResponse) {
        const node = platform === 'express' ? response : response.raw;
        node.setHeader('Trailer', 'x-sum');
        node.write(`run ${++runs}`);
        node.addTrailers({ 'x-sum': '1' });
        node.end();
      }

      @Get('private-error') @CacheView({ statuses: [404] }) privateError(
        @Res({ passthrough: true }) response: AnyResponse,
      ) {
        response.header('Cache-Control', 'no-store');
        runs += 1;
        throw new NotFoundException();
      }
    }
    running = await startApplication(platform, { controllers: [ResponsesController] });
  });

  afterEach(() => running.close());

  const twice = async (target: string) => {
    const first = await wireRequest(running.port, target);
    const second = await wireRequest(running.port, target);
    return { first, second, statuses: [first.cacheStatus, second.cacheStatus] };
  };
  const skipped = (reason: SkipReason, handler: string) => {
    const event = { route: `ResponsesController.${handler}`, reason };
    return [event, event];
  };
  const skips = () =>
    running.events.flatMap((event) =>
      event.type === 'skipped' ? [{ route: event.route, reason: event.reason }] : [],
    );

  it.each(FIELDS)(
    '%s: %s keeps it out, and Cache-Status and the event say why',
    async (name, value, reason) => {
      field = [name, value];
      const { statuses, second } = await twice('/field');
      const status = `nestjs-caching; fwd=uri-miss; detail=${reason}`;
      expect(statuses).toEqual([status, status]);
      expect(second.text).toBe('{"run":2}');
      expect(skips()).toEqual(skipped(reason, 'field'));
    },
  );

  it.each(HARMLESS)('%s: %s does not', async (name, value) => {
    field = [name, value];
    const { second } = await twice('/field');
    expect([second.verdict, second.text]).toEqual(['HIT', '{"run":1}']);
    expect(skips()).toEqual([]);
  });

  it.each([
    ['status', 'status', 'status'],
    ['partial', 'partial', 'partial'],
    ['not-modified', 'not-modified', 'notModified'],
    ['handler', 'handler', 'handler'],
    ['filter', 'filter', 'filter'],
    ['too-large', 'too-large', 'tooLarge'],
    ['evicted', 'evicted', 'evicted'],
    ['trailers', 'encoded', 'trailers'],
    ['private-error', 'no-store', 'privateError'],
  ] as const)('/%s is not, for the reason %s', async (target, reason, handler) => {
    const { statuses } = await twice(`/${target}`);
    const status = `nestjs-caching; fwd=uri-miss; detail=${reason}`;
    expect(statuses).toEqual([status, status]);
    expect(skips()).toEqual(skipped(reason, handler));
    expect(running.events.filter(({ type }) => type === 'stored')).toEqual([]);
    expect(runs).toBe(2);
  });
});

describe.each(PLATFORMS)('the statuses that are stored on %s', (platform) => {
  let runs: number;
  let running: RunningApplication;

  beforeEach(async () => {
    runs = 0;
    @Controller()
    class StatusesController {
      @Get('default/:status') @CacheView() byDefault(
        @Param('status') status: string,
        @Res({ passthrough: true }) response: AnyResponse,
      ) {
        runs += 1;
        response.status(Number(status));
        return { status };
      }

      @Get('list/:status') @CacheView({ ttl: '7s', statuses: [404, 410] }) list(
        @Param('status') status: string,
        @Res({ passthrough: true }) response: AnyResponse,
      ) {
        response.status(Number(status));
        return { status };
      }

      @Get('times/:status') @CacheView({ ttl: '1h', statuses: { 200: '10s', 404: 2_000 } }) times(
        @Param('status') status: string,
        @Res({ passthrough: true }) response: AnyResponse,
      ) {
        response.status(Number(status));
        return { status };
      }

      @Get('chosen') @CacheView({ statuses: { 200: '10s' } }) chosen(@CacheContext() cache: CacheContext) {
        cache.ttl('3s');
        return 'chosen';
      }
    }
    running = await startApplication(platform, { controllers: [StatusesController] });
  });

  afterEach(() => running.close());

  const storedFor = async (target: string): Promise<string> => {
    const { cacheStatus } = await wireRequest(running.port, target);
    return cacheStatus?.replace('nestjs-caching; fwd=uri-miss; ', '') ?? 'nothing';
  };

  it('are 200 and 203 by default', async () => {
    expect(await storedFor('/default/200')).toBe('stored; ttl=300');
    expect(await storedFor('/default/203')).toBe('stored; ttl=300');
    for (const status of [201, 202, 302, 400, 404, 410, 500, 503]) {
      expect(await storedFor(`/default/${status}`)).toBe('detail=status');
    }
  });

  it('are those of the list, which replaces the default', async () => {
    expect(await storedFor('/list/404')).toBe('stored; ttl=7');
    expect(await storedFor('/list/410')).toBe('stored; ttl=7');
    expect(await storedFor('/list/200')).toBe('detail=status');
  });

  it('each live as long as they are given', async () => {
    expect(await storedFor('/times/200')).toBe('stored; ttl=10');
    expect(await storedFor('/times/404')).toBe('stored; ttl=2');
    expect(await storedFor('/times/203')).toBe('detail=status');
    running.clock.advance(2_000);
    expect((await wireRequest(running.port, '/times/404')).verdict).toBe('MISS');
    expect((await wireRequest(running.port, '/times/200')).verdict).toBe('HIT');
    running.clock.advance(8_000);
    expect((await wireRequest(running.port, '/times/200')).verdict).toBe('MISS');
  });

  it('give way to the time that the handler chose', async () => {
    expect(await storedFor('/chosen')).toBe('stored; ttl=3');
  });
});

describe.each(PLATFORMS)('a filter callback on %s', (platform) => {
  let runs: number;
  let seen: FilteredResponse[];
  let answer: () => unknown;
  let running: RunningApplication;

  beforeEach(async () => {
    runs = 0;
    seen = [];
    answer = () => true;
    const filter = (response: FilteredResponse): boolean => {
      seen.push(response);
      return answer() as boolean;
    };
    @Controller()
    class FilteredController {
      @Get('value') @Header('X-Static', 'one') @CacheView({ filter }) value() {
        return { run: ++runs };
      }

      @Get('stream') @CacheView({ filter }) stream() {
        runs += 1;
        return new StreamableFile(Buffer.from('streamed'));
      }

      @Get('empty-stream') @CacheView({ filter }) emptyStream() {
        runs += 1;
        return new StreamableFile(Buffer.from(''));
      }

      @Get('later') @CacheView({ filter }) later(@Res() response: AnyResponse) {
        runs += 1;
        const node = platform === 'express' ? response : response.raw;
        setImmediate(() => node.end('later'));
      }

      @Get('error') @CacheView({ filter, statuses: [404] }) error() {
        runs += 1;
        throw new NotFoundException();
      }

      @Get('unstored') @CacheView({ filter }) unstored() {
        throw new NotFoundException();
      }
    }
    running = await startApplication(platform, { controllers: [FilteredController] });
  });

  afterEach(() => running.close());

  it('sees status, fields and body as they are sent', async () => {
    await wireRequest(running.port, '/value');
    expect(seen).toHaveLength(1);
    expect(seen[0]?.status).toBe(200);
    expect(seen[0]?.headers['x-static']).toBe('one');
    expect(seen[0]?.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(seen[0]?.body.toString()).toBe('{"run":1}');
    expect((await wireRequest(running.port, '/value')).verdict).toBe('HIT');
    expect(seen).toHaveLength(1);
  });

  it('sees the whole of a stream', async () => {
    await wireRequest(running.port, '/stream');
    expect(seen[0]?.body.toString()).toBe('streamed');
    expect((await wireRequest(running.port, '/stream')).verdict).toBe('HIT');
  });

  it('is not asked about what would not be kept anyway', async () => {
    await wireRequest(running.port, '/unstored');
    expect(seen).toEqual([]);
  });

  const failures: readonly (readonly [string, () => unknown, string])[] = [
    [
      'throws',
      () => {
        throw new Error('no idea');
      },
      'failed: no idea',
    ],
    ['returns nothing', () => undefined, 'returned undefined; allowed: true or false'],
    ['returns a promise', () => Promise.resolve(true), 'returned a promise; allowed: true or false'],
    ['returns a text', () => 'yes', 'returned "yes"; allowed: true or false'],
  ];

  it.each(failures)(
    'that %s fails the request, naming itself and the route, and nothing is kept',
    async (_what, given, problem) => {
      answer = given;
      const failed = await wireRequest(running.port, '/value');
      expect(failed.status).toBe(500);
      expect(failed.text).not.toContain('"run"');
      expect(running.logger.errors.join()).toContain(
        `The filter callback of FilteredController.value ${problem}`,
      );
      answer = () => true;
      const next = await wireRequest(running.port, '/value');
      expect([next.status, next.verdict]).toEqual([200, 'MISS']);
      expect(runs).toBe(2);
    },
  );

  it.each(['stream', 'emptyStream', 'later'])(
    'that throws when %s has left is logged, the response is whole, and nothing is kept',
    async (handler) => {
      answer = failures[0]?.[1] as () => unknown;
      const target = `/${handler === 'emptyStream' ? 'empty-stream' : handler}`;
      const response = await wireRequest(running.port, target);
      expect([response.status, response.complete]).toEqual([200, true]);
      expect(running.logger.errors.join()).toContain(
        `The filter callback of FilteredController.${handler} failed: no idea`,
      );
      expect(running.events.at(-1)).toMatchObject({ type: 'skipped', reason: 'filter' });
      answer = () => true;
      expect((await wireRequest(running.port, target)).verdict).toBe('MISS');
      expect(runs).toBe(2);
    },
  );

  it('that throws over an error’s response gives a 500 and keeps nothing', async () => {
    answer = failures[0]?.[1] as () => unknown;
    expect((await wireRequest(running.port, '/error')).status).toBe(500);
    answer = () => true;
    expect((await wireRequest(running.port, '/error')).verdict).toBe('MISS');
    expect(runs).toBe(2);
  });
});

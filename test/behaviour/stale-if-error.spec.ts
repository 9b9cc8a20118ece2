import {
  type ArgumentsHost,
  Catch,
  Controller,
  type ExceptionFilter,
  Get,
  Header,
  HttpException,
  Res,
  StreamableFile,
  UseFilters,
} from '@nestjs/common';
import { CacheEvictionService, CacheInspector, CacheView } from 'nestjs-caching';
import type { Response } from 'express';
import type { FastifyReply } from 'fastify';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { eventually, Gate } from '../support/gate.js';

type AnyResponse = Response & FastifyReply;

const STALE = { ttl: '10s', staleIfError: '10m' } as const;

class Gone extends Error {}

/** As the documentation of Nest writes them: past the adapter. */
@Catch()
class OwnFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<AnyResponse>();
    response.header('x-filter', 'own');
    response.status(error instanceof Gone ? 404 : 502).send({ filtered: true });
  }
}

describe.each(PLATFORMS)('stale-if-error on %s', (platform) => {
  let running: RunningApplication;
  let runs: number;
  /** What the handler does: answers, fails with a status, or throws. */
  let behaviour: 'answer' | number | Error;
  let control: string | undefined;
  let gate: Gate | undefined;

  const answer = async () => {
    const run = ++runs;
    await gate?.pass();
    if (typeof behaviour === 'number') throw new HttpException('failed', behaviour);
    if (behaviour instanceof Error) throw behaviour;
    return { run };
  };

  @Controller('views')
  class ViewsController {
    @Get('list') @CacheView({ ...STALE, tags: ['list'] }) list(
      @Res({ passthrough: true }) response: AnyResponse,
    ) {
      if (control !== undefined) response.header('Cache-Control', control);
      return answer();
    }

    @Get('filtered') @UseFilters(OwnFilter) @CacheView(STALE) filtered() {
      return answer();
    }

    @Get('raw') @CacheView(STALE) async raw(@Res() response: AnyResponse) {
      const run = ++runs;
      await gate?.pass();
      if (behaviour !== 'answer') response.status(503).header('x-failed', '1').send({ failed: true });
      else response.send({ run });
    }

    @Get('in-parts') @CacheView(STALE) inParts(@Res() response: AnyResponse) {
      const run = ++runs;
      const node = (response.raw ?? response) as Response;
      if (platform === 'fastify') response.hijack();
      if (behaviour !== 'answer') {
        node.statusCode = 500;
        node.write('failed ');
        node.end('badly');
      } else node.end(`run ${run}`);
    }

    @Get('stream') @CacheView(STALE) stream(@Res({ passthrough: true }) response: AnyResponse) {
      const run = ++runs;
      if (behaviour !== 'answer') response.status(500);
      return new StreamableFile(Readable.from([Buffer.from(`run ${run}`)]));
    }

    @Get('negative') @CacheView({ ...STALE, statuses: { 200: '10s', 503: '5s' } }) negative() {
      return answer();
    }

    @Get('said') @Header('cache-control', 'max-age=10, stale-if-error=60') @CacheView('1h') said() {
      return answer();
    }

    @Get('first-one-then-the-other')
    @CacheView({ ttl: '10s', staleWhileRevalidate: '10s', staleIfError: '20s' })
    firstOneThenTheOther() {
      return answer();
    }

    @Get('soft') @CacheView({ ...STALE, softTimeout: '200ms' }) soft() {
      return answer();
    }

    @Get('one/:id') @CacheView(STALE) one() {
      return answer();
    }
  }

  beforeEach(async () => {
    runs = 0;
    behaviour = 'answer';
    control = undefined;
    gate = undefined;
    running = await startApplication(platform, { controllers: [ViewsController] });
  });

  afterEach(async () => {
    gate?.open();
    await running.close();
  });

  const get = (target: string, options = {}) => running.request(target, options);

  /** Fills, lets the entry become stale, and has the handler fail from then on. */
  const failAfter = async (target: string, failure: number | Error = 503, seconds = 12) => {
    const first = await get(target);
    running.clock.advance(seconds * 1_000);
    behaviour = failure;
    return first;
  };

  it.each([500, 502, 503, 504])('answers with what is stored in place of a %i', async (status) => {
    const first = await failAfter('/views/list', status);
    const stale = await get('/views/list');
    expect([stale.status, stale.text, stale.verdict]).toEqual([200, '{"run":1}', 'STALE']);
    expect(stale.cacheStatus).toBe(`nestjs-caching; fwd=stale; fwd-status=${status}; detail=stale-if-error`);
    expect(stale.headers.age).toBe('12');
    expect([stale.headers.etag, stale.headers['content-type']]).toEqual([
      first.headers.etag,
      first.headers['content-type'],
    ]);
    expect(runs).toBe(2);
    expect(running.events).toContainEqual(expect.objectContaining({ type: 'stale', reason: 'if-error' }));
  });

  it.each([400, 401, 403, 404, 410, 429, 501])('lets a %i pass, which is an answer', async (status) => {
    await failAfter('/views/list', status);
    expect((await get('/views/list')).status).toBe(status);
  });

  it('answers in place of an error that was thrown, which the exception filters have seen', async () => {
    await failAfter('/views/list', new Error('no database'));
    expect((await get('/views/list')).text).toBe('{"run":1}');
    expect(running.logger.errors.join('\n')).toContain('no database');
  });

  it('answers in place of what filters made of an error, and leaves to them what is none', async () => {
    await failAfter('/views/filtered', new Error('broken'));
    const stale = await get('/views/filtered');
    expect([stale.status, stale.text, stale.headers['x-filter']]).toEqual([200, '{"run":1}', undefined]);
    running.clock.advance(1_000);
    behaviour = new Gone();
    const gone = await get('/views/filtered');
    expect([gone.status, gone.headers['x-filter']]).toEqual([404, 'own']);
  });

  it.each(['/views/raw', '/views/in-parts', '/views/stream'])(
    'answers in place of a failure that %s writes itself',
    async (target) => {
      const first = await failAfter(target);
      const stale = await get(target);
      expect([stale.status, stale.text, stale.headers['x-failed']]).toEqual([200, first.text, undefined]);
      expect(stale.headers['content-type']).toBe(first.headers['content-type']);
      expect(runs).toBe(2);
    },
  );

  it('answers conditional requests from what is stored', async () => {
    const first = await failAfter('/views/list');
    const same = await get('/views/list', { headers: { 'if-none-match': first.headers.etag } });
    expect([same.status, same.text, same.verdict]).toEqual([304, '', 'STALE']);
  });

  it('gives the error to the client where nothing is stored', async () => {
    behaviour = 503;
    expect((await get('/views/list')).status).toBe(503);
  });

  it('is over at the end of its time, counted from when the response became stale', async () => {
    await failAfter('/views/list', 503, 609);
    expect((await get('/views/list')).status).toBe(200);
    running.clock.advance(1_000);
    expect((await get('/views/list')).status).toBe(503);
  });

  it('never answers with what was evicted, also while the handler was running', async () => {
    await failAfter('/views/list');
    gate = new Gate();
    const pending = get('/views/list');
    await eventually(() => runs === 2, 'the handler runs');
    await running.app.get(CacheEvictionService).byTag('list');
    gate.open();
    expect((await pending).status).toBe(503);
  });

  it.each(['must-revalidate, max-age=10', 'proxy-revalidate, max-age=10', 's-maxage=10'])(
    'is forbidden by a response that says %s',
    async (said) => {
      control = said;
      await failAfter('/views/list');
      expect((await get('/views/list')).status).toBe(503);
    },
  );

  it('follows the response where the route says nothing', async () => {
    await failAfter('/views/said');
    expect((await get('/views/said')).verdict).toBe('STALE');
  });

  it('leaves a failure that the route stores in its place', async () => {
    await failAfter('/views/negative');
    gate = new Gate();
    const pending = [get('/views/negative'), get('/views/negative')];
    const misses = () => running.events.filter(({ type }) => type === 'miss').length;
    await eventually(() => misses() === 3, 'one runs the handler, one waits');
    gate.open();
    expect((await Promise.all(pending)).map(({ status }) => status)).toEqual([503, 503]);
    expect((await get('/views/negative')).verdict).toBe('HIT');
  });

  it('answers those who waited for the handler that failed', async () => {
    await failAfter('/views/list');
    gate = new Gate();
    const pending = Array.from({ length: 20 }, () => get('/views/list'));
    const misses = () => running.events.filter(({ type }) => type === 'miss').length;
    await eventually(() => misses() === 21, 'all of them have missed');
    gate.open();
    const answers = await Promise.all(pending);
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`))).toEqual(
      new Set(['200 {"run":1}']),
    );
    expect(runs).toBe(2);
  });

  it('answers the leader and those who wait where the handler has not answered by the deadline', async () => {
    await failAfter('/views/list');
    gate = new Gate();
    const pending = [get('/views/list'), get('/views/list')];
    const misses = () => running.events.filter(({ type }) => type === 'miss').length;
    await eventually(() => misses() === 3 && runs === 2, 'one runs the handler, one waits');
    running.clock.advance(30_000);
    const answers = await Promise.all(pending);
    expect(answers.map(({ text, verdict }) => [text, verdict])).toEqual([
      ['{"run":1}', 'STALE'],
      ['{"run":1}', 'STALE'],
    ]);
    expect(answers[0]?.cacheStatus).toBe('nestjs-caching; fwd=stale; detail=stale-if-error');
    expect(runs).toBe(2);
  });

  it('tries a key whose handler fails less and less often, and says so', async () => {
    await failAfter('/views/list');
    const tries: number[] = [];
    const told: (string | undefined)[] = [];
    for (let second = 0; second < 40; second++) {
      const before = runs;
      const stale = await get('/views/list');
      expect(stale.text).toBe('{"run":1}');
      if (runs > before) tries.push(second);
      else told.push(stale.cacheStatus);
      running.clock.advance(1_000);
    }
    expect(told[0]).toBe('nestjs-caching; hit; ttl=-4; detail=stale-if-error');
    expect(told).toHaveLength(33);
    expect(tries).toEqual([0, 1, 3, 7, 15, 25, 35]);
    behaviour = 'answer';
    running.clock.advance(10_000);
    expect((await get('/views/list')).verdict).toBe('MISS');
    expect((await get('/views/list')).verdict).toBe('HIT');
  });

  it('tries no more than ten keys of a route a second while its handler fails', async () => {
    const targets = Array.from({ length: 50 }, (_, at) => `/views/one/${at}`);
    for (const target of targets) await get(target);
    running.clock.advance(12_000);
    behaviour = 503;
    for (const target of targets) expect((await get(target)).status).toBe(200);
    // The first one tells that the route fails.
    expect(runs).toBe(50 + 1 + 10);
    running.clock.advance(1_000);
    for (const target of targets) expect((await get(target)).status).toBe(200);
    expect(runs).toBe(50 + 1 + 10 + 10);
  });

  it('is explained', async () => {
    const url = '/views/first-one-then-the-other';
    await get(url);
    const said: string[] = [];
    for (let phase = 0; phase < 3; phase++) {
      said.push((await running.app.get(CacheInspector).explain({ url })).because);
      running.clock.advance(10_000);
    }
    expect(said).toEqual([
      'It is stored and fresh.',
      'It is stored, and no longer fresh: it answers, and is renewed in the background.',
      'It is stored, and no longer fresh: the handler runs, and where it fails what is stored answers.',
    ]);
    expect(runs).toBe(1);
  });

  it('answers with what is stored after the soft deadline, and stores what comes late', async () => {
    await get('/views/soft');
    running.clock.advance(12_000);
    gate = new Gate();
    const pending = get('/views/soft');
    await eventually(() => runs === 2, 'the handler runs');
    running.clock.advance(200);
    const stale = await pending;
    expect([stale.text, stale.verdict]).toEqual(['{"run":1}', 'STALE']);
    expect(stale.cacheStatus).toBe('nestjs-caching; hit; ttl=-2; detail=soft-timeout');
    gate.open();
    await eventually(
      () => running.events.filter(({ type }) => type === 'stored').length === 2,
      'the late response is stored',
    );
    const late = await get('/views/soft');
    expect([late.text, late.verdict]).toEqual(['{"run":2}', 'HIT']);
    expect(runs).toBe(2);
  });

  it('answers with the new response where that comes before the soft deadline', async () => {
    await get('/views/soft');
    running.clock.advance(12_000);
    const [one, other] = await Promise.all([get('/views/soft'), get('/views/soft')]);
    expect([one.text, other.text]).toEqual(['{"run":2}', '{"run":2}']);
    expect(one.cacheStatus).toBe('nestjs-caching; fwd=stale; collapsed');
    expect(runs).toBe(2);
  });

  it('answers with what is stored where the handler fails before the soft deadline', async () => {
    await failAfter('/views/soft');
    expect((await get('/views/soft')).text).toBe('{"run":1}');
    behaviour = 404;
    running.clock.advance(1_000);
    expect((await get('/views/soft')).status).toBe(404);
  });
});

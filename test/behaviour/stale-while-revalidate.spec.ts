import {
  Body,
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  Headers,
  HttpCode,
  HttpException,
  Post,
  Res,
  UseGuards,
} from '@nestjs/common';
import {
  CacheEvictionService,
  CacheView,
  formBody,
  headers,
  isCacheRefresh,
  jsonBody,
  query,
} from 'nestjs-caching';
import type { IncomingHttpHeaders } from 'node:http';
import type { Response } from 'express';
import type { FastifyReply } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { eventually, Gate, turns } from '../support/gate.js';

type AnyResponse = Response & FastifyReply;

const STALE = { ttl: '10s', staleWhileRevalidate: '1m' } as const;

class MembersOnly implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return (
      context.switchToHttp().getRequest<{ headers: IncomingHttpHeaders }>().headers.authorization === 'member'
    );
  }
}

class TrustsRefreshes extends MembersOnly {
  override canActivate(context: ExecutionContext): boolean {
    return isCacheRefresh(context.switchToHttp().getRequest<object>()) || super.canActivate(context);
  }
}

describe.each(PLATFORMS)('stale-while-revalidate on %s', (platform) => {
  let running: RunningApplication;
  let runs: number;
  let status: number;
  let control: string | undefined;
  let gate: Gate | undefined;
  let identities: (string | undefined)[];

  const answer = async () => {
    const run = ++runs;
    await gate?.pass();
    if (status !== 200) throw new HttpException('not now', status);
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

    @Get('never') @CacheView({ ttl: '10s', staleWhileRevalidate: false }) never(
      @Res({ passthrough: true }) response: AnyResponse,
    ) {
      response.header('Cache-Control', 'max-age=10, stale-while-revalidate=60');
      return answer();
    }

    @Get('said') @CacheView({ ttl: '1h' }) said(@Res({ passthrough: true }) response: AnyResponse) {
      response.header('Cache-Control', 'max-age=10, stale-while-revalidate=60');
      return answer();
    }

    @Get('raw') @CacheView(STALE) raw(@Res() response: AnyResponse) {
      response.send(`run ${++runs}`);
    }

    @Get('by-language') @CacheView({ ...STALE, key: [query(), headers('accept-language')] }) byLanguage() {
      return answer();
    }

    @Get('learned') @CacheView({ ...STALE, inputs: 'reviewed' }) async learned(
      @Headers('accept-language') language: string,
      @Res({ passthrough: true }) response: AnyResponse,
    ) {
      response.header('Vary', 'Accept-Language');
      return { ...(await answer()), language };
    }

    @Get('mine') @CacheView({ ...STALE, scope: ({ headers: given }) => given.authorization }) mine() {
      return answer();
    }

    @Post('search') @HttpCode(200) @CacheView({ ...STALE, key: jsonBody() }) async search(
      @Body() body: unknown,
    ) {
      return { ...(await answer()), body };
    }

    @Post('quote') @HttpCode(200) @CacheView({ ...STALE, key: formBody() }) async quote(
      @Body() body: unknown,
    ) {
      return { ...(await answer()), body };
    }

    @Get('members') @UseGuards(MembersOnly) @CacheView({ ...STALE, scope: 'public' }) members() {
      return answer();
    }

    @Get('trusting') @UseGuards(TrustsRefreshes) @CacheView({ ...STALE, scope: 'public' }) trusting() {
      return answer();
    }

    @Get('heeding') @CacheView({ ...STALE, honourRequestCacheControl: true }) heeding() {
      return answer();
    }

    @Get('ahead') @CacheView({ ttl: '10s', refreshAhead: 0.8, tags: ['ahead'] }) ahead() {
      return answer();
    }
  }

  beforeEach(async () => {
    runs = 0;
    status = 200;
    control = undefined;
    gate = undefined;
    identities = [];
    running = await startApplication(platform, {
      controllers: [ViewsController],
      setUp: (app) => {
        app.use((request: { headers: Record<string, string> }, _response: unknown, next: () => void) => {
          identities.push(request.headers.authorization ?? request.headers.cookie);
          next();
        });
      },
    });
  });

  afterEach(async () => {
    gate?.open();
    await running.close();
  });

  const outcomes = (): string[] =>
    running.events.flatMap((event) => (event.type === 'refresh' ? [event.outcome] : []));
  const refreshed = async (times = 1): Promise<void> => {
    await eventually(
      () => outcomes().filter((outcome) => outcome !== 'started').length >= times,
      `${times} refreshes have ended`,
    );
  };
  const get = (target: string, options = {}) => running.request(target, options);

  it('answers with the stale response at once, and renews it in the background', async () => {
    await get('/views/list');
    running.clock.advance(12_000);
    gate = new Gate();
    const stale = await get('/views/list');
    expect([stale.status, stale.text, stale.verdict]).toEqual([200, '{"run":1}', 'STALE']);
    expect(stale.cacheStatus).toBe('nestjs-caching; hit; ttl=-2; detail=stale-while-revalidate');
    expect(stale.headers.age).toBe('12');
    await eventually(() => runs === 2, 'the handler runs in the background');
    gate.open();
    await refreshed();
    const renewed = await get('/views/list');
    expect([renewed.text, renewed.verdict, renewed.headers.age]).toEqual(['{"run":2}', 'HIT', '0']);
    expect(running.events).toContainEqual(
      expect.objectContaining({ type: 'stale', reason: 'while-revalidate' }),
    );
    expect(outcomes()).toEqual(['started', 'stored']);
  });

  it('renews once however many ask meanwhile', async () => {
    await get('/views/list');
    running.clock.advance(10_000);
    gate = new Gate();
    const answers = await Promise.all(Array.from({ length: 50 }, () => get('/views/list')));
    expect(new Set(answers.map(({ verdict }) => verdict))).toEqual(new Set(['STALE']));
    await eventually(() => runs === 2, 'one renewal');
    await get('/views/list');
    gate.open();
    await refreshed();
    expect(runs).toBe(2);
  });

  it('is over at the end of its time, counted from when the response became stale', async () => {
    await get('/views/list');
    running.clock.advance(69_999);
    gate = new Gate();
    expect((await get('/views/list')).verdict).toBe('STALE');
    await eventually(() => runs === 2, 'it is being renewed');
    running.clock.advance(1);
    const waiting = get('/views/list');
    await eventually(() => running.events.at(-1)?.type === 'miss', 'the next one waits for the renewal');
    gate.open();
    const after = await waiting;
    expect([after.text, after.verdict]).toEqual(['{"run":2}', 'MISS']);
    expect(runs).toBe(2);
  });

  it('leaves the stale response where renewing fails, and tries less and less often', async () => {
    await get('/views/list');
    running.clock.advance(10_000);
    status = 503;
    const tries: number[] = [];
    for (let second = 0; second < 40; second++) {
      const before = runs;
      expect((await get('/views/list')).text).toBe('{"run":1}');
      await eventually(() => outcomes().length % 2 === 0, 'what was started has ended');
      if (runs > before) tries.push(second);
      running.clock.advance(1_000);
    }
    expect(tries).toEqual([0, 1, 3, 7, 15, 25, 35]);
    expect(outcomes()).toContain('skipped');
    status = 200;
    running.clock.advance(10_000);
    await get('/views/list');
    await refreshed(8);
    expect((await get('/views/list')).text).toBe(`{"run":${runs}}`);
  });

  it.each([401, 403])('leaves the stale response where the renewal is answered %i', async (refusal) => {
    await get('/views/list');
    running.clock.advance(10_000);
    status = refusal;
    await get('/views/list');
    await refreshed();
    expect((await get('/views/list')).text).toBe('{"run":1}');
    expect(runs).toBe(2);
  });

  it('never answers with what was evicted', async () => {
    await get('/views/list');
    running.clock.advance(10_000);
    await running.app.get(CacheEvictionService).byTag('list');
    const after = await get('/views/list');
    expect([after.text, after.verdict]).toEqual(['{"run":2}', 'MISS']);
  });

  it('answers with what was softly evicted, and renews it', async () => {
    await get('/views/list');
    running.clock.advance(2_000);
    const receipt = await running.app.get(CacheEvictionService).byTag('list', { soft: true });
    expect(receipt).toMatchObject({ acknowledged: true, stamp: 1 });
    running.clock.advance(1_000);
    const stale = await get('/views/list');
    expect([stale.text, stale.cacheStatus]).toEqual([
      '{"run":1}',
      'nestjs-caching; hit; ttl=-1; detail=stale-while-revalidate',
    ]);
    await refreshed();
    const renewed = await get('/views/list');
    expect([renewed.text, renewed.verdict]).toEqual(['{"run":2}', 'HIT']);
    expect(running.events).toContainEqual(expect.objectContaining({ type: 'evicted', soft: true }));
  });

  it('ends a soft eviction where the time of what was stale is over, and where it is evicted after all', async () => {
    await get('/views/list');
    await running.app.get(CacheEvictionService).byTag('list', { soft: true });
    running.clock.advance(60_000);
    expect((await get('/views/list')).text).toBe('{"run":2}');
    await running.app.get(CacheEvictionService).byTag('list', { soft: true });
    await running.app.get(CacheEvictionService).byTag('list');
    expect((await get('/views/list')).text).toBe('{"run":3}');
  });

  it('runs the handler after a soft eviction of what may not be served stale', async () => {
    await get('/views/ahead');
    await running.app.get(CacheEvictionService).byTag('ahead', { soft: true });
    expect((await get('/views/ahead')).text).toBe('{"run":2}');
  });

  it('takes what was being made during a soft eviction for stale', async () => {
    gate = new Gate();
    const pending = get('/views/list');
    await eventually(() => runs === 1, 'the handler runs');
    await running.app.get(CacheEvictionService).byTag('list', { soft: true });
    gate.open();
    expect((await pending).text).toBe('{"run":1}');
    expect((await get('/views/list')).verdict).toBe('STALE');
    await refreshed();
    expect((await get('/views/list')).text).toBe('{"run":2}');
  });

  it.each([{ soft: 'yes' }, { hard: true }])('refuses %j as a way to evict', async (options) => {
    const evicting = running.app.get(CacheEvictionService).byTag('list', options as { soft: boolean });
    await expect(evicting).rejects.toThrow('byTag: option');
  });

  it('loses against an eviction during the renewal', async () => {
    await get('/views/list');
    running.clock.advance(10_000);
    gate = new Gate();
    await get('/views/list');
    await eventually(() => runs === 2, 'it is being renewed');
    await running.app.get(CacheEvictionService).byTag('list');
    const held = gate;
    gate = undefined;
    const after = await get('/views/list');
    expect([after.text, after.verdict]).toEqual(['{"run":3}', 'MISS']);
    held.open();
    await refreshed();
    expect((await get('/views/list')).text).toBe('{"run":3}');
  });

  it.each(['must-revalidate, max-age=10', 'proxy-revalidate, max-age=10', 's-maxage=10'])(
    'is forbidden by a response that says %s',
    async (said) => {
      control = said;
      await get('/views/list');
      running.clock.advance(10_000);
      expect((await get('/views/list')).text).toBe('{"run":2}');
      expect(outcomes()).toEqual([]);
    },
  );

  it('follows the response where the route says nothing, and not where it says never', async () => {
    await get('/views/said');
    await get('/views/never');
    running.clock.advance(10_000);
    expect((await get('/views/said')).verdict).toBe('STALE');
    expect((await get('/views/never')).verdict).toBe('MISS');
  });

  it('renews the responses of handlers that write them themselves', async () => {
    await get('/views/raw');
    running.clock.advance(10_000);
    expect((await get('/views/raw')).text).toBe('run 1');
    await refreshed();
    expect((await get('/views/raw')).text).toBe('run 2');
  });

  it('renews each variant with the header that it is of', async () => {
    const german = { headers: { 'accept-language': 'de' } };
    await get('/views/by-language', german);
    running.clock.advance(10_000);
    expect((await get('/views/by-language', german)).verdict).toBe('STALE');
    await refreshed();
    expect(outcomes()).toEqual(['started', 'stored']);
    expect((await get('/views/by-language', german)).text).toBe('{"run":2}');
  });

  it('renews each variant that responses have told apart with the header that it is of', async () => {
    const variant = (language: string) => get('/views/learned', { headers: { 'accept-language': language } });
    await variant('de');
    await variant('fr');
    running.clock.advance(10_000);
    expect((await variant('de')).verdict).toBe('STALE');
    await refreshed();
    expect(outcomes()).toEqual(['started', 'stored']);
    const [german, french] = [await variant('de'), await variant('fr')];
    expect([german.verdict, german.text]).toEqual(['HIT', '{"run":3,"language":"de"}']);
    expect([french.verdict, french.text]).toEqual(['STALE', '{"run":2,"language":"fr"}']);
  });

  it('takes credentials along only where the route says whose response it is', async () => {
    const alice = { headers: { authorization: 'alice', cookie: 'session=a' } };
    await get('/views/mine', alice);
    running.clock.advance(10_000);
    expect((await get('/views/mine', alice)).verdict).toBe('STALE');
    await refreshed();
    expect(outcomes()).toEqual(['started', 'stored']);
    expect(identities).toEqual(['alice', 'alice', 'alice']);
    expect((await get('/views/mine', alice)).text).toBe('{"run":2}');
    expect((await get('/views/mine', { headers: { authorization: 'bob' } })).verdict).toBe('MISS');
  });

  it('leaves it to the next client where a guard lets no renewal pass, rather than to serve it stale for long', async () => {
    const member = { headers: { authorization: 'member' } };
    await get('/views/members', member);
    running.clock.advance(10_000);
    expect((await get('/views/members', member)).verdict).toBe('STALE');
    await refreshed();
    expect(outcomes()).toEqual(['started', 'dropped']);
    const next = await get('/views/members', member);
    expect([next.verdict, next.text]).toEqual(['MISS', '{"run":2}']);
    expect((await get('/views/members')).status).toBe(403);
    expect((await get('/views/members', member)).verdict).toBe('HIT');
  });

  it('renews behind a guard that knows it', async () => {
    const member = { headers: { authorization: 'member' } };
    await get('/views/trusting', member);
    running.clock.advance(10_000);
    expect((await get('/views/trusting', member)).verdict).toBe('STALE');
    await refreshed();
    expect((await get('/views/trusting', member)).text).toBe('{"run":2}');
    expect((await get('/views/trusting')).status).toBe(403);
  });

  it.each([
    ['/views/search', { body: { q: ['é', 1, null], nested: { toString: 1 } } }],
    [
      '/views/quote',
      { body: 'a=1&a=2&b=%26%3D&c=', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
    ],
  ])('sends the body of a POST to %s again as it was keyed: %j', async (target, sent) => {
    const post = () => get(target, { method: 'POST', ...sent });
    const first = JSON.parse((await post()).text) as { body: unknown };
    running.clock.advance(10_000);
    expect((await post()).verdict).toBe('STALE');
    await refreshed();
    expect(outcomes()).toEqual(['started', 'stored']);
    const renewed = await post();
    expect([renewed.verdict, JSON.parse(renewed.text)]).toEqual(['HIT', { ...first, run: 2 }]);
  });

  it('answers HEAD as well, which renews nothing', async () => {
    await get('/views/list');
    running.clock.advance(10_000);
    const head = await get('/views/list', { method: 'HEAD' });
    expect([head.status, head.verdict, head.text]).toEqual([200, 'STALE', '']);
    await turns();
    expect(runs).toBe(1);
  });

  it('answers conditional requests from the stale response', async () => {
    const { headers: given } = await get('/views/list');
    running.clock.advance(10_000);
    const same = await get('/views/list', { headers: { 'if-none-match': given.etag as string } });
    expect([same.status, same.verdict]).toEqual([304, 'STALE']);
  });

  it('does not answer a request that says how fresh it is to be', async () => {
    await get('/views/heeding');
    running.clock.advance(12_000);
    const asking = (control: string) => get('/views/heeding', { headers: { 'cache-control': control } });
    expect((await asking('max-stale=5')).text).toBe('{"run":1}');
    expect((await asking('max-age=60')).text).toBe('{"run":2}');
  });

  it('renews before the end of its life where the route says so, and answers fresh meanwhile', async () => {
    await get('/views/ahead');
    running.clock.advance(7_999);
    await get('/views/ahead');
    await turns();
    expect(runs).toBe(1);
    running.clock.advance(1);
    gate = new Gate();
    const early = await Promise.all(Array.from({ length: 20 }, () => get('/views/ahead')));
    expect(new Set(early.map(({ verdict }) => verdict))).toEqual(new Set(['HIT']));
    await eventually(() => runs === 2, 'it is being renewed');
    gate.open();
    await refreshed();
    running.clock.advance(7_000);
    expect((await get('/views/ahead')).text).toBe('{"run":2}');
    expect(runs).toBe(2);
  });
});

import { AsyncLocalStorage } from 'node:async_hooks';
import {
  Body,
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  HttpCode,
  HttpException,
  Post,
  Res,
  UseGuards,
} from '@nestjs/common';
import { CacheView, formBody, headers, isCacheRefresh, jsonBody, memory, query } from 'nestjs-caching';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CachingRuntime } from '../../libs/caching/src/caching.runtime.js';
import type {
  DispatchOptions,
  DispatchOutcome,
  DispatchRequest,
} from '../../libs/caching/src/http/background/dispatch.js';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { FakeClock } from '../support/fake-clock.js';
import { eventually, Gate, turns } from '../support/gate.js';

interface Seen {
  readonly url: string;
  readonly refresh: boolean;
}

class KeyGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers: given } = context.switchToHttp().getRequest<{ headers: Record<string, string> }>();
    if (given['x-api-key'] !== 'right') throw new HttpException('who are you?', 401);
    return true;
  }
}

const als = new AsyncLocalStorage<string>();

describe.each(PLATFORMS)('a request that the cache sends itself on %s', (platform) => {
  let running: RunningApplication;
  let runs: number;
  let status: number;
  let gate: Gate | undefined;
  let seen: Seen[];
  let stores: (string | undefined)[];

  @Controller('views')
  class ViewsController {
    @Get('plain') @CacheView() async plain(
      @Res({ passthrough: true }) reply: { status(code: number): unknown },
    ) {
      const run = ++runs;
      stores.push(als.getStore());
      await gate?.pass();
      reply.status(status);
      return { run };
    }

    @Get('fails') @CacheView() fails() {
      runs++;
      throw new HttpException('down', 503);
    }

    @Get('raw') @CacheView() raw(@Res() reply: { send(body: unknown): unknown }) {
      reply.send(`run ${++runs}`);
    }

    @Get('by-language') @CacheView({ key: [query(), headers('accept-language')] }) byLanguage() {
      return { run: ++runs };
    }

    @Get('guarded') @UseGuards(KeyGuard) @CacheView({ scope: 'public' }) guarded() {
      return { run: ++runs };
    }

    @Post('search') @HttpCode(200) @CacheView({ key: jsonBody() }) search(@Body() body: unknown) {
      return { run: ++runs, body };
    }

    @Post('quote') @HttpCode(200) @CacheView({ key: formBody() }) quote(@Body() body: unknown) {
      return { run: ++runs, body };
    }

    @Get('uncached') uncached() {
      return { run: ++runs };
    }
  }

  beforeEach(async () => {
    runs = 0;
    status = 200;
    gate = undefined;
    seen = [];
    stores = [];
    running = await startApplication(platform, {
      controllers: [ViewsController],
      setUp: (app) => {
        app.use((request: { url: string }, _response: unknown, next: () => void) => {
          seen.push({ url: request.url, refresh: isCacheRefresh(request) });
          next();
        });
      },
    });
  });

  afterEach(() => running.close());

  const run = (
    request: Partial<DispatchRequest> & { target: string },
    options: Partial<DispatchOptions> = {},
  ): Promise<DispatchOutcome> =>
    running.app
      .get(CachingRuntime, { strict: false })
      .http.background.run({ method: 'GET', headers: {}, ...request }, { purpose: 'warm', ...options });

  it('runs the handler through the whole application and stores what it sends', async () => {
    const outcome = await run({ target: '/views/plain?b=2&a=1' });
    expect(outcome).toMatchObject({ result: 'stored', status: 200 });
    expect(outcome.result === 'stored' && outcome.response.body?.toString()).toBe('{"run":1}');
    expect(seen).toEqual([{ url: '/views/plain?b=2&a=1', refresh: true }]);
    const hit = await running.request('/views/plain?a=1&b=2');
    expect([hit.verdict, hit.text]).toEqual(['HIT', '{"run":1}']);
    expect(seen.at(-1)?.refresh).toBe(false);
  });

  it('gives the bytes of a handler that writes its response itself', async () => {
    expect(await run({ target: '/views/raw' })).toMatchObject({ result: 'stored', status: 200 });
    expect((await running.request('/views/raw')).text).toBe('run 1');
  });

  it('runs no handler where a fresh response is there', async () => {
    await running.request('/views/plain');
    expect(await run({ target: '/views/plain' })).toMatchObject({ result: 'present', status: 200 });
    expect(runs).toBe(1);
    expect(await run({ target: '/views/plain' }, { evenFresh: true })).toMatchObject({ result: 'stored' });
    expect((await running.request('/views/plain')).text).toBe('{"run":2}');
  });

  it('waits for the fill that is under way instead of a second one', async () => {
    gate = new Gate();
    const client = running.request('/views/plain');
    await eventually(() => runs === 1, 'the client leads');
    const outcome = run({ target: '/views/plain' });
    await eventually(() => seen.length === 2, 'the background request has come');
    gate.open();
    expect(await outcome).toMatchObject({ result: 'present' });
    await client;
    expect(runs).toBe(1);
  });

  it('lets requests that come meanwhile wait for it', async () => {
    gate = new Gate();
    const outcome = run({ target: '/views/plain' });
    await eventually(() => runs === 1, 'it leads');
    const client = running.request('/views/plain');
    await eventually(() => running.events.some(({ type }) => type === 'miss'), 'the client waits');
    gate.open();
    expect((await client).text).toBe('{"run":1}');
    expect(await outcome).toMatchObject({ result: 'stored' });
    expect(runs).toBe(1);
  });

  it('stores nothing to verify, and gives what would have been stored', async () => {
    await running.request('/views/plain');
    const outcome = await run({ target: '/views/plain' }, { purpose: 'verify' });
    expect(outcome).toMatchObject({ result: 'recorded', status: 200 });
    expect(outcome.result === 'recorded' && outcome.response.body?.toString()).toBe('{"run":2}');
    expect((await running.request('/views/plain')).text).toBe('{"run":1}');
  });

  it('tells why a response is not stored', async () => {
    status = 418;
    expect(await run({ target: '/views/plain' })).toMatchObject({
      result: 'skipped',
      reason: 'status',
      status: 418,
    });
    expect(await run({ target: '/views/fails' })).toMatchObject({
      result: 'skipped',
      reason: 'status',
      status: 503,
    });
    expect(await run({ target: '/views/plain' }, { purpose: 'verify' })).toMatchObject({
      result: 'skipped',
      status: 418,
    });
  });

  it('runs no handler for another key than the one that was meant', async () => {
    const key = 'another';
    expect(await run({ target: '/views/plain' }, { key })).toEqual({
      result: 'dropped',
      reason: 'key',
      status: undefined,
    });
    expect(await run({ target: '/views/raw' }, { key })).toMatchObject({ result: 'dropped', reason: 'key' });
    expect(runs).toBe(0);
  });

  it('runs no handler for a request that bypasses the cache', async () => {
    const outcome = await run({ target: '/views/plain', headers: { authorization: 'Bearer x' } });
    expect(outcome).toMatchObject({ result: 'dropped', reason: 'credentials' });
    expect(runs).toBe(0);
  });

  it('tells what a guard, a missing route or a route without cache answered', async () => {
    expect(await run({ target: '/views/guarded' })).toEqual({
      result: 'dropped',
      reason: 'unreached',
      status: 401,
    });
    expect(await run({ target: '/nowhere' })).toMatchObject({ reason: 'unreached', status: 404 });
    expect(await run({ target: '/views/uncached' })).toMatchObject({ reason: 'unreached', status: 200 });
    expect(await run({ target: '/views/guarded', headers: { 'x-api-key': 'right' } })).toMatchObject({
      result: 'stored',
    });
  });

  it('sends bodies that are keyed as they were', async () => {
    const json = Buffer.from('{"b":[1],"a":"é"}');
    const search = {
      target: '/views/search',
      method: 'POST',
      headers: { 'content-type': 'application/json' },
    };
    expect(await run({ ...search, body: json })).toMatchObject({ result: 'stored' });
    const hit = await running.request('/views/search', { method: 'POST', body: { a: 'é', b: [1] } });
    expect([hit.verdict, JSON.parse(hit.text)]).toEqual(['HIT', { run: 1, body: { a: 'é', b: [1] } }]);
  });

  it('can be told from clients only by what no client can send', async () => {
    await running.request('/views/plain', {
      headers: { 'user-agent': 'lightMyRequest', 'x-cache-refresh': '1', purpose: 'prefetch' },
    });
    expect(seen).toEqual([{ url: '/views/plain', refresh: false }]);
    expect(isCacheRefresh({})).toBe(false);
    expect(isCacheRefresh({ raw: {} })).toBe(false);
  });

  it('sees nothing of the async context in which it was asked for', async () => {
    await als.run('of a client', () => run({ target: '/views/plain' }));
    expect(stores).toEqual([undefined]);
  });

  it('is given up after the deadline', async () => {
    gate = new Gate();
    const outcome = run({ target: '/views/plain' });
    await eventually(() => runs === 1, 'the handler runs');
    running.clock.advance(30_000);
    expect(await outcome).toEqual({ result: 'dropped', reason: 'deadline', status: undefined });
    gate.open();
  });

  it('runs no handler where it was given up while another instance filled', async () => {
    await running.close();
    let asked = 0;
    const store = Object.assign(memory({ clock: new FakeClock() }), {
      lease: () => (++asked, 'theirs' as const),
      release: () => undefined,
    });
    @Controller('shared')
    class SharedController {
      @Get() @CacheView({ coalesce: 'cluster' }) list() {
        return { run: ++runs };
      }
    }
    running = await startApplication(platform, { controllers: [SharedController], caching: { store } });
    const outcome = run({ target: '/shared' });
    await eventually(() => asked === 1, 'it waits for its turn');
    running.clock.advance(30_000);
    expect(await outcome).toMatchObject({ result: 'dropped', reason: 'elsewhere' });
    await eventually(() => asked === 2, 'it has asked again');
    await turns();
    expect(runs).toBe(0);
    // Nobody waits for what it would have filled.
    const client = running.request('/shared');
    await eventually(() => asked === 3, 'a client waits for its own turn');
    running.clock.advance(30_000);
    expect((await client).text).toBe('{"run":1}');
  });

  it('is waited for by shutting down, and nothing is begun after', async () => {
    gate = new Gate();
    const outcome = run({ target: '/views/plain' });
    await eventually(() => runs === 1, 'the handler runs');
    const closed = running.close();
    gate.open();
    await closed;
    expect(await outcome).toMatchObject({ result: 'stored' });
    expect(await run({ target: '/views/plain' })).toMatchObject({ result: 'dropped', reason: 'closed' });
  });

  it('runs a bounded number at a time, and drops what is more than may wait', async () => {
    gate = new Gate();
    const outcomes = Array.from({ length: 32 + 1_024 + 1 }, (_, at) =>
      run({ target: `/views/plain?n=${at}` }),
    );
    await eventually(() => runs === 32, 'as many as may run');
    expect(await outcomes.at(-1)).toMatchObject({ result: 'dropped', reason: 'busy' });
    expect(runs).toBe(32);
    gate.open();
    await Promise.all(outcomes);
    expect(runs).toBe(32 + 1_024);
  });
});

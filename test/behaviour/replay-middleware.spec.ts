import { type ArgumentsHost, Catch, Controller, Get, Res } from '@nestjs/common';
import { CacheView } from 'nestjs-caching';
import type { NextFunction, Request, Response } from 'express';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { HandlerGate, until } from '../support/handler-gate.js';
import { fastifyOf, useHelmet, useRequestIds } from '../support/plugins.js';
import { unframedBytes, wireBytes, wireRequest } from '../support/wire.js';

describe.each(PLATFORMS)('middleware around a cached view on %s', (platform) => {
  let runs: number;
  let running: RunningApplication;

  @Controller()
  class BooksController {
    @Get('books') @CacheView() list() {
      return { run: ++runs };
    }
  }

  beforeEach(() => {
    runs = 0;
  });

  afterEach(() => running.close());

  const get = (headers: Record<string, string> = {}) => wireRequest(running.port, '/books', { headers });

  it('helmet: sets its fields on hits as on misses', async () => {
    running = await startApplication(platform, {
      controllers: [BooksController],
      setUp: (app) => useHelmet(platform, app),
    });
    const miss = await get();
    const hit = await get();
    expect([miss.verdict, hit.verdict]).toEqual(['MISS', 'HIT']);
    expect(hit.field('strict-transport-security')).toContain('max-age=');
    expect(wireBytes(hit)).toBe(wireBytes(miss));
  });

  it('what it leaves on a request as `raw`, such as the bytes of a body, is not taken for another request', async () => {
    running = await startApplication(platform, {
      controllers: [BooksController],
      setUp: (app) => {
        app.use((request: Request & { raw?: unknown }, _response: Response, next: NextFunction) => {
          request.raw = Buffer.from('raw');
          next();
        });
      },
    });
    const responses = [await get(), await get(), await get({ Authorization: 'Basic YTpi' })];
    expect(responses.map(({ status, verdict }) => [status, verdict])).toEqual([
      [200, 'MISS'],
      [200, 'HIT'],
      [200, 'BYPASS'],
    ]);
  });

  it('request ids: each request has its own', async () => {
    running = await startApplication(platform, {
      controllers: [BooksController],
      setUp: (app) => useRequestIds(platform, app),
    });
    const responses = [await get(), await get(), await get()];
    expect(responses.map(({ verdict }) => verdict)).toEqual(['MISS', 'HIT', 'HIT']);
    expect(responses.flatMap((response) => response.all('x-request-id'))).toHaveLength(3);
    expect(new Set(responses.map((response) => response.field('x-request-id'))).size).toBe(3);
    const [miss, hit] = responses.map((response) => wireBytes(response, ['x-request-id']));
    expect(hit).toBe(miss);
  });

  it.each([
    ['an array', ['https://one.example', 'https://two.example']],
    ['every origin, echoed', true],
  ])(
    'cors with %s: each requester gets its own Access-Control-Allow-Origin and Vary',
    async (_name, origin) => {
      running = await startApplication(platform, {
        controllers: [BooksController],
        setUp: (app) => app.enableCors({ origin, credentials: true }),
      });
      const one = { Origin: 'https://one.example' };
      const two = { Origin: 'https://two.example' };
      const first = await get(one);
      const second = await get(two);
      const again = await get(one);
      const none = await get();
      expect([first, second, again, none].map(({ verdict }) => verdict)).toEqual([
        'MISS',
        'HIT',
        'HIT',
        'HIT',
      ]);
      expect(first.field('access-control-allow-origin')).toBe('https://one.example');
      expect(second.field('access-control-allow-origin')).toBe('https://two.example');
      expect(none.field('access-control-allow-origin') ?? 'none').not.toMatch('example');
      expect(second.all('vary')).toEqual(['Origin']);
      expect(wireBytes(again)).toBe(wireBytes(first));
      expect(runs).toBe(1);
    },
  );

  it('cors: who waits for another origin’s fill gets its own fields', async () => {
    const gate = new HandlerGate();
    @Controller()
    class SlowController {
      @Get('books') @CacheView() async list() {
        await gate.pass();
        return { run: ++runs };
      }
    }
    running = await startApplication(platform, {
      controllers: [SlowController],
      setUp: (app) => app.enableCors({ origin: ['https://one.example', 'https://two.example'] }),
    });
    const leader = get({ Origin: 'https://one.example' });
    await gate.reached;
    const waiter = get({ Origin: 'https://two.example' });
    await until(() => running.events.filter(({ type }) => type === 'miss').length === 2, 'both missed');
    gate.open();
    expect((await leader).field('access-control-allow-origin')).toBe('https://one.example');
    expect((await waiter).field('access-control-allow-origin')).toBe('https://two.example');
    expect((await waiter).cacheStatus).toBe('nestjs-caching; fwd=uri-miss; collapsed');
    expect(unframedBytes(await waiter, ['access-control-allow-origin'])).toBe(
      unframedBytes(await leader, ['access-control-allow-origin']),
    );
    expect(runs).toBe(1);
  });

  it('express middleware: what it sets, reads and does after the response counts for each request', async () => {
    const finished: number[] = [];
    let seen = 0;
    running = await startApplication(platform, {
      controllers: [BooksController],
      setUp: (app) => {
        app.use((_request: Request, response: Response, next: NextFunction) => {
          seen += 1;
          response.setHeader('X-Seen', String(seen));
          response.once('finish', () => finished.push(response.statusCode));
          next();
        });
      },
    });
    const responses = [await get(), await get()];
    expect(responses.map((response) => response.field('x-seen'))).toEqual(['1', '2']);
    expect(finished).toEqual([200, 200]);
  });
});

describe('the application’s hooks on fastify', () => {
  it('run on hits as on misses, over the identity body', async () => {
    const payloads: string[] = [];
    const responses: number[] = [];
    @Controller()
    class BooksController {
      @Get() @CacheView() list() {
        return { a: 1 };
      }
    }
    const running = await startApplication('fastify', {
      controllers: [BooksController],
      setUp: (app) => {
        fastifyOf(app).addHook('onSend', (_request, reply, payload, done) => {
          payloads.push(String(payload));
          void reply.header('X-Times', String(payloads.length));
          done(null, `${String(payload)}!`);
        });
        fastifyOf(app).addHook('onResponse', (_request, reply, done) => {
          responses.push(reply.statusCode);
          done();
        });
      },
    });
    const miss = await wireRequest(running.port, '/');
    const hit = await wireRequest(running.port, '/');
    await running.close();
    expect([miss.verdict, hit.verdict]).toEqual(['MISS', 'HIT']);
    expect(payloads).toEqual(['{"a":1}', '{"a":1}']);
    expect([miss.text, hit.text]).toEqual(['{"a":1}!', '{"a":1}!']);
    expect([miss.field('x-times'), hit.field('x-times')]).toEqual(['1', '2']);
    expect(responses).toEqual([200, 200]);
  });

  it('have the last word on what is sent, also in place of a reply that failed before', async () => {
    const [body, broken] = ['b'.repeat(50), 'e'.repeat(50)];
    @Controller()
    class BooksController {
      @Get() @CacheView() list() {
        return body;
      }
    }
    @Catch()
    class BytesFilter {
      catch(_error: unknown, host: ArgumentsHost) {
        const reply = host
          .switchToHttp()
          .getResponse<{ status(code: number): { send(body: Buffer): void } }>();
        reply.status(500).send(Buffer.from(broken));
      }
    }
    let payloads = 0;
    const running = await startApplication('fastify', {
      controllers: [BooksController],
      setUp: (app) => {
        app.useGlobalFilters(new BytesFilter());
        fastifyOf(app).addHook('onSend', (_request, _reply, _payload, done) => {
          payloads += 1;
          if (payloads === 1) done(new Error('once'));
          else done(null, body);
        });
      },
    });
    const { status, text } = await wireRequest(running.port, '/');
    await running.close();
    expect([payloads, status, text]).toEqual([2, 500, body]);
  });

  it('keep a reply with trailers out of the cache', async () => {
    let runs = 0;
    @Controller()
    class TrailersController {
      @Get() @CacheView() list(
        @Res({ passthrough: true }) reply: { trailer(name: string, make: unknown): void },
      ) {
        runs += 1;
        reply.trailer('x-check', (_reply: unknown, _payload: unknown, done: (e: null, v: string) => void) =>
          done(null, 'sum'),
        );
        return 'with trailers';
      }
    }
    const running = await startApplication('fastify', { controllers: [TrailersController] });
    const first = await wireRequest(running.port, '/');
    const second = await wireRequest(running.port, '/');
    await running.close();
    expect([first.text, second.text]).toEqual(['with trailers', 'with trailers']);
    expect(second.payload.toString()).toContain('x-check: sum');
    expect(second.cacheStatus).toBe('nestjs-caching; fwd=uri-miss; detail=encoded');
    expect(runs).toBe(2);
  });
});

import { Controller, Get, Header, NotFoundException, Req, Res, Session } from '@nestjs/common';
import { CacheView, type CacheViewOptions } from 'nestjs-caching';
import cookieSession from 'cookie-session';
import type { NextFunction, Request, Response } from 'express';
import type { FastifyReply } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { HandlerGate, until } from '../support/handler-gate.js';
import { type Installer, useCookies, useSession } from '../support/plugins.js';
import { wireRequest, type WireResponse } from '../support/wire.js';

type AnyResponse = Response & FastifyReply;
type WithSession = { session: Record<string, unknown> };

const REVIEWED: CacheViewOptions = { inputs: 'reviewed' };
const SKIPPED = 'nestjs-caching; fwd=uri-miss; detail=set-cookie';

describe.each(PLATFORMS)('a response that sets a cookie on %s', (platform) => {
  let runs: number;
  let gate: HandlerGate;
  let running: RunningApplication;

  @Controller()
  class CookiesController {
    @Get('by-header') @CacheView() byHeader(@Res({ passthrough: true }) response: AnyResponse) {
      response.header('Set-Cookie', `run=${++runs}`);
      return { run: runs };
    }

    @Get('by-cookie') @CacheView() byCookie(@Res({ passthrough: true }) response: AnyResponse) {
      runs += 1;
      if (platform === 'express') response.cookie('run', String(runs));
      else void response.setCookie('run', String(runs));
      return { run: runs };
    }

    @Get('by-res') @CacheView() byRes(@Res() response: AnyResponse) {
      void response.header('set-cookie', [`run=${++runs}`, 'other=1']).send('sent');
    }

    @Get('by-write-head') @CacheView() byWriteHead(@Res() response: AnyResponse) {
      const node = platform === 'express' ? response : response.raw;
      node.writeHead(200, { 'Set-Cookie': `run=${++runs}` });
      node.end('sent');
    }

    @Get('by-write-head-list') @CacheView() byWriteHeadList(@Res() response: AnyResponse) {
      const node = platform === 'express' ? response : response.raw;
      node.writeHead(200, ['Set-Cookie', `run=${++runs}`]);
      node.write('se');
      node.end('nt');
    }

    @Get('by-web-response') @CacheView() byWebResponse() {
      return new globalThis.Response('sent', { headers: { 'set-cookie': `run=${++runs}` } });
    }

    @Get('by-session') @CacheView(REVIEWED) bySession(@Req() request: WithSession) {
      request.session.visits = ++runs;
      return { run: runs };
    }

    @Get('by-slow-session') @CacheView(REVIEWED) async bySlowSession(@Req() request: WithSession) {
      runs += 1;
      request.session.visits = runs;
      await gate.pass();
      return { run: runs };
    }

    @Get('missing') @CacheView(REVIEWED) async missing(@Req() request: WithSession) {
      runs += 1;
      request.session.visits = runs;
      await gate.pass();
      throw new NotFoundException(`run ${runs}`);
    }

    @Get('without') @CacheView(REVIEWED) without(@Session() _session: unknown) {
      return { run: ++runs };
    }

    @Get('static') @Header('X-Static', '1') @CacheView() fixed() {
      return { run: ++runs };
    }
  }

  const start = async (...installers: Installer[]): Promise<void> => {
    running = await startApplication(platform, {
      controllers: [CookiesController],
      setUp: async (app) => {
        for (const install of installers) await install(platform, app);
      },
    });
  };

  beforeEach(() => {
    runs = 0;
    gate = new HandlerGate();
  });

  afterEach(() => running.close());

  const get = (target: string): Promise<WireResponse> => wireRequest(running.port, target);
  const skips = () => running.events.filter((event) => event.type === 'skipped');

  it.each(['by-header', 'by-cookie', 'by-res', 'by-write-head', 'by-write-head-list', 'by-web-response'])(
    '%s: is not kept, reaches its own client, and says so',
    async (name) => {
      await start(useCookies);
      const first = await get(`/${name}`);
      const second = await get(`/${name}`);
      expect(first.all('set-cookie')[0]).toMatch(/^run=1/);
      expect(second.all('set-cookie')[0]).toMatch(/^run=2/);
      expect([first.cacheStatus, second.cacheStatus]).toEqual([SKIPPED, SKIPPED]);
      expect(skips().map(({ reason }) => reason)).toEqual(['set-cookie', 'set-cookie']);
    },
  );

  it('is not kept where a session adds its cookie at the last moment', async () => {
    await start(useSession(false));
    const first = await get('/by-session');
    const second = await get('/by-session');
    expect(first.all('set-cookie')).toHaveLength(1);
    expect(second.all('set-cookie')).not.toEqual(first.all('set-cookie'));
    expect([first.cacheStatus, second.cacheStatus]).toEqual([SKIPPED, SKIPPED]);
    expect([first.text, second.text]).toEqual(['{"run":1}', '{"run":2}']);
  });

  it('is kept where the session has nothing to say', async () => {
    await start(useSession(false));
    expect((await get('/without')).cacheStatus).toBe('nestjs-caching; fwd=uri-miss; stored; ttl=300');
    const hit = await get('/without');
    expect(hit.verdict).toBe('HIT');
    expect(hit.all('set-cookie')).toEqual([]);
  });

  it('is not kept where every new session gets a cookie', async () => {
    await start(useSession(true));
    const first = await get('/without');
    const second = await get('/without');
    expect([first.cacheStatus, second.cacheStatus]).toEqual([SKIPPED, SKIPPED]);
    expect(first.all('set-cookie')).toHaveLength(1);
    expect(second.all('set-cookie')).not.toEqual(first.all('set-cookie'));
    expect(runs).toBe(2);
  });

  it.each(['/by-slow-session', '/missing'])('is not given to those who wait (%s)', async (target) => {
    await start(useSession(false));
    const leader = get(target);
    await gate.reached;
    const waiters = [get(target), get(target)];
    await until(() => running.events.filter(({ type }) => type === 'miss').length === 3, 'all three missed');
    gate.open();
    const all = await Promise.all([leader, ...waiters]);
    expect(runs).toBe(3);
    expect(new Set(all.flatMap((response) => response.all('set-cookie'))).size).toBe(3);
    expect(all.map(({ cacheStatus }) => cacheStatus)).toEqual([SKIPPED, SKIPPED, SKIPPED]);
    expect(running.events.some(({ type }) => type === 'coalesced')).toBe(false);
  });

  it('is kept where the cookie was there before the interceptor, and each request has its own', async () => {
    let requests = 0;
    await start((_platform, app) => {
      app.use((_request: Request, response: Response, next: NextFunction) => {
        response.setHeader('Set-Cookie', `request=${++requests}`);
        next();
      });
    });
    const responses = [await get('/static'), await get('/static')];
    expect(responses.map(({ verdict }) => verdict)).toEqual(['MISS', 'HIT']);
    expect(responses.map((response) => response.all('set-cookie'))).toEqual([['request=1'], ['request=2']]);
  });

  it('is not kept where express middleware sets the cookie as the head leaves', async () => {
    let requests = 0;
    await start((_platform, app) => {
      app.use((_request: Request, response: Response, next: NextFunction) => {
        const writeHead = response.writeHead.bind(response);
        response.writeHead = ((...args: Parameters<typeof writeHead>) => {
          response.setHeader('Set-Cookie', `late=${++requests}`);
          return writeHead(...args);
        }) as typeof writeHead;
        next();
      });
    });
    const responses = [await get('/static'), await get('/static')];
    expect(responses.map(({ cacheStatus }) => cacheStatus)).toEqual([SKIPPED, SKIPPED]);
    expect(responses.map((response) => response.all('set-cookie'))).toEqual([['late=1'], ['late=2']]);
    expect(runs).toBe(2);
  });
});

describe('a session of express', () => {
  let runs: number;
  let running: RunningApplication;

  const start = async (middleware: unknown): Promise<void> => {
    runs = 0;
    @Controller()
    class SessionController {
      @Get() @CacheView(REVIEWED) change(@Req() request: WithSession) {
        if (request.session !== undefined) request.session.visits = ++runs;
        else runs += 1;
        return { run: runs };
      }
    }
    running = await startApplication('express', {
      controllers: [SessionController],
      setUp: (app) => void app.use(middleware),
    });
  };

  afterEach(() => running.close());

  it('of cookie-session, changed by the handler: nothing is kept, and the response says so', async () => {
    await start(cookieSession({ secret: 'secret' }));
    const first = await wireRequest(running.port, '/');
    const second = await wireRequest(running.port, '/');
    expect(first.all('set-cookie').length).toBeGreaterThan(0);
    expect([first.cacheStatus, second.cacheStatus]).toEqual([SKIPPED, SKIPPED]);
    expect(runs).toBe(2);
  });

  it('that is saved before the end of the response is let through: nothing is kept, and it says so', async () => {
    await start((_request: Request, response: Response, next: NextFunction) => {
      const end = response.end.bind(response);
      response.end = ((...args: Parameters<typeof end>) => {
        setImmediate(() => {
          response.setHeader('Set-Cookie', 'saved=1');
          end(...args);
        });
        return response;
      }) as typeof end;
      next();
    });
    const first = await wireRequest(running.port, '/');
    const second = await wireRequest(running.port, '/');
    expect(second.text).toBe('{"run":2}');
    expect(second.all('set-cookie')).toEqual(['saved=1']);
    expect([first.cacheStatus, second.cacheStatus]).toEqual([SKIPPED, SKIPPED]);
  });
});

import { type CanActivate, Controller, type ExecutionContext, Get, Injectable } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { CacheView, type CachingModuleOptions } from 'nestjs-caching';
import { afterEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { verdictsOf, warningsAbout } from '../support/verdicts.js';

/** A global guard that lets everybody in and says who they are. */
@Injectable()
class WhoGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<{ headers: Record<string, string>; user?: unknown }>();
    const name = request.headers['x-user'];
    // Passport leaves `false` where nobody is logged in.
    request.user = name === undefined ? false : { name };
    return true;
  }
}

describe.each(PLATFORMS)('requests with credentials on %s', (platform) => {
  let runs: number;
  let running: RunningApplication;

  const start = async (caching: CachingModuleOptions = {}) => {
    runs = 0;
    @Controller()
    class ShopController {
      @Get('plain') @CacheView() plain() {
        return { run: ++runs };
      }

      @Get('other') @CacheView() other() {
        return { run: ++runs };
      }

      @Get('scoped') @CacheView({ scope: 'public' }) scoped() {
        return { run: ++runs };
      }
    }
    running = await startApplication(platform, {
      controllers: [ShopController],
      providers: [{ provide: APP_GUARD, useClass: WhoGuard }],
      caching,
    });
  };

  afterEach(() => running.close());

  const CARRIERS: [string, Record<string, string>][] = [
    ['Authorization', { authorization: 'Bearer secret' }],
    ['an empty Authorization', { authorization: '' }],
    ['a cookie', { cookie: 'theme=dark' }],
    ['a user that a global guard found', { 'x-user': 'ann' }],
  ];

  it.each(CARRIERS)('are not served from the shared cache: %s', async (_what, headers) => {
    await start();
    await running.request('/plain');
    const reply = await running.request('/plain', { headers });
    expect(reply.cacheStatus).toBe('nestjs-caching; fwd=bypass; detail=credentials');
    expect(reply.text).toBe('{"run":2}');
    expect((await running.request('/plain')).text).toBe('{"run":1}');
  });

  it.each(CARRIERS)('leave nothing in the shared cache: %s', async (_what, headers) => {
    await start();
    await running.request('/plain', { headers });
    const next = await running.request('/plain');
    expect([next.verdict, next.text]).toEqual(['MISS', '{"run":2}']);
  });

  it.each(CARRIERS)('use the cache where the route says whose response it is: %s', async (_what, headers) => {
    await start();
    expect(await verdictsOf(running, { target: '/scoped', headers }, '/scoped')).toEqual(['MISS', 'HIT']);
  });

  it('are those with a cookie of the list, once there is one', async () => {
    await start({ credentialCookies: ['sid', 'token'] });
    const ask = (cookie: string) => ({ target: '/plain', headers: { cookie } });
    expect(
      await verdictsOf(
        running,
        ask('theme=dark'),
        ask('theme=light; xsid=1; sidx=2; note=sid=3'),
        ask('theme=dark; sid=1'),
        ask('token'),
        ask('SID=1'),
        ask(' sid =1'),
      ),
    ).toEqual(['MISS', 'HIT', 'BYPASS', 'BYPASS', 'HIT', 'BYPASS']);
  });

  it('still are those with Authorization or a user where no cookie counts', async () => {
    await start({ credentialCookies: [] });
    expect(
      await verdictsOf(
        running,
        { target: '/plain', headers: { cookie: 'sid=1' } },
        { target: '/plain', headers: { cookie: 'sid=1', authorization: 'Basic x' } },
        { target: '/plain', headers: { 'x-user': 'ann' } },
      ),
    ).toEqual(['MISS', 'BYPASS', 'BYPASS']);
  });

  it.each([
    ['at once', ({ headers }: { headers: Record<string, unknown> }) => headers['x-key']],
    ['later', async ({ headers }: { headers: Record<string, unknown> }) => headers['x-key'] ?? null],
  ])('are those that the principal callback finds, %s', async (_when, principal) => {
    await start({ principal });
    expect(
      await verdictsOf(
        running,
        { target: '/plain', headers: { 'x-key': 'k' } },
        '/plain',
        { target: '/plain', headers: { 'x-user': 'ann' } },
        { target: '/plain', headers: { cookie: 'a=1' } },
      ),
    ).toEqual(['BYPASS', 'MISS', 'HIT', 'BYPASS']);
  });

  it('are warned about once per route, naming the setting of the module', async () => {
    await start();
    const headers = { cookie: 'theme=dark' };
    await verdictsOf(running, { target: '/plain', headers }, { target: '/plain', headers });
    expect(warningsAbout(running, 'ShopController.plain')).toHaveLength(1);
    expect(warningsAbout(running, 'ShopController.plain')[0]).toContain(
      "CachingModule.forRoot({ credentialCookies: ['…'] })",
    );
    expect(warningsAbout(running, 'ShopController.plain')[0]).toContain('scope');
    expect(warningsAbout(running, 'ShopController.other')).toHaveLength(0);
    await running.request('/other', { headers });
    expect(warningsAbout(running, 'ShopController.other')).toHaveLength(1);
  });

  it('are not told in warnings', async () => {
    await start();
    await running.request('/plain', {
      headers: { cookie: 'sid=very-secret', authorization: 'Bearer hidden' },
    });
    expect(running.logger.warnings.join()).not.toMatch(/very-secret|hidden/);
  });
});

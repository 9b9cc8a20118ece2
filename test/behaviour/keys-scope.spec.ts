import { Controller, Get, type INestApplication } from '@nestjs/common';
import { CacheView, type RequestView } from 'nestjs-caching';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { type Asked, verdictsOf, warningsAbout } from '../support/verdicts.js';

type Account = RequestView<{ user?: { id: string } }>;

/** Puts the user that a header names on the request, as an application's authentication does. */
function logIn(app: INestApplication): void {
  app.use(
    (request: { headers: Record<string, string>; user?: unknown }, _response: unknown, next: () => void) => {
      const id = request.headers['x-user'];
      if (id !== undefined) request.user = { id: JSON.parse(id) as unknown };
      next();
    },
  );
}

describe.each(PLATFORMS)('the scope of a view on %s', (platform) => {
  let runs: number;
  let running: RunningApplication;

  beforeEach(async () => {
    runs = 0;
    @Controller()
    class MeController {
      @Get('public') @CacheView({ scope: 'public' }) everybody() {
        return { run: ++runs };
      }

      @Get('me') @CacheView({ scope: ({ user }: Account) => user?.id }) me() {
        return { run: ++runs };
      }

      @Get('later') @CacheView({ scope: async ({ user }: Account) => user?.id }) later() {
        return { run: ++runs };
      }
    }
    running = await startApplication(platform, { controllers: [MeController], setUp: logIn });
  });

  afterEach(() => running.close());

  const by = (target: string, id: unknown, headers: Record<string, string> = {}): Asked => ({
    target,
    headers: { 'x-user': JSON.stringify(id), ...headers },
  });

  it('"public" shares one response, whoever asks', async () => {
    expect(
      await verdictsOf(
        running,
        { target: '/public', headers: { authorization: 'Bearer a' } },
        by('/public', 7, { cookie: 'sid=1' }),
        '/public',
      ),
    ).toEqual(['MISS', 'HIT', 'HIT']);
  });

  it.each(['/me', '/later'])('keeps the responses of principals apart: %s', async (target) => {
    expect(
      await verdictsOf(running, by(target, 'ann'), by(target, 'bob'), by(target, 'ann'), by(target, 7)),
    ).toEqual(['MISS', 'MISS', 'HIT', 'MISS']);
    expect((await running.request(target, { headers: { 'x-user': '"bob"' } })).text).toBe('{"run":2}');
  });

  it('keeps principals apart whose ids imitate other parts of a key', async () => {
    const ids = ['-', '1:a', 'a', '0:', 'a"', 'a\u0000', '__proto__', 'undefined', 'null', 'x'.repeat(600)];
    const asked = ids.map((id) => by('/me', id));
    expect(await verdictsOf(running, '/me', ...asked)).toEqual(['MISS', ...ids.map(() => 'MISS')]);
    expect(await verdictsOf(running, '/me', ...asked)).toEqual(['HIT', ...ids.map(() => 'HIT')]);
  });

  it('shares one response among those who are nobody and carry no credentials', async () => {
    expect(await verdictsOf(running, '/me', '/me', '/later', '/later')).toEqual([
      'MISS',
      'HIT',
      'MISS',
      'HIT',
    ]);
  });

  it.each(['/me', '/later'])('bypasses for somebody it cannot name, and warns once: %s', async (target) => {
    await running.request(target);
    const withCookie = { headers: { cookie: 'sid=1' } };
    const reply = await running.request(target, withCookie);
    expect(reply.cacheStatus).toBe('nestjs-caching; fwd=bypass; detail=no-principal');
    expect(reply.text).toBe('{"run":2}');
    await running.request(target, withCookie);
    const warnings = warningsAbout(running, `MeController.${target.slice(1)}`);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('credentialCookies');
  });

  it.each([
    ['an empty string', ''],
    ['an object', { id: 1 }],
    ['a list', ['ann']],
    ['true', true],
  ])('is an error, not a shared response, where it is %s', async (_what, id) => {
    for (const target of ['/me', '/later']) {
      const reply = await running.request(target, { headers: { 'x-user': JSON.stringify(id) } });
      expect(reply.status).toBe(500);
      expect(running.logger.errors.at(-1)).toMatch(
        new RegExp(
          `The scope callback of MeController.${target.slice(1)} returned .*allowed: a non-empty string`,
        ),
      );
    }
    expect(runs).toBe(0);
  });
});

import { type CanActivate, type ExecutionContext, UseGuards } from '@nestjs/common';
import { CachingConfigError, CachingModule } from 'nestjs-caching';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { PLATFORMS } from '../support/application.js';
import { type DashboardApp, startDashboard } from '../support/dashboard/dashboard-app.js';

/** All that there is to read, and what may be changed. */
const READS = ['/api/facts', '/api/entries', '/api/evictions', '/api/token', '/api/live', '/assets/app.js'];
const CHANGES: readonly (readonly [string, unknown])[] = [
  ['evict', { by: 'all' }],
  ['evict', { by: 'tag', value: 'things' }],
  ['explain', { url: '/things' }],
];

describe.each(PLATFORMS)('the dashboard on %s', (platform) => {
  let running: DashboardApp;

  afterEach(() => running?.close());

  /** Fills the cache, and tells afterwards whether it still holds what it held. */
  const fill = (): Promise<unknown> => running.request('/things');
  const isKept = async (): Promise<boolean> => (await running.request('/things')).verdict === 'HIT';

  const refusesAll = async (headers: Record<string, string>): Promise<void> => {
    await fill();
    for (const path of READS) {
      const answer = await running.ask(path, headers);
      expect([path, answer.status]).toEqual([path, 403]);
      expect(answer.text).not.toContain('things');
    }
    for (const [what, body] of CHANGES) {
      const answer = await running.change(what, body, headers);
      expect([what, answer.status]).toEqual([what, 403]);
    }
    expect(await isKept()).toBe(true);
  };

  it('is not there unless it is asked for', async () => {
    running = await startDashboard(platform, { dashboard: false });
    expect((await running.ask('')).status).toBe(404);
    expect((await running.ask('/api/entries')).status).toBe(404);
  });

  it('is for this machine only, where nothing says who may see it', async () => {
    running = await startDashboard(platform);
    expect((await running.ask('')).status).toBe(200);
    expect((await running.ask('/api/entries')).status).toBe(200);
    await refusesAll({ 'x-forwarded-for': '203.0.113.7' });
    // A name of somebody else's that leads here.
    await refusesAll({ host: `rebound.example:${running.port}` });
    expect((await running.ask('', { host: 'rebound.example' })).status).toBe(403);
  });

  it('lets in whom authorize lets in, and nobody else', async () => {
    running = await startDashboard(platform, {
      dashboard: { authorize: ({ headers }) => headers['x-admin'] === 'yes' },
    });
    await refusesAll({});
    expect((await running.ask('')).status).toBe(403);
    for (const path of READS.filter((each) => each !== '/api/live'))
      expect((await running.ask(path, { 'x-admin': 'yes' })).status).toBe(200);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
    [
      'rejects',
      async () => {
        throw new Error('no');
      },
    ],
    ['returns nonsense', () => 'yes' as never],
  ])('lets nobody in where authorize %s, and logs that', async (_how, authorize) => {
    running = await startDashboard(platform, { dashboard: { authorize } });
    expect((await running.ask('')).status).toBe(403);
    expect((await running.ask('/api/entries')).status).toBe(403);
    expect(running.logger.errors.join('\n')).toContain('authorize');
  });

  it('gives other sites nothing, even where the application lets them read', async () => {
    running = await startDashboard(
      platform,
      { dashboard: { authorize: () => true } },
      { setUp: (app) => app.enableCors({ origin: true, credentials: true }) },
    );
    await refusesAll({ 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' });
    await refusesAll({ 'sec-fetch-site': 'same-site', origin: 'https://other.example' });
    expect((await running.ask('/api/entries')).text).toContain('/things');
  });

  it('takes Origin where a browser does not say more', async () => {
    running = await startDashboard(platform, { dashboard: { authorize: () => true } });
    await fill();
    const path = '/_cache/api/evict';
    const send = async (headers: Record<string, string>): Promise<number> =>
      (
        await running.request(path, {
          method: 'POST',
          body: { by: 'all' },
          headers: {
            host: `127.0.0.1:${running.port}`,
            'content-type': 'application/json',
            'x-cache-dashboard-token': token,
            ...headers,
          },
        })
      ).status;
    const token = await running.token();
    expect(await send({})).toBe(403);
    expect(await send({ origin: 'null' })).toBe(403);
    expect(await send({ origin: 'https://evil.example' })).toBe(403);
    expect(await isKept()).toBe(true);
    expect(await send({ origin: `http://127.0.0.1:${running.port}` })).toBe(200);
    expect(await isKept()).toBe(false);
  });

  it('changes nothing without the token of its page, nor by GET', async () => {
    running = await startDashboard(platform);
    await fill();
    expect((await running.change('evict', { by: 'all' }, { 'x-cache-dashboard-token': '' })).status).toBe(
      403,
    );
    expect(
      (await running.change('evict', { by: 'all' }, { 'x-cache-dashboard-token': 'x'.repeat(32) })).status,
    ).toBe(403);
    expect((await running.ask('/api/evict?by=all')).status).toBe(404);
    expect(await isKept()).toBe(true);
    expect((await running.change('evict', { by: 'all' })).status).toBe(200);
    expect(await isKept()).toBe(false);
  });

  it('opens from a link elsewhere, without data', async () => {
    running = await startDashboard(platform);
    await fill();
    const page = await running.ask('', {
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
    });
    expect(page.status).toBe(200);
    expect(page.text).not.toContain('things');
    const framed = await running.ask('', {
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'iframe',
    });
    expect(framed.status).toBe(403);
  });

  it('stands behind global guards, and takes decorators', async () => {
    class NobodyGuard implements CanActivate {
      canActivate(context: ExecutionContext): boolean {
        return (
          context.switchToHttp().getRequest<{ headers: Record<string, string> }>().headers['x-staff'] === '1'
        );
      }
    }
    running = await startDashboard(
      platform,
      {},
      { setUp: (app) => void app.useGlobalGuards(new NobodyGuard()) },
    );
    expect((await running.ask('')).status).toBe(403);
    expect((await running.ask('', { 'x-staff': '1' })).status).toBe(200);
    await running.close();
    running = await startDashboard(platform, { dashboard: { decorators: [UseGuards(NobodyGuard)] } });
    expect((await running.ask('/api/entries')).status).toBe(403);
    expect((await running.ask('/api/entries', { 'x-staff': '1' })).status).toBe(200);
  });

  it('is never stored, indexed, framed, or open to scripts of others', async () => {
    running = await startDashboard(platform, { cacheAll: true });
    for (const path of ['', '/api/entries', '/assets/app.js', '/assets/none']) {
      const { headers } = await running.ask(path);
      expect(headers).toMatchObject({
        'cache-control': 'no-store, no-transform',
        'x-robots-tag': 'noindex, nofollow',
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
      });
      const policy = String(headers['content-security-policy']);
      expect(policy).toContain("default-src 'none'");
      expect(policy).not.toMatch(/unsafe|https?:|\*/);
      expect(headers['x-cache']).toBeUndefined();
    }
  });
});

describe('in production', () => {
  afterEach(() => vi.unstubAllEnvs());

  it.each([
    ['the dashboard without authorize', { dashboard: true }, 'dashboard.authorize'],
    ['a toolbar', { dashboard: { authorize: () => true }, toolbar: true }, 'toolbar'],
  ])('an application with %s does not start', (_what, options, field) => {
    vi.stubEnv('NODE_ENV', 'production');
    expect(() => CachingModule.forRoot(options)).toThrow(CachingConfigError);
    expect(() => CachingModule.forRoot(options)).toThrow(field);
    expect(() => CachingModule.forRootAsync({ useFactory: () => ({}), ...options })).toThrow(field);
  });

  it('one with authorize does', () => {
    vi.stubEnv('NODE_ENV', 'production');
    expect(CachingModule.forRoot({ dashboard: { authorize: () => true } }).controllers).toHaveLength(1);
  });

  it.each([
    ['dashboard', { dashboard: 7 }],
    ['dashboard.path', { dashboard: { path: '/a b' } }],
    ['dashboard.path', { dashboard: { path: '/:id' } }],
    ['dashboard.authorize', { dashboard: { authorize: true } }],
    ['dashboard.decorators', { dashboard: { decorators: [1] } }],
    ['dashboard.password', { dashboard: { password: 'x' } }],
    ['toolbar', { toolbar: true }],
    ['toolbar', { dashboard: true, toolbar: 1 }],
  ])('a wrong %s is named', (field, options) => {
    expect(() => CachingModule.forRoot(options as never)).toThrow(field);
  });
});

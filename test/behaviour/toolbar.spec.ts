import { gunzipSync } from 'node:zlib';
import { Controller, Get, Header, HttpException, Query, Res, StreamableFile } from '@nestjs/common';
import { CacheView } from 'nestjs-caching';
import { afterEach, describe, expect, it } from 'vitest';
import { PLATFORMS } from '../support/application.js';
import { type DashboardApp, startDashboard, ThingsController } from '../support/dashboard/dashboard-app.js';
import { useCompression } from '../support/plugins.js';
import type { RawResponse } from '../support/raw-http.js';

const PAGE = '<!doctype html><title>A page</title><p>Hello</p>';
const SCRIPT = '\n<script type="module" src="/_cache/assets/toolbar.js"></script>\n';
const HTML = 'text/html; charset=utf-8';

@Controller('pages')
class PagesController {
  @Get('cached') @Header('Content-Type', HTML) @CacheView({ tags: ['pages'] }) cached() {
    return PAGE;
  }

  @Get('plain') @Header('Content-Type', HTML) plain() {
    return PAGE;
  }

  @Get('streamed') @CacheView() streamed() {
    return new StreamableFile(Buffer.from(PAGE), { type: HTML, length: PAGE.length });
  }

  @Get('raw') @CacheView() raw(@Res() response: { type(name: string): { send(body: string): void } }) {
    response.type('text/html').send(PAGE);
  }

  @Get('nonce')
  @Header('Content-Type', HTML)
  @Header('Content-Security-Policy', "script-src 'nonce-abc123='")
  nonce() {
    return PAGE;
  }

  @Get('rescued')
  @Header('Content-Type', HTML)
  @CacheView({ ttl: '10s', staleIfError: '1m' })
  rescued(@Query('fail') fail?: string) {
    if (fail !== undefined && PagesController.isDown) throw new HttpException('down', 503);
    return PAGE;
  }

  static isDown = false;

  @Get('text') @Header('Content-Type', 'text/plain') text() {
    return PAGE;
  }
}

describe.each(PLATFORMS)('the toolbar on %s', (platform) => {
  let running: DashboardApp;
  const start = async (setUp?: Parameters<typeof startDashboard>[2]): Promise<void> => {
    running = await startDashboard(
      platform,
      { toolbar: true },
      { controllers: [PagesController, ThingsController], ...setUp },
    );
  };
  const isWhole = ({ headers, body }: RawResponse): boolean =>
    headers['content-length'] === undefined || Number(headers['content-length']) === body.length;
  const viewOf = async (response: RawResponse): Promise<unknown> => {
    const id = /cache-view;desc="([^"]+)"/.exec(String(response.headers['server-timing']))?.[1];
    return JSON.parse((await running.ask(`/api/view?id=${id}`)).text);
  };

  afterEach(() => running.close());

  it.each(['cached', 'streamed', 'raw'])(
    'is on misses and hits alike, and never stored: %s',
    async (name) => {
      await start();
      for (const verdict of ['MISS', 'HIT', 'HIT']) {
        const response = await running.request(`/pages/${name}`);
        expect([response.verdict, response.text]).toEqual([verdict, PAGE + SCRIPT]);
        expect(isWhole(response)).toBe(true);
      }
    },
  );

  it('tells verdict, age, tags and times of that page', async () => {
    await start();
    expect(await viewOf(await running.request('/pages/cached'))).toMatchObject({
      verdict: 'miss',
      route: 'PagesController.cached',
      tags: ['pages'],
      handlerMs: expect.any(Number) as unknown,
    });
    running.clock.advance(3_000);
    expect(await viewOf(await running.request('/pages/cached'))).toMatchObject({
      verdict: 'hit',
      ageMs: 3_000,
      tags: ['pages'],
      key: expect.stringContaining('/pages/cached') as unknown,
      storeMs: expect.any(Number) as unknown,
    });
    expect(await viewOf(await running.request('/pages/plain'))).toMatchObject({ verdict: 'not-cached' });
    expect(
      await viewOf(await running.request('/pages/cached', { headers: { authorization: 'x' } })),
    ).toMatchObject({ verdict: 'bypassed', reason: 'credentials' });
  });

  it('tells of a page that took the place of a failure that it is stale, before and after it is sent', async () => {
    await start();
    await running.request('/pages/rescued?fail');
    running.clock.advance(10_000);
    PagesController.isDown = true;
    const response = await running.request('/pages/rescued?fail');
    PagesController.isDown = false;
    expect(response.verdict).toBe('STALE');
    expect(response.headers['server-timing']).toContain('cache-verdict;desc="stale"');
    expect(await viewOf(response)).toMatchObject({ verdict: 'stale', reason: 'if-error' });
  });

  it.each(['/things', '/pages/text', '/_cache'])(
    'is not on what is no page of the application: %s',
    async (path) => {
      await start();
      const response = path === '/_cache' ? await running.ask('') : await running.request(path);
      expect(response.status).toBe(200);
      expect(response.text).not.toContain('toolbar.js');
      expect(response.headers['server-timing']).toBeUndefined();
    },
  );

  it('leaves conditional requests as they are', async () => {
    await start();
    await running.request('/pages/cached');
    const { headers } = await running.request('/pages/cached');
    expect(headers.etag).toMatch(/^W\//);
    const again = await running.request('/pages/cached', {
      headers: { 'if-none-match': String(headers.etag) },
    });
    expect([again.status, again.text, again.verdict]).toEqual([304, '', 'HIT']);
    expect(await viewOf(again)).toMatchObject({ verdict: 'hit' });
    const head = await running.request('/pages/cached', { method: 'HEAD' });
    expect([head.status, head.text]).toEqual([200, '']);
  });

  it('takes the nonce of a page whose policy asks for one', async () => {
    await start();
    expect((await running.request('/pages/nonce')).text).toContain('toolbar.js" nonce="abc123="></script>');
  });

  it('is inside of what compression compresses', async () => {
    await start({ setUp: (app) => useCompression(platform, app) });
    for (const verdict of ['MISS', 'HIT']) {
      const response = await running.request('/pages/cached', { headers: { 'accept-encoding': 'gzip' } });
      expect([response.verdict, response.headers['content-encoding']]).toEqual([verdict, 'gzip']);
      expect(gunzipSync(response.body).toString()).toBe(PAGE + SCRIPT);
    }
  });

  it('finds its script behind a global prefix', async () => {
    await start({ setUp: (app) => void app.setGlobalPrefix('api') });
    expect((await running.request('/api/pages/plain')).text).toContain('src="/api/_cache/assets/toolbar.js"');
  });

  it('is not there unless it is asked for', async () => {
    running = await startDashboard(platform, {}, { controllers: [PagesController] });
    const { text, headers } = await running.request('/pages/cached');
    expect([text, headers['server-timing']]).toEqual([PAGE, undefined]);
  });
});

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ExpressAdapter } from '@nestjs/platform-express';
import type { Express } from 'express';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DashboardApp, startDashboard } from '../support/dashboard/dashboard-app.js';
import { rawRequest, type RawResponse } from '../support/raw-http.js';

const PAGE = '<!doctype html><title>Things</title><p>A page</p>';

describe('the toolbar of an application that is mounted under a path of another, on express', () => {
  let running: DashboardApp;
  let server: Server;
  const ask = (target: string): Promise<RawResponse> => {
    const { port } = server.address() as AddressInfo;
    const headers = { host: `127.0.0.1:${port}`, 'sec-fetch-site': 'same-origin' };
    return rawRequest(port, target, { headers });
  };

  beforeEach(async () => {
    running = await startDashboard('express', { toolbar: true });
    const outer = new ExpressAdapter().getInstance<Express>();
    const inner = running.app.getHttpAdapter().getInstance() as Express;
    outer.use('/shops/:shop', inner);
    outer.use('/shop', inner);
    server = createServer(outer);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });

  afterEach(async () => {
    await new Promise((resolve) => server.close(resolve));
    await running.close();
  });

  it.each(['/shop', '/SHOP', '/shops/a-1', '/shops/a%20b'])(
    'finds its script there, and what the cache did: %s',
    async (mount) => {
      for (const verdict of ['MISS', 'HIT']) {
        const page = await ask(`${mount}/things/page?verdict`);
        expect([page.status, page.verdict]).toEqual([200, verdict]);
        expect(page.text).toBe(
          `${PAGE}\n<script type="module" src="${mount}/_cache/assets/toolbar.js"></script>\n`,
        );
        const id = /cache-view;desc="([^"]+)"/.exec(String(page.headers['server-timing']))?.[1];
        expect((await ask(`${mount}/_cache/assets/toolbar.js`)).status).toBe(200);
        expect((await ask(`${mount}/_cache/api/view?id=${id}`)).text).toContain('"ThingsController.page"');
      }
    },
  );

  it('is where it was where the application is asked for at its own root', async () => {
    expect((await running.request('/things/page')).text).toContain('src="/_cache/assets/toolbar.js"');
  });

  it.each(['/shops/"><i>', "/shops/'a", '/shops/a&quot;b', '/shops/<a', '/shops/\\evil.example'])(
    'writes nothing into a page that a client could have put into the path: %s',
    async (mount) => {
      const page = await ask(`${mount}/things/page`);
      expect([page.status, page.text]).toEqual([200, PAGE]);
    },
  );
});

import { Controller, Get, Header } from '@nestjs/common';
import { CacheView, type CachingModuleExtras, type CachingModuleOptions } from 'nestjs-caching';
import {
  type ApplicationOptions,
  type Platform,
  type RunningApplication,
  startApplication,
} from '../application.js';
import type { RawResponse } from '../raw-http.js';

@Controller('things')
export class ThingsController {
  @Get() @CacheView({ tags: ['things'] }) list() {
    return { secret: 'body of the list' };
  }

  @Get('page') @Header('Content-Type', 'text/html; charset=utf-8') @CacheView({ tags: ['pages'] }) page() {
    return '<!doctype html><title>Things</title><p>A page</p>';
  }
}

/** What the dashboard's own page sends beside its cookie. */
export interface DashboardApp extends RunningApplication {
  /** A request as the dashboard's page sends it. */
  ask(path: string, headers?: Record<string, string>): Promise<RawResponse>;
  /** What the page's token is. */
  token(): Promise<string>;
  change(what: string, body: unknown, headers?: Record<string, string>): Promise<RawResponse>;
}

export async function startDashboard(
  platform: Platform,
  caching: CachingModuleOptions & CachingModuleExtras = {},
  options: ApplicationOptions = {},
  base = '/_cache',
): Promise<DashboardApp> {
  const running = await startApplication(platform, {
    controllers: [ThingsController],
    caching: { dashboard: true, ...caching },
    ...options,
  });
  const host = `127.0.0.1:${running.port}`;
  const own = { host, 'sec-fetch-site': 'same-origin' };
  const ask = (path: string, headers: Record<string, string> = {}): Promise<RawResponse> =>
    running.request(base + path, { headers: { ...own, ...headers } });
  const token = async (): Promise<string> =>
    /name="cache-token" content="([^"]+)"/.exec((await ask('')).text)?.[1] ?? 'none';
  return {
    ...running,
    ask,
    token,
    change: async (what, body, headers = {}) =>
      running.request(`${base}/api/${what}`, {
        method: 'POST',
        body,
        headers: {
          ...own,
          'content-type': 'application/json',
          'x-cache-dashboard-token': await token(),
          ...headers,
        },
      }),
  };
}

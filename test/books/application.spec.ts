import type { LoggerService } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { settingsFrom } from '../../apps/books-api/src/settings.js';
import { BooksApp, PLATFORMS } from './support/books-app.js';

describe.each(PLATFORMS)('The books API on %s', (platform) => {
  const warnings: unknown[] = [];
  const logger: LoggerService = {
    log: () => undefined,
    warn: (...message: unknown[]) => warnings.push(message),
    error: (...message: unknown[]) => warnings.push(message),
  };
  let app: BooksApp;
  beforeAll(async () => {
    app = await BooksApp.start(platform, {}, logger);
  });
  afterAll(() => app.close());

  it('starts and serves every cached route without a warning of the cache', async () => {
    const paths = ['/', '/about', '/books', '/books/emma', '/books/emma/page', '/languages'];
    for (const path of paths) expect((await app.get(path)).verdict).toBe('MISS');
    for (const path of paths) expect((await app.get(path)).verdict).toBe('HIT');
    expect(warnings).toEqual([]);
  });

  it('reads and writes a plain value through CACHE_MANAGER, which is no view', async () => {
    expect((await app.get('/notice')).text).toBe('{"text":null}');
    expect((await app.ask('PUT', '/notice', { body: { text: 'Closed on Friday' } })).status).toBe(204);
    const notice = await app.get('/notice');
    expect([notice.text, notice.verdict === 'HIT']).toEqual(['{"text":"Closed on Friday"}', false]);
    expect((await app.ask('PUT', '/notice', { body: { text: 5 } })).status).toBe(400);
  });

  it('runs every handler every time with CACHE=off, and answers the same', async () => {
    const off = await BooksApp.start(platform, { cache: false });
    for (const path of ['/books', '/books/emma', '/books/none', '/languages']) {
      const [cached, first, second] = [await app.get(path), await off.get(path), await off.get(path)];
      expect([first.status, first.text]).toEqual([cached.status, cached.text]);
      expect([second.status, second.text, second.verdict === 'HIT']).toEqual([
        cached.status,
        cached.text,
        false,
      ]);
    }
    expect(await off.runs('GET /books')).toBe(2);
    expect(await off.runs('GET /books/:name')).toBe(4);
    await off.close();
  });

  it('never caches its statistics', async () => {
    await app.get('/books/candide');
    const before = await app.runs('GET /books/:name');
    await app.get('/books/nausea');
    expect(await app.runs('GET /books/:name')).toBe(before + 1);
    expect((await app.get('/stats')).verdict).not.toBe('HIT');
  });

  it('has an OpenAPI page at /docs that needs nothing from elsewhere', async () => {
    const page = await app.get('/docs');
    expect([page.status, page.headers.get('content-type')]).toEqual([
      200,
      expect.stringContaining('text/html'),
    ]);
    const assets = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address]) => address ?? '');
    expect(assets).not.toEqual([]);
    for (const asset of assets) {
      const address = new URL(asset, `${app.url}/docs`);
      expect(address.origin).toBe(app.url);
      const { status, text } = await app.get(address.pathname);
      expect([status, text.length > 0]).toEqual([200, true]);
    }
  });

  it('describes every route in its OpenAPI document', async () => {
    const { paths } = JSON.parse((await app.get('/docs-json')).text) as { paths: Record<string, object> };
    const routes = Object.entries(paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(routes.toSorted()).toEqual(
      [
        'GET /',
        'GET /about',
        'GET /books',
        'POST /books',
        'POST /books/search',
        'GET /books/{name}',
        'PUT /books/{name}',
        'DELETE /books/{name}',
        'GET /books/{name}/page',
        'GET /languages',
        'GET /me',
        'POST /login',
        'POST /logout',
        'POST /analysis',
        'GET /notice',
        'PUT /notice',
        'GET /statistics/{language}',
        'DELETE /statistics/{language}',
        'DELETE /statistics',
        'GET /stats',
      ].toSorted(),
    );
  });
});

describe('Settings', () => {
  it('have the defaults that the README states', () => {
    const { sessionSecret, ...rest } = settingsFrom({});
    expect(rest).toEqual({
      platform: 'express',
      host: '127.0.0.1',
      port: 3000,
      cache: true,
      dashboard: true,
      slowMs: 1500,
      listTtlMs: 60_000,
      analysisTtlMs: 86_400_000,
    });
    expect(settingsFrom({ NODE_ENV: 'production' }).dashboard).toBe(false);
    expect(sessionSecret).toMatch(/^[0-9a-f]{64}$/);
    expect(settingsFrom({}).sessionSecret).not.toBe(sessionSecret);
    const empty = settingsFrom({ PORT: '', HOST: '', CACHE: '', SESSION_SECRET: '', DATABASE_URL: '' });
    expect(empty).toEqual({ ...rest, sessionSecret: empty.sessionSecret });
    expect(empty.sessionSecret).toHaveLength(64);
  });

  it('come from the environment', () => {
    const environment = {
      PLATFORM: 'fastify',
      HOST: '0.0.0.0',
      PORT: '8080',
      CACHE: 'off',
      DASHBOARD: 'off',
      SLOW_MS: '0',
      SESSION_SECRET: 's',
      MODEL_URL: 'http://127.0.0.1:1',
      DATABASE_URL: 'postgres://127.0.0.1/books',
    };
    expect(settingsFrom(environment)).toEqual({
      platform: 'fastify',
      host: '0.0.0.0',
      port: 8080,
      cache: false,
      dashboard: false,
      slowMs: 0,
      listTtlMs: 60_000,
      analysisTtlMs: 86_400_000,
      sessionSecret: 's',
      modelUrl: 'http://127.0.0.1:1',
      databaseUrl: 'postgres://127.0.0.1/books',
    });
  });

  it.each([
    [{ PLATFORM: 'koa' }, 'PLATFORM must be one of express, fastify, but is "koa"'],
    [{ CACHE: 'no' }, 'CACHE must be one of on, off, but is "no"'],
    [{ PORT: 'http' }, 'PORT must be a whole number, but is "http"'],
    [{ SLOW_MS: '1.5s' }, 'SLOW_MS must be a whole number, but is "1.5s"'],
  ])('refuse %j by name', (environment, message) => {
    expect(() => settingsFrom(environment)).toThrow(message);
  });
});

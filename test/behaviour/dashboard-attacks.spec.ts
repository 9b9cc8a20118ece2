import type { ServerResponse } from 'node:http';
import { connect as connectOver2 } from 'node:http2';
import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { CacheEvictionService, memoize } from 'nestjs-caching';
import { ChaosStore } from 'nestjs-caching/testing';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { PLATFORMS } from '../support/application.js';
import { type DashboardApp, startDashboard, ThingsController } from '../support/dashboard/dashboard-app.js';
import { LiveReader } from '../support/dashboard/live-reader.js';
import { eventually, Gate, turns } from '../support/gate.js';
import { getLine, sendBytes } from '../support/raw-socket.js';

/** The dashboard's paths as somebody writes them who wants to get past what looks at paths. */
const SPELLINGS = [
  '/_CACHE/api/entries',
  '/_Cache/API/Entries',
  '/%5fcache/api/entries',
  '/_cache%2fapi/entries',
  '//_cache/api/entries',
  '/_cache//api/entries',
  '/_cache/api//entries',
  '/_cache/api/entries/',
  '/_cache/api/%65ntries',
  '/_cache/./api/entries',
  '/x/../_cache/api/entries',
  '/x/%2e%2e/_cache/api/entries',
  '/_cache/;x/api/entries',
  '/_cache;x/api/entries',
  '/_cache/api/entries;x',
  '/_cache/api/entries%00',
  '/_cache/api/entries?/things',
  'http://evil.example/_cache/api/entries',
  '/_cache/api/token',
  '/_cache/',
  '/_CACHE/',
  '/_cache/assets/app.js',
];

/** What proxies add, each its own. */
const PROXIES = [
  'forwarded',
  'via',
  'x-forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
  'x-client-ip',
  'true-client-ip',
  'cf-connecting-ip',
  'x-envoy-external-address',
];

describe.each(PLATFORMS)('attacks on the dashboard on %s', (platform) => {
  let running: DashboardApp;
  const readers: LiveReader[] = [];
  const read = (...how: [method?: string, next?: string]): LiveReader => {
    const reader = LiveReader.open(running.port, ...how);
    readers.push(reader);
    return reader;
  };

  afterEach(async () => {
    for (const { socket } of readers.splice(0)) socket.destroy();
    await running.close();
  });

  it.each(SPELLINGS)('no spelling of a path gets past its gate: %s', async (target) => {
    running = await startDashboard(platform, { dashboard: { authorize: () => false }, cacheAll: true });
    await running.request('/things');
    const answer = await sendBytes(running.port, getLine(target, [`Host: 127.0.0.1:${running.port}`]));
    expect(['403 no-store, no-transform', '404 undefined']).toContain(
      `${answer.status} ${answer.headers['cache-control']}`,
    );
    expect(answer.text).not.toMatch(/things"|"token":|import /);
    expect(answer.verdict).not.toBe('HIT');
  });

  it.each(PROXIES)('who comes through a proxy on this machine is not of this machine: %s', async (field) => {
    running = await startDashboard(platform);
    const answer = await running.ask('/api/entries', { [field]: '203.0.113.7' });
    expect([answer.status, answer.text]).toEqual([403, '{"reason":"not-local"}']);
  });

  it('nor is who speaks HTTP/1.0, as nginx does to what is behind it', async () => {
    running = await startDashboard(platform);
    const fields = `Host: 127.0.0.1:${running.port}\r\nSec-Fetch-Site: same-origin\r\nConnection: close\r\n\r\n`;
    const old = await sendBytes(running.port, `GET /_cache/api/entries HTTP/1.0\r\n${fields}`);
    expect([old.status, old.text]).toEqual([403, '{"reason":"not-local"}']);
    const own = await sendBytes(running.port, `GET /_cache/api/entries HTTP/1.1\r\n${fields}`);
    expect(own.status).toBe(200);
  });

  it.each([
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'none' },
    { 'sec-fetch-site': 'Same-Origin' },
    { 'sec-fetch-site': '' },
    { 'sec-fetch-site': 'same-origin, cross-site' },
    { origin: 'null' },
    { origin: 'https://evil.example' },
    { origin: 'http://127.0.0.1' },
    { origin: 'http://127.0.0.1.evil.example' },
    { origin: '' },
    {},
  ])('a form or script elsewhere evicts nothing: %j', async (headers) => {
    running = await startDashboard(platform, { dashboard: { authorize: () => true } });
    await running.request('/things');
    const host = `127.0.0.1:${running.port}`;
    // With all that it could not know, so that this alone is what it fails by.
    const token = await running.token();
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/json']) {
      const answer = await running.request('/_cache/api/evict', {
        method: 'POST',
        body: '{"by":"all"}',
        headers: { host, 'content-type': type, 'x-cache-dashboard-token': token, ...headers },
      });
      expect([403, 415]).toContain(answer.status);
    }
    expect((await running.request('/things')).verdict).toBe('HIT');
  });

  it('HEAD of the live messages ends, and takes no place', async () => {
    running = await startDashboard(platform);
    const next = `GET /things HTTP/1.1\r\nhost: 127.0.0.1:${running.port}\r\n\r\n`;
    const asked = Array.from({ length: 17 }, () => read('HEAD', next));
    await eventually(() => asked.every(({ statuses }) => statuses.length === 2), 'both are answered');
    expect(asked.map(({ statuses }) => statuses.join())).toEqual(Array(17).fill('200,200'));
  });

  it('who leaves while it is decided whether they may look takes no place', async () => {
    const gate = new Gate();
    let isSlow = true;
    running = await startDashboard(platform, {
      dashboard: { authorize: async () => (isSlow ? gate.pass().then(() => true) : true) },
    });
    const left = Array.from({ length: 16 }, () => read());
    await eventually(() => gate.arrived === 16, 'all are being decided about');
    for (const { socket } of left) socket.destroy();
    await eventually(() => left.every(({ isClosed }) => isClosed), 'all have left');
    await turns(20);
    isSlow = false;
    gate.open();
    await turns(20);
    const reader = read();
    await eventually(() => reader.status !== '', 'the next one is answered');
    expect(reader.status).toBe('200');
  });

  it('who was let in is asked again after ten minutes', async () => {
    let isAdmin = true;
    running = await startDashboard(platform, { dashboard: { authorize: () => isAdmin } });
    const reader = read();
    await eventually(() => reader.ticks.length === 1, 'the first message');
    isAdmin = false;
    running.clock.advance(9 * 60_000);
    await eventually(() => reader.ticks.length > 1, 'it still listens');
    expect(reader.isClosed).toBe(false);
    running.clock.advance(60_000);
    await eventually(() => reader.isClosed, 'it is sent away');
    const again = read();
    await eventually(() => again.status !== '', 'it has asked again');
    expect(again.status).toBe('403');
  });

  it('who reads nothing does not keep the application from closing', async () => {
    let live: ServerResponse | undefined;
    running = await startDashboard(
      platform,
      {},
      {
        setUp: (app) =>
          void app.use((_request: unknown, response: ServerResponse, next: () => void) => {
            live ??= response;
            next();
          }),
      },
    );
    const slow = read();
    await eventually(() => slow.ticks.length === 1, 'the first message');
    slow.socket.pause();
    const evictions = running.app.get(CacheEvictionService);
    const isStalled = () => live?.writableNeedDrain === true;
    // The kernel takes some megabytes for a reader, and after ten minutes it is sent away: messages are to be large.
    for (let at = 0; at < 400; at++)
      await memoize(async () => at, { name: `${platform}${'f'.repeat(80)}${at}` })();
    for (let second = 0; !isStalled() && second < 500; second++) {
      for (let at = 0; at < 120; at++) await evictions.byTag(`t${at}`);
      running.clock.advance(1_000);
      await turns(1);
    }
    expect(isStalled()).toBe(true);
    await running.close();
    expect(live?.destroyed).toBe(true);
  });

  it('who comes back while the application closes does not keep it from that', async () => {
    const gate = new Gate();
    @Injectable()
    class SlowToClose implements BeforeApplicationShutdown {
      beforeApplicationShutdown(): Promise<void> {
        return gate.pass();
      }
    }
    running = await startDashboard(
      platform,
      {},
      { controllers: [ThingsController], providers: [SlowToClose] },
    );
    const reader = read();
    await eventually(() => reader.ticks.length === 1, 'the first message');
    const closing = running.close();
    await eventually(() => reader.isClosed && gate.arrived === 1, 'it is sent away');
    const again = read();
    await eventually(() => again.status !== '', 'it has come back');
    expect(again.status).toBe('503');
    gate.open();
    await closing;
  });

  it('tells who asks wrongly what is wrong, and logs nothing of it', async () => {
    running = await startDashboard(platform);
    for (const value of [{ toString: 1 }, ['a', 'b'], 7, null]) {
      const answer = await running.change('explain', { url: '/things', headers: { accept: value } });
      expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('the header \\"accept\\"')]);
    }
    expect(running.logger.errors).toEqual([]);
  });

  it('tells that the store failed as that, and nothing of where it is', async () => {
    const store = new ChaosStore();
    running = await startDashboard(platform, { store });
    store.faults.evict = 'reject';
    expect((await running.change('evict', { by: 'all' })).status).toBe(503);
  });
});

describe('what the dashboard remembers', () => {
  it('is bounded also where functions are memoized under ever new names', async () => {
    const running = await startDashboard('fastify');
    const own = memoize(async () => 1, { name: 'first', ttl: '1m' });
    await own();
    for (let at = 0; at < 1_200; at++) await memoize(async () => at, { name: `f${at}`, ttl: '1m' })();
    const reader = LiveReader.open(running.port);
    await eventually(() => reader.ticks.length === 1, 'the first message');
    const [tick] = reader.ticks;
    expect(tick?.routes).toHaveLength(1_001);
    expect(tick?.routes.at(-1)).toMatchObject({ route: 'other', stored: 201 });
    reader.socket.destroy();
    await running.close();
  });
});

describe('the dashboard over HTTP/2', () => {
  it('is for this machine by its own name for the host, and who leaves early takes no place', async () => {
    const gate = new Gate();
    let isSlow = false;
    const authorize = async () => (isSlow ? gate.pass().then(() => true) : true);
    const fastify = { http2: true } as never;
    const local = await startDashboard('fastify', {}, { fastify });
    onTestFinished(() => local.close());
    expect(await statusOver2(local.port, '/_cache/api/entries')).toBe(200);
    expect(await statusOver2(local.port, '/_cache/api/entries', { ':authority': 'rebound.example' })).toBe(
      403,
    );
    const open = await startDashboard('fastify', { dashboard: { authorize } }, { fastify });
    onTestFinished(() => open.close());
    isSlow = true;
    const left = Array.from({ length: 16 }, () => askOver2(open.port, '/_cache/api/live'));
    await eventually(() => gate.arrived === 16, 'all are being decided about');
    const closed = left.map(({ session }) => new Promise((resolve) => session.once('close', resolve)));
    for (const { session } of left) session.destroy();
    await Promise.all(closed);
    await turns(20);
    isSlow = false;
    gate.open();
    await turns(20);
    expect(await statusOver2(open.port, '/_cache/api/live')).toBe(200);
  });
});

function askOver2(port: number, path: string, fields: Record<string, string> = {}) {
  const session = connectOver2(`http://127.0.0.1:${port}`);
  session.on('error', () => undefined);
  const request = session.request({ ':path': path, 'sec-fetch-site': 'same-origin', ...fields });
  request.on('error', () => undefined);
  request.end();
  return { session, request };
}

async function statusOver2(...how: Parameters<typeof askOver2>): Promise<unknown> {
  const { session, request } = askOver2(...how);
  const status = await new Promise((resolve) => request.once('response', (head) => resolve(head[':status'])));
  session.destroy();
  return status;
}

import type { Server } from 'node:net';
import { promisify } from 'node:util';
import { Controller, Get, VersioningType } from '@nestjs/common';
import { CacheEvictionService, CacheView } from 'nestjs-caching';
import { afterEach, describe, expect, it } from 'vitest';
import { PLATFORMS } from '../support/application.js';
import { type DashboardApp, startDashboard } from '../support/dashboard/dashboard-app.js';
import { LiveReader, type Tick } from '../support/dashboard/live-reader.js';
import { eventually, turns } from '../support/gate.js';
import { useCompression, useHelmet } from '../support/plugins.js';

describe.each(PLATFORMS)('the page of the dashboard on %s', (platform) => {
  let running: DashboardApp;
  const readers: LiveReader[] = [];
  const read = (): LiveReader => {
    const reader = LiveReader.open(running.port);
    readers.push(reader);
    return reader;
  };

  afterEach(async () => {
    for (const { socket } of readers.splice(0)) socket.destroy();
    await running.close();
  });

  it('tells what happens as it happens, also through compression', async () => {
    running = await startDashboard(platform, {}, { setUp: (app) => useCompression(platform, app) });
    await running.request('/things');
    const reader = read();
    await eventually(() => reader.ticks.length === 1, 'the first message');
    await running.request('/things');
    running.clock.advance(1_000);
    await eventually(() => reader.ticks.length === 2, 'the second message');
    const [first, second] = reader.ticks as [Tick, Tick];
    expect(first.log.map(({ type }) => type)).toEqual(['stored']);
    expect(second.log.map(({ type }) => type)).toEqual(['hit']);
    expect(second.routes).toEqual([
      expect.objectContaining({ route: 'ThingsController.list', hits: 1, stored: 1 }),
    ]);
    expect(second.seconds.reduce((sum, { hits }) => sum + hits, 0)).toBe(1);
    expect(second.health).toMatchObject({ memory: { entries: 1 }, store: { name: 'memory' } });
    expect(JSON.stringify(reader.ticks)).not.toContain('body of the list');
  });

  it('counts what a validator has renewed as a hit, of which no handler ran', async () => {
    @Controller('things')
    class ThingsController {
      @Get() @CacheView({ ttl: '10s', validator: () => 'v1' }) list() {
        return { a: 1 };
      }
    }
    running = await startDashboard(platform, {}, { controllers: [ThingsController] });
    await running.request('/things');
    running.clock.advance(10_000);
    await running.request('/things');
    const reader = read();
    await eventually(() => reader.ticks.length === 1, 'the first message');
    const [{ routes, seconds, log }] = reader.ticks as [Tick];
    expect(log.map(({ type }) => type)).toEqual(['stored', 'stored', 'hit']);
    expect(routes).toEqual([expect.objectContaining({ hits: 1, stored: 1 })]);
    expect(seconds.map(({ hits, fills }) => [hits, fills])).toEqual([
      [0, 1],
      [1, 0],
    ]);
  });

  it('sends fewer messages to who reads slowly, and drops who reads nothing: what waits is bounded', async () => {
    running = await startDashboard(platform);
    const slow = read();
    await eventually(() => slow.ticks.length === 1, 'the first message');
    slow.socket.pause();
    const evictions = running.app.get(CacheEvictionService);
    const server = running.app.getHttpServer() as Server;
    const connections = promisify(server.getConnections.bind(server));
    let sent = 0;
    for (; (await connections()) > 0; sent++) {
      for (let at = 0; at < 120; at++) await evictions.byTag(`t${at}`);
      running.clock.advance(1_000);
      await turns(1);
    }
    slow.socket.resume();
    await eventually(() => slow.isClosed, 'it was dropped');
    // It has missed lines rather than have them wait for it.
    expect(slow.ticks.length).toBeLessThan(sent);
    expect(slow.ticks.every(({ log }) => log.length <= 100)).toBe(true);
    expect(slow.ticks.some(({ missed }) => missed > 0)).toBe(true);
  });

  it('lets sixteen look at once, and tells the next to come later', async () => {
    running = await startDashboard(platform);
    for (let at = 0; at < 16; at++) read();
    await eventually(() => readers.every(({ status }) => status === '200'), 'all are served');
    const late = await running.ask('/api/live');
    expect([late.status, late.headers['retry-after']]).toEqual([503, '30']);
    (readers[0] as LiveReader).socket.destroy();
    await eventually(() => (readers[0] as LiveReader).isClosed, 'one has left');
    const next = read();
    await eventually(() => next.status !== '', 'the next one is answered');
  });

  it('does not keep the application from closing', async () => {
    running = await startDashboard(platform);
    const reader = read();
    await eventually(() => reader.ticks.length === 1, 'the first message');
    await running.close();
    await eventually(() => reader.isClosed, 'the connection is closed');
    expect(reader.isClosed).toBe(true);
  });

  it('works below a global prefix, with versions and helmet', async () => {
    running = await startDashboard(
      platform,
      { dashboard: { path: '/admin/cache/' } },
      {
        setUp: async (app) => {
          app.setGlobalPrefix('api');
          app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
          await useHelmet(platform, app);
        },
      },
      '/api/admin/cache',
    );
    await running.request('/api/v1/things');
    const page = await running.ask('');
    const [, script = ''] = /<script type="module" src="([^"]+)"/.exec(page.text) ?? [];
    const path = new URL(script, 'http://127.0.0.1/api/admin/cache').pathname;
    expect(path).toBe('/api/admin/cache/assets/app.js');
    expect((await running.request(path, { headers: { host: '127.0.0.1' } })).status).toBe(200);
    expect(String(page.headers['content-security-policy'])).toContain("default-src 'none'");
    expect((await running.ask('/api/entries?q=v1')).text).toContain('/api/v1/things');
  });

  it('serves its files from a list, and nothing beside them', async () => {
    running = await startDashboard(platform);
    const { text } = await running.ask('');
    expect(text).not.toMatch(/\{\{|<style|style="|<script(?![^>]+src=)| on\w+="/);
    for (const name of ['uplot.js', 'uplot.css', 'dashboard.css', 'icon.svg', 'toolbar.js'])
      expect([name, (await running.ask(`/assets/${name}`)).status]).toEqual([name, 200]);
    for (const name of ['..%2f..%2fdashboard.js', '%2e%2e', 'index.html', '__proto__', 'constructor'])
      expect([name, (await running.ask(`/assets/${name}`)).status]).toEqual([name, 404]);
  });

  it.each([
    [{}],
    [{ by: 'tag' }],
    [{ by: 'tag', value: '' }],
    [{ by: 'path', value: 'things' }],
    [{ by: 'route', value: 'Nobody.nothing' }],
    [{ by: 'entry', value: 'unknown' }],
    [{ by: '__proto__', value: 'x' }],
  ])('says what is wrong with an eviction of %j', async (body) => {
    running = await startDashboard(platform);
    const answer = await running.change('evict', body);
    expect([answer.status, Object.keys(JSON.parse(answer.text) as object)]).toEqual([400, ['reason']]);
  });

  it.each([
    ['tag', 'things'],
    ['path', '/things'],
    ['prefix', '/'],
    ['route', 'ThingsController.list'],
    ['all', undefined],
  ])('evicts by %s', async (by, value) => {
    running = await startDashboard(platform);
    await running.request('/things');
    expect((await running.change('evict', { by, value })).status).toBe(200);
    expect((await running.request('/things')).verdict).toBe('MISS');
    expect((await running.ask('/api/evictions')).text).toContain('"via":"dashboard"');
  });
});

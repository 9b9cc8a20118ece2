import { Controller, Get, Query } from '@nestjs/common';
import {
  AggregationTemporality,
  type DataPoint,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  CacheEvents,
  CacheEvictionService,
  CacheView,
  type CachingModuleOptions,
  CachingConfigError,
} from 'nestjs-caching';
import { openTelemetry } from 'nestjs-caching/open-telemetry';
import { prometheus } from 'nestjs-caching/prometheus';
import parsePrometheus from 'parse-prometheus-text-format';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';

const HANDLER_MS = 250;
let running: RunningApplication;

@Controller('books')
class BooksController {
  @Get()
  @CacheView({ ttl: '1m', tags: ['books'] })
  list(@Query('page') page: string) {
    running.clock.advance(HANDLER_MS);
    return { page };
  }

  @Get('none')
  @CacheView({ unless: () => true })
  none() {
    return 'x';
  }

  @Get('renewed')
  @CacheView({ ttl: '1m', validator: () => 'v1' })
  renewed() {
    running.clock.advance(HANDLER_MS);
    return 'x';
  }

  @Get('cookie')
  @CacheView({ statuses: [404] })
  cookie() {
    return 'x';
  }
}

const start = async (platform: 'express' | 'fastify', metrics: CachingModuleOptions['metrics'] & object) => {
  running = await startApplication(platform, {
    controllers: [BooksController],
    caching: { metrics, memory: { maxEntries: 100 } },
  });
};

afterEach(() => running.close());

/** The value of each series of each metric, by its labels. */
function read(text: string): Map<string, Map<string, number>> {
  const found = new Map<string, Map<string, number>>();
  // Sample by sample: of histograms with several series, the parser makes one.
  for (const { name, metrics } of parsePrometheus(text.replaceAll(/^# TYPE .*$/gm, ''))) {
    const series = found.get(name) ?? new Map<string, number>();
    found.set(name, series);
    for (const { labels = {}, value } of metrics) {
      const pairs = Object.entries(labels).map((pair) => pair.join('='));
      series.set(pairs.sort().join(','), Number(value));
    }
  }
  return found;
}

describe.each(PLATFORMS)('metrics in prom-client on %s', (platform) => {
  let register: Registry;

  beforeEach(async () => {
    register = new Registry();
    await start(platform, prometheus({ register }));
  });

  const metric = async (name: string) =>
    read(await register.metrics()).get(`nestjs_caching_${name}`) ?? new Map();

  it('count requests by route and what the cache did, and what that saved', async () => {
    for (const target of ['', '', '', '/none', '/cookie']) await running.request(`/books${target}`);
    expect(await metric('requests_total')).toEqual(
      new Map([
        ['reason=absent,result=miss,route=BooksController.list', 1],
        ['result=hit,route=BooksController.list,tier=local', 2],
        ['reason=unless,result=bypass,route=BooksController.none', 1],
        ['reason=absent,result=miss,route=BooksController.cookie', 1],
      ]),
    );
    expect(await metric('saved_seconds_total')).toEqual(
      new Map([['route=BooksController.list', (2 * HANDLER_MS) / 1_000]]),
    );
    expect(await metric('fills_skipped_total')).toEqual(
      new Map([['reason=status,route=BooksController.cookie', 1]]),
    );
    expect(await metric('handler_duration_seconds_count')).toEqual(
      new Map([
        ['outcome=stored,route=BooksController.list', 1],
        ['outcome=skipped,route=BooksController.cookie', 1],
      ]),
    );
    const bytes = (await running.request('/books')).body.length;
    expect(await metric('served_bytes_total')).toEqual(
      new Map([['result=hit,route=BooksController.list', 3 * bytes]]),
    );
    expect(await metric('stored_bytes_total')).toEqual(new Map([['route=BooksController.list', bytes]]));
  });

  it('count no run of a handler where what is stored is renewed without it', async () => {
    await running.request('/books/renewed');
    running.clock.advance(60_000);
    await running.request('/books/renewed');
    const labels = 'route=BooksController.renewed';
    expect(await metric('handler_duration_seconds_count')).toEqual(
      new Map([[`outcome=stored,${labels}`, 1]]),
    );
    expect(await metric('fills_stored_total')).toEqual(new Map([[labels, 1]]));
    expect(await metric('stored_bytes_total')).toEqual(new Map([[labels, 2]]));
    expect(await metric('saved_seconds_total')).toEqual(new Map([[labels, HANDLER_MS / 1_000]]));
  });

  it('say the same whether somebody listens to events beside them or not, also from one moment to the next', async () => {
    const { body } = await running.request('/books');
    const heard: string[] = [];
    let hits = 0;
    for (const isHeard of [false, true, false]) {
      const stop = isHeard
        ? running.app.get(CacheEvents).on(({ type }) => void heard.push(type))
        : () => undefined;
      await running.request('/books');
      await running.request('/books');
      stop();
      hits += 2;
      const labels = 'route=BooksController.list';
      expect((await metric('requests_total')).get(`result=hit,${labels},tier=local`)).toBe(hits);
      expect((await metric('served_bytes_total')).get(`result=hit,${labels}`)).toBe(hits * body.length);
      expect((await metric('saved_seconds_total')).get(labels)).toBe((hits * HANDLER_MS) / 1_000);
    }
    expect(heard).toEqual(['lookup', 'hit', 'lookup', 'hit']);
  });

  it('tell what memory holds, and what was evicted', async () => {
    for (let page = 0; page < 103; page++) await running.request(`/books?page=${page}`);
    await running.app.get(CacheEvictionService).byTag('of nothing');
    expect((await metric('entries')).get('')).toBe(100);
    expect((await metric('memory_bytes')).get('')).toBeGreaterThan(10_000);
    expect(await metric('evictions_total')).toEqual(
      new Map([
        ['cause=capacity', 3],
        ['acknowledged=true,cause=tags', 1],
      ]),
    );
    expect((await metric('store_duration_seconds_count')).get('operation=set')).toBe(103);
  });

  it('have as many series after 10,000 random URLs as after one', async () => {
    await running.request('/books?page=x');
    await running.request('/books?page=x');
    const seriesOf = async () => (await register.metrics()).replaceAll(/ [\d.e+-]+$/gm, '');
    const before = (await seriesOf()).split('\n');
    const random = () => Math.random().toString(36).slice(2);
    for (let sent = 0; sent < 10_000; sent += 100) {
      await Promise.all(
        Array.from({ length: 100 }, () => running.request(`/books?page=${random()}&${random()}=${random()}`)),
      );
    }
    expect((await metric('requests_total')).get('reason=absent,result=miss,route=BooksController.list')).toBe(
      10_001,
    );
    // Nothing was dropped for want of room before.
    const after = (await seriesOf()).split('\n').filter((line) => !line.includes('cause="capacity"'));
    expect(after).toEqual(before);
  }, 120_000);

  it('are gone when the application is', async () => {
    await running.close();
    expect(await register.metrics()).toBe('\n');
  });
});

describe('prometheus()', () => {
  it('refuses a registry that another application uses, and a prefix that no name may have', async () => {
    const register = new Registry();
    await start('fastify', prometheus({ register }));
    await expect(
      startApplication('fastify', { caching: { metrics: prometheus({ register }) } }),
    ).rejects.toThrow(/"metrics".*registry/s);
    const other = await startApplication('fastify', {
      caching: { metrics: prometheus({ register, prefix: 'b_' }) },
    });
    expect(await register.metrics()).toContain('b_requests_total');
    await other.close();
    expect(() => prometheus({ prefix: 'a-b' })).toThrow(CachingConfigError);
    await expect(
      startApplication('fastify', { caching: { metrics: { register } as never } }),
    ).rejects.toThrow(/"metrics"/);
  });
});

describe.each(PLATFORMS)('metrics in OpenTelemetry on %s', (platform) => {
  it('are the same', async () => {
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
    const provider = new MeterProvider({ readers: [reader] });
    await start(platform, openTelemetry({ meter: provider.getMeter('test') }));
    for (const target of ['', '', '/none', '/cookie']) await running.request(`/books${target}`);
    await provider.forceFlush();
    const metrics = exporter.getMetrics().at(-1)?.scopeMetrics[0]?.metrics ?? [];
    const points = (name: string) =>
      metrics.find(({ descriptor }) => descriptor.name === `nestjs_caching.${name}`)
        ?.dataPoints as DataPoint<number>[];
    expect(points('requests').map(({ value, attributes }) => [value, attributes])).toEqual([
      [1, { route: 'BooksController.list', result: 'miss', reason: 'absent' }],
      [1, { route: 'BooksController.list', result: 'hit', tier: 'local' }],
      [1, { route: 'BooksController.none', result: 'bypass', reason: 'unless' }],
      [1, { route: 'BooksController.cookie', result: 'miss', reason: 'absent' }],
    ]);
    expect(points('saved')[0]?.value).toBe(HANDLER_MS / 1_000);
    expect(points('entries')[0]?.value).toBe(1);
    expect(points('handler.duration').map(({ value, attributes }) => [value, attributes])).toMatchObject([
      [
        { count: 1, sum: HANDLER_MS / 1_000 },
        { route: 'BooksController.list', outcome: 'stored' },
      ],
      [{ count: 1 }, { route: 'BooksController.cookie', outcome: 'skipped' }],
    ]);
    await provider.shutdown();
  });
});

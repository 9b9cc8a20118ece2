import { setTimeout as delay } from 'node:timers/promises';
import { Controller, Get, Injectable } from '@nestjs/common';
import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { CacheContext, CacheView } from 'nestjs-caching';
import { openTelemetryTracing } from 'nestjs-caching/open-telemetry';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';

const exporter = new InMemorySpanExporter();
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
const tracer = provider.getTracer('application');

@Injectable()
class Database {
  async query(): Promise<string> {
    const span = tracer.startSpan('query');
    await delay(1);
    span.end();
    return 'books';
  }
}

@Controller('books')
class BooksController {
  constructor(
    private readonly database: Database,
    private readonly cache: CacheContext,
  ) {}

  @Get()
  @CacheView()
  async list() {
    this.cache.tag('books');
    return { books: await this.database.query() };
  }

  @Get('none')
  @CacheView()
  none() {
    this.cache.noStore();
    return 'x';
  }
}

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
});

afterAll(async () => {
  context.disable();
  await provider.shutdown();
});

describe.each(PLATFORMS)('tracing with OpenTelemetry on %s', (platform) => {
  let running: RunningApplication;

  beforeEach(async () => {
    exporter.reset();
    running = await startApplication(platform, {
      controllers: [BooksController],
      providers: [Database],
      caching: { tracing: openTelemetryTracing({ tracer }) },
      setUp: (app) => {
        // As an instrumentation of HTTP does it.
        app.use(
          (_request: unknown, response: { on(event: string, done: () => void): void }, next: () => void) => {
            const span = tracer.startSpan('request');
            response.on('finish', () => span.end());
            context.with(trace.setSpan(context.active(), span), next);
          },
        );
      },
    });
  });

  afterEach(() => running.close());

  const spans = () =>
    exporter.getFinishedSpans().map((span) => {
      const parent = exporter
        .getFinishedSpans()
        .find((each) => each.spanContext().spanId === span.parentSpanContext?.spanId);
      return [span.name, parent?.name, span.attributes] as const;
    });

  it('has a span for the look-up and one for the fill, with what the handler does below it', async () => {
    expect((await running.request('/books')).text).toBe('{"books":"books"}');
    expect(spans()).toEqual(
      expect.arrayContaining([
        [
          'nestjs_caching.lookup',
          'request',
          { 'cache.route': 'BooksController.list', 'cache.found': 'nothing' },
        ],
        ['query', 'nestjs_caching.fill', {}],
        ['nestjs_caching.fill', 'request', { 'cache.route': 'BooksController.list', 'cache.stored': true }],
      ]),
    );
    expect(spans()).toHaveLength(4);
  });

  it('has one for the look-up alone where it is a hit', async () => {
    await running.request('/books');
    exporter.reset();
    expect((await running.request('/books')).verdict).toBe('HIT');
    expect(spans()).toEqual([
      [
        'nestjs_caching.lookup',
        'request',
        { 'cache.route': 'BooksController.list', 'cache.found': 'fresh', 'cache.tier': 'local' },
      ],
      ['request', undefined, {}],
    ]);
  });

  it('tells why a response is not stored', async () => {
    await running.request('/books/none');
    expect(spans()).toEqual(
      expect.arrayContaining([
        [
          'nestjs_caching.fill',
          'request',
          { 'cache.route': 'BooksController.none', 'cache.stored': false, 'cache.reason': 'handler' },
        ],
      ]),
    );
  });
});

describe('a tracer that throws', () => {
  it('reaches no request', async () => {
    const broken = () => {
      throw new Error('the tracer is broken');
    };
    const running = await startApplication('fastify', {
      controllers: [BooksController],
      providers: [Database],
      caching: { tracing: { lookup: broken, fill: broken } },
    });
    expect((await running.request('/books')).status).toBe(200);
    expect((await running.request('/books')).verdict).toBe('HIT');
    expect(running.logger.errors.filter((line) => line.includes('the tracer is broken'))).toHaveLength(3);
    await running.close();
    const late = await startApplication('fastify', {
      controllers: [BooksController],
      providers: [Database],
      caching: { tracing: { lookup: broken, fill: () => ({ run: (work) => work(), end: broken }) } },
    });
    expect((await late.request('/books')).status).toBe(200);
    expect((await late.request('/books')).verdict).toBe('HIT');
    expect(late.logger.errors.filter((line) => line.includes('the tracer is broken'))).toHaveLength(3);
    await late.close();
  });
});

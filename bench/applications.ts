import 'reflect-metadata';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { CacheInterceptor, CacheModule } from '@nestjs/cache-manager';
import {
  type CallHandler,
  Controller,
  type DynamicModule,
  type ExecutionContext,
  Get,
  Header,
  type INestApplication,
  Inject,
  Injectable,
  type ModuleMetadata,
  type NestInterceptor,
  Param,
  type Type,
  UseInterceptors,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { CachingModuleOptions } from 'nestjs-caching';
import { type Observable, of } from 'rxjs';
import { makeBody, SIZES } from './bodies.js';
import { type Listener, remember } from './listeners.js';
import type { Platform, ServerKind } from './rows.js';

/** One server under test, on a free port of 127.0.0.1. */
export interface Measured {
  readonly port: number;
  /** How often the handler ran. */
  runs(): number;
  /** Tells events to the application's own listeners, or to nobody. */
  listen(on: boolean): void;
  close(): Promise<void>;
}

interface Content {
  readonly value: object;
  readonly text: string;
  readonly bytes: Buffer;
}

const CONTENT = new Map<string, Content>(
  SIZES.map((size) => {
    const value = makeBody(size);
    const text = JSON.stringify(value);
    return [String(size), { value, text, bytes: Buffer.from(text) }];
  }),
);
const TYPE = 'application/json; charset=utf-8';
const TTL = 3_600_000;

let runs = 0;
const listeners: Listener[] = [];

function content(size: string | undefined): Content {
  const found = CONTENT.get(size ?? '');
  if (found === undefined) throw new Error(`There is no body of the size ${String(size)}.`);
  return found;
}

/** What to serve with. */
export interface Setup {
  readonly kind: ServerKind;
  readonly platform: Platform;
  /** The module to import as nestjs-caching. */
  readonly library: string;
  /** Where Redis is, for kinds that need it. */
  readonly redis: string | undefined;
}

/** Starts the server of a row. */
export async function startServer(setup: Setup): Promise<Measured> {
  const { kind, platform } = setup;
  if (kind === 'node') return startNode();
  const metadata = await metadataOf(setup);
  const app = await NestFactory.create(
    rootModule(metadata),
    platform === 'express' ? new ExpressAdapter() : new FastifyAdapter(),
    { logger: ['error', 'warn'] },
  );
  if (kind === 'pass-through') app.useGlobalInterceptors(new PassThrough());
  if (kind === 'marker') writeRaw(app, platform);
  await app.listen(0, '127.0.0.1');
  return measured(app.getHttpServer() as Server, () => app.close());
}

function measured(server: Server, close: () => Promise<void>): Measured {
  const { port } = server.address() as { port: number };
  return { port, runs: () => runs, listen: (on) => listeners.forEach((each) => each.switch(on)), close };
}

async function startNode(): Promise<Measured> {
  const server = createServer((request, response) => {
    const { bytes } = content(request.url?.slice('/json/'.length));
    response.writeHead(200, ['Content-Type', TYPE, 'Content-Length', String(bytes.length)]);
    response.end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return measured(
    server,
    () => new Promise((resolve, reject) => server.close((error) => (error ? reject(error) : resolve()))),
  );
}

async function metadataOf({ kind, library, redis }: Setup): Promise<ModuleMetadata> {
  switch (kind) {
    case 'string':
      return { controllers: [StringController] };
    case 'cache-interceptor':
      return {
        imports: [CacheModule.register({ ttl: TTL })],
        controllers: [controllerWith(UseInterceptors(CacheInterceptor))],
      };
    case 'caching':
    case 'caching-debug':
    case 'caching-context':
    case 'caching-metrics':
    case 'caching-telemetry': {
      const { CachingModule, CacheView, CacheContext, CacheEvents } = (await import(
        library
      )) as typeof import('nestjs-caching');
      if (kind === 'caching-metrics' || kind === 'caching-telemetry') remember(CacheEvents, listeners);
      return {
        imports: [
          CachingModule.forRoot({
            ttl: TTL,
            debugHeaders: kind === 'caching-debug',
            ...(await metricsOf(kind)),
          }),
        ],
        controllers: [controllerWith(CacheView())],
        // Injected anywhere, it makes every fill of the application run in an AsyncLocalStorage.
        providers: kind === 'caching-context' ? [serviceWith(CacheContext)] : [],
      };
    }
    case 'redis-memory':
    case 'redis-5':
    case 'redis-4':
    case 'interceptor-redis-5':
    case 'interceptor-redis-4': {
      if (redis === undefined) throw new Error(`${kind} needs a Redis.`);
      // Loaded by those who need it: the others stay as they are without any client.
      const { redisMetadata } = await import('./redis-applications.js');
      return redisMetadata({ kind, url: redis, library, ttl: TTL, controllerWith });
    }
    default:
      return { controllers: [controllerWith(() => undefined)] };
  }
}

/** As an application has them: in prom-client's registry, or with an SDK that collects each second. */
async function metricsOf(kind: ServerKind): Promise<Pick<CachingModuleOptions, 'metrics'>> {
  if (kind === 'caching-metrics') {
    const { prometheus } = await import('nestjs-caching/prometheus');
    return { metrics: prometheus() };
  }
  if (kind !== 'caching-telemetry') return {};
  const { openTelemetry } = await import('nestjs-caching/open-telemetry');
  const { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } =
    await import('@opentelemetry/sdk-metrics');
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1_000 });
  return { metrics: openTelemetry({ meter: new MeterProvider({ readers: [reader] }).getMeter('bench') }) };
}

function rootModule(metadata: ModuleMetadata): DynamicModule {
  return { module: class Root {}, ...metadata };
}

/** A handler that returns an object, as handlers do. */
function controllerWith(decorate: MethodDecorator): Type {
  @Controller('json')
  class ObjectController {
    @Get(':size')
    @decorate
    read(@Param('size') size: string): object {
      runs++;
      return content(size).value;
    }
  }
  return ObjectController;
}

function serviceWith(dependency: Type): Type {
  @Injectable()
  class Service {
    constructor(@Inject(dependency) readonly injected: unknown) {}
  }
  return Service;
}

@Controller('json')
class StringController {
  @Get(':size')
  @Header('Content-Type', TYPE)
  read(@Param('size') size: string): string {
    return content(size).text;
  }
}

class PassThrough implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle();
  }
}

interface Reply {
  readonly raw: ServerResponse;
  hijack(): unknown;
}

/**
 * The least that an interceptor can do to serve stored bytes: they are written at once, past the framework, and
 * Nest, which goes on, finds a marker in place of a value and sends nothing. It has no key, no store, no expiry,
 * keeps no hook and no header that was set before.
 */
function writeRaw(app: INestApplication, platform: Platform): void {
  const marker = Object.freeze({});
  const marked = of(marker);
  const heads = new Map(
    [...CONTENT].map(([size, { bytes }]) => [
      size,
      ['Content-Type', TYPE, 'Content-Length', String(bytes.length)],
    ]),
  );
  const adapter = app.getHttpAdapter();
  const reply = adapter.reply.bind(adapter);
  adapter.reply = (response: unknown, body: unknown, status?: number): unknown =>
    body === marker ? undefined : (reply(response, body, status) as unknown);
  app.useGlobalInterceptors({
    intercept(context: ExecutionContext): Observable<unknown> {
      const http = context.switchToHttp();
      const { size = '' } = http.getRequest<{ params: Record<string, string> }>().params;
      let response: ServerResponse;
      if (platform === 'fastify') {
        const framed = http.getResponse<Reply>();
        framed.hijack();
        response = framed.raw;
      } else response = http.getResponse<ServerResponse>();
      response.writeHead(200, heads.get(size));
      response.end(content(size).bytes);
      return marked;
    },
  });
}

import type { INestApplication, ModuleMetadata } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import {
  type CacheEvent,
  CacheEvents,
  CachingModule,
  type CachingModuleExtras,
  type CachingModuleOptions,
} from 'nestjs-caching';
import { CACHE_CLOCK } from '../../libs/caching/src/caching.options.js';
import { FakeClock } from './fake-clock.js';
import { type RawResponse, rawRequest, type RawRequestOptions } from './raw-http.js';
import { CapturedLogger } from './captured-logger.js';

export const PLATFORMS = ['express', 'fastify'] as const;
export type Platform = (typeof PLATFORMS)[number];

export interface RunningApplication {
  readonly app: INestApplication;
  readonly port: number;
  readonly clock: FakeClock;
  readonly events: CacheEvent[];
  readonly logger: CapturedLogger;
  request(target: string, options?: RawRequestOptions): Promise<RawResponse>;
  close(): Promise<void>;
}

export interface ApplicationOptions extends ModuleMetadata {
  /** `false`: the module is not imported. */
  readonly caching?: (CachingModuleOptions & CachingModuleExtras) | false;
  /** Runs before `init`: middleware, hooks, global interceptors. */
  readonly setUp?: (app: INestApplication) => void | Promise<void>;
  readonly rawBody?: boolean;
  /** True: time is real, as servers outside of this process don't know the test's clock, and `clock` moves nothing. */
  readonly realTime?: boolean;
  /** Options of Fastify itself, such as its router's. */
  readonly fastify?: ConstructorParameters<typeof FastifyAdapter>[0];
}

/** An application built as a user's test builds it, listening on a free loopback port. */
export async function startApplication(
  platform: Platform,
  {
    caching = {},
    setUp,
    rawBody = false,
    realTime = false,
    fastify,
    imports = [],
    ...metadata
  }: ApplicationOptions,
): Promise<RunningApplication> {
  const clock = new FakeClock();
  const logger = new CapturedLogger();
  const module = await Test.createTestingModule({
    ...metadata,
    imports: [
      ...(caching === false || realTime ? [] : [ClockModule.with(clock)]),
      ...(caching === false ? [] : [CachingModule.forRoot(caching)]),
      ...imports,
    ],
  })
    .setLogger(logger)
    .compile();
  const adapter = platform === 'express' ? new ExpressAdapter() : new FastifyAdapter(fastify);
  const app = module.createNestApplication(adapter as ExpressAdapter, { rawBody });
  try {
    await setUp?.(app);
    await app.init();
    if (platform === 'fastify')
      await (app as unknown as NestFastifyApplication).getHttpAdapter().getInstance().ready();
    await app.listen(0, '127.0.0.1');
  } catch (error) {
    await app.close().catch(() => undefined);
    throw error;
  }
  const events: CacheEvent[] = [];
  if (caching !== false) app.get(CacheEvents, { strict: false }).on((event) => events.push(event));
  const { port } = app.getHttpServer().address() as { port: number };
  return {
    app,
    port,
    clock,
    events,
    logger,
    request: (target, options) => rawRequest(port, target, options),
    close: () => closeWhileTimePasses(app, clock),
  };
}

/** Puts the test's clock where the module looks for one. */
class ClockModule {
  static with(clock: FakeClock) {
    return {
      module: ClockModule,
      global: true,
      providers: [{ provide: CACHE_CLOCK, useValue: clock }],
      exports: [CACHE_CLOCK],
    };
  }
}

/** What a store leaves hanging is given up at its deadline, which comes only where time goes on. */
async function closeWhileTimePasses(app: INestApplication, clock: FakeClock): Promise<void> {
  const passing = setInterval(() => clock.advance(1_000), 1);
  try {
    await app.close();
  } finally {
    clearInterval(passing);
  }
}

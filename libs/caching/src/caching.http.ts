import type { Server } from 'node:http';
import type { Logger, Type } from '@nestjs/common';
import type { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { BackgroundWork } from './cache/background-work.js';
import type { Clock } from './cache/clock.js';
import type { EvictionSource, History } from './cache/history.js';
import type { MaybePromise } from './cache/maybe-promise.js';
import type { Eviction, ViewCache } from './cache/view-cache.js';
import { contextDecoratorFactory } from './cache-context.js';
import type { ResolvedOptions } from './caching.options.js';
import { Redispatcher } from './http/background/redispatch.js';
import { BypassWarnings } from './http/bypass-warnings.js';
import { CacheEvictor } from './http/cache-evictor.js';
import { Compression, compressesAlready } from './http/compression.js';
import { Explainer } from './http/explainer.js';
import type { PageWatch } from './http/page-watch.js';
import { ExpressPlatform } from './http/platform/express-platform.js';
import { FastifyPlatform } from './http/platform/fastify-platform.js';
import type { FastifyInstance } from './http/platform/fastify-reply.js';
import { type HttpPlatform, type ReplyingAdapter, wrapAdapter } from './http/platform/platform.js';
import { RouteMatcher, type RoutePath, type RoutePathSources } from './http/route-matcher.js';
import { RouteTable } from './http/route-table.js';
import { RouteWatch } from './http/route-watch.js';
import { ShadowVerifier } from './http/verify/shadow-verifier.js';
import { ViewServer } from './http/view-server.js';
import type { CacheEvents } from './observe/events.js';
import type { CacheStore } from './stores/store.js';
import { type InterceptorParts, ViewCacheInterceptor } from './view-cache.interceptor.js';

/** What of Nest's own the full paths of routes are made of. */
export type RouteApplication = Pick<RoutePathSources, 'application' | 'applicationId'>;

/** What views are served and evicted with. */
export interface HttpParts {
  readonly options: ResolvedOptions;
  readonly clock: Clock;
  readonly events: CacheEvents;
  readonly cache: ViewCache;
  readonly store: CacheStore;
  readonly history: History;
  readonly logger: Logger;
  readonly evict: (tags: readonly string[], by: EvictionSource) => MaybePromise<Eviction>;
}

/** The cache of an application's routes: wired to its adapter first, and to its handlers as it starts. */
export class CachingHttp {
  readonly interceptor = new ViewCacheInterceptor(() => this.#parts);
  /** Runs requests of our own through the application. */
  readonly background: Redispatcher;
  /** Shows on pages what happened to them, where that is wanted: to be set before the start. */
  pages: PageWatch | undefined;
  #routes: RouteTable = new RouteTable();
  #matcher: RouteMatcher | undefined;
  #explainer: Explainer | undefined;
  #platform: HttpPlatform | undefined;
  #adapter: ReplyingAdapter | undefined;
  #parts: InterceptorParts | undefined;
  readonly #warn = (message: string): void => this.host.logger.warn(message);

  constructor(private readonly host: HttpParts) {
    const { clock, options } = host;
    this.background = new Redispatcher({
      server: () => this.#adapter?.getHttpServer() as Server | undefined,
      clock,
      deadline: options.coalesceTimeout,
      background: new BackgroundWork(),
    });
  }

  get routes(): RouteTable {
    return this.#routes;
  }

  /** The application's routes, once it has started. */
  get paths(): readonly RoutePath[] {
    return this.#matcher?.paths ?? [];
  }

  get explainer(): Explainer | undefined {
    return this.#explainer;
  }

  /** As soon as Nest has an HTTP adapter: hooks of ours must come before the application's own. */
  useAdapter(adapter: ReplyingAdapter): void {
    this.#adapter = adapter;
    const type = adapter.getType();
    if (type === 'express') this.#platform = new ExpressPlatform();
    else if (type === 'fastify')
      this.#platform = new FastifyPlatform(adapter.getInstance() as FastifyInstance);
    else {
      this.host.logger.warn(
        `Responses are not cached on the platform "${type}": only Express and Fastify are known.`,
      );
      return;
    }
    wrapAdapter(adapter, this.#platform);
  }

  /** Once all modules are there: finds the routes. */
  start(discovery: DiscoveryService, scanner: MetadataScanner, application: RouteApplication): void {
    const { options, store, cache, history, clock } = this.host;
    const controllers = discovery.getControllers();
    const methodsOf = (controller: Type): string[] =>
      scanner.getAllMethodNames(controller.prototype as object);
    this.#routes = RouteTable.build({
      controllers,
      methodsOf,
      options,
      largestBody: store.largestBody,
      ownDecorators: new Set([contextDecoratorFactory]),
      warn: this.#warn,
    });
    if (this.#platform === undefined) return;
    this.#matcher = new RouteMatcher({
      ...application,
      controllers,
      methodsOf,
      routes: this.#routes,
      platform: this.#platform.name,
    });
    this.#explainer = new Explainer({
      routes: this.#matcher,
      cache,
      stampOf: (tag) => store.stampOf?.(tag),
      history,
      options,
      clock,
    });
    this.#parts = {
      routes: this.#routes,
      pages: this.pages,
      platform: this.#platform,
      // Switched off, an instance still tells a shared store what its writes change.
      views: options.enabled ? this.#viewServer() : undefined,
      evictor: new CacheEvictor(
        this.host.evict,
        (controller, method) =>
          this.#routes.named(controller, method)?.site.name ?? `${controller.name}.${method}`,
        this.#routes.cachedPaths,
      ),
    };
  }

  #viewServer(): ViewServer {
    const { options, cache, clock, events } = this.host;
    const { verify } = options;
    const warnings = new BypassWarnings(this.#warn);
    return new ViewServer(
      cache,
      clock,
      events,
      options,
      (policy, reason) => warnings.note(policy.route, reason),
      this.background,
      options.coalesceTimeout,
      new RouteWatch({
        clock,
        warn: this.#warn,
        next: verify === 0 ? undefined : this.#verifier(verify),
      }),
      this.#compression(),
    );
  }

  #verifier(share: number): ShadowVerifier {
    const { cache, clock, events } = this.host;
    return new ShadowVerifier({
      share,
      cache,
      background: this.background,
      clock,
      events,
      warn: this.#warn,
    });
  }

  #compression(): Compression | undefined {
    const { compression: policy } = this.host.options;
    if (policy === undefined) return undefined;
    const compression = new Compression(policy, this.#warn);
    if (this.#adapter !== undefined && compressesAlready(this.#adapter.getInstance())) compression.turnOff();
    return compression;
  }
}

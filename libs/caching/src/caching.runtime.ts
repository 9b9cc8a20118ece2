import type { Server } from 'node:http';
import { Logger, type Type } from '@nestjs/common';
import type { DiscoveryService, MetadataScanner } from '@nestjs/core';
import type { Cache } from 'cache-manager';
import { type Clock, elapsed } from './cache/clock.js';
import type { CacheHealthReport } from './cache-health.js';
import { type EvictionSource, History } from './cache/history.js';
import type { MaybePromise } from './cache/maybe-promise.js';
import { StoreGuard } from './cache/guard.js';
import { StoreTrouble } from './cache/store-trouble.js';
import { type Eviction, ViewCache } from './cache/view-cache.js';
import type { ResolvedOptions } from './caching.options.js';
import { buildStore } from './caching.store.js';
import { createCacheManager } from './cache-values.js';
import { contextDecoratorFactory } from './cache-context.js';
import { BackgroundWork } from './cache/background-work.js';
import { Redispatcher } from './http/background/redispatch.js';
import { Compression, compressesAlready } from './http/compression.js';
import { BypassWarnings } from './http/bypass-warnings.js';
import { CacheEvictor } from './http/cache-evictor.js';
import { Explainer } from './http/explainer.js';
import type { PageWatch } from './http/page-watch.js';
import { RouteMatcher, type RoutePath, type RoutePathSources } from './http/route-matcher.js';
import { ExpressPlatform } from './http/platform/express-platform.js';
import { type FastifyInstance, FastifyPlatform } from './http/platform/fastify-platform.js';
import { type HttpPlatform, type ReplyingAdapter, wrapAdapter } from './http/platform/platform.js';
import { RouteTable } from './http/route-table.js';
import { RouteWatch } from './http/route-watch.js';
import { ShadowVerifier } from './http/verify/shadow-verifier.js';
import { ViewServer } from './http/view-server.js';
import { CacheMetrics } from './observe/cache-metrics.js';
import type { MemoryUse } from './observe/dashboard/dashboard.js';
import { CacheEvents } from './observe/events.js';
import { findMemoized } from './memoize/memoized-classes.js';
import type { MemoizeHost } from './memoize/memoize-host.js';
import type { ResultLimits } from './memoize/call.js';
import { Memoizer } from './memoize/memoizer.js';
import { EntryValues } from './stores/entry-values.js';
import { MemoryStore } from './stores/memory.store.js';
import type { ItemStorage } from './stores/shared-tier.js';
import type { CacheStore } from './stores/store.js';
import { TieredStore } from './stores/tiered.store.js';
import { CacheValues, type CacheValuesParts } from './values/cache-values.service.js';
import { ItemStore } from './values/item-store.js';
import { type InterceptorParts, ViewCacheInterceptor } from './view-cache.interceptor.js';

const NO_BOUNDS = { maxBytes: undefined, maxEntries: undefined };

/** What of Nest's own the full paths of routes are made of. */
export type RouteApplication = Pick<RoutePathSources, 'application' | 'applicationId'>;

/**
 * Everything the module builds, once per application however often it is imported: two caches would evict from one
 * and serve from the other.
 */
export class CachingRuntime {
  readonly logger = new Logger('CachingModule');
  readonly events: CacheEvents;
  readonly #trouble: StoreTrouble;
  /** What happened lately, for explanations. */
  readonly history: History;
  #explainer: Explainer | undefined;
  #matcher: RouteMatcher | undefined;
  /** Shows on pages what happened to them, where that is wanted: to be set before the start. */
  pages: PageWatch | undefined;
  readonly #ends: (() => void)[] = [];
  readonly store: CacheStore;
  readonly cache: ViewCache;
  /** Runs requests of our own through the application. */
  readonly background: Redispatcher;
  readonly memoizer: Memoizer;
  readonly #limits: ResultLimits = { longestLife: 0, largestEntry: 0 };
  readonly interceptor = new ViewCacheInterceptor(() => this.#parts);
  #values: Cache | undefined;
  /** The memory store, or the tier in front of a shared one. */
  readonly #local: MemoryStore | undefined;
  /** What is to be ended with the application. */
  readonly #stops: (() => void)[] = [];
  #itemCache: ViewCache | undefined;
  #routes: RouteTable = new RouteTable();
  #platform: HttpPlatform | undefined;
  #adapter: ReplyingAdapter | undefined;
  #parts: InterceptorParts | undefined;

  constructor(
    readonly options: ResolvedOptions,
    readonly clock: Clock,
  ) {
    this.events = new CacheEvents((error) => this.logger.error(error), clock, options.serverTiming);
    this.#trouble = new StoreTrouble(clock, this.logger);
    this.history = new History(clock);
    const { storeTimeout, coalesceTimeout, onStoreFailure, ttl, maxEntryBytes } = options;
    const built = buildStore({
      options,
      clock,
      events: this.events,
      history: this.history,
      trouble: this.#trouble,
      logger: this.logger,
      longestLife: () => Math.max(ttl, this.#routes.longestLife, this.#limits.longestLife),
      largestEntry: () => Math.max(maxEntryBytes, this.#routes.largestEntry, this.#limits.largestEntry),
    });
    this.store = built.store;
    this.#local = built.local;
    this.cache = new ViewCache({
      store: this.store,
      clock,
      events: this.events,
      storeTimeout,
      coalesceTimeout,
      onStoreFailure,
      trouble: this.#trouble,
      onFilled: (key, outcome) => this.history.filled(key, outcome),
    });
    this.background = new Redispatcher({
      server: () => this.#adapter?.getHttpServer() as Server | undefined,
      clock,
      deadline: coalesceTimeout,
      background: new BackgroundWork(),
    });
    this.memoizer = new Memoizer({
      cache: this.cache,
      clock,
      events: this.events,
      options,
      largestBody: this.store.largestBody ?? Number.POSITIVE_INFINITY,
      limits: this.#limits,
      warn: (message) => this.logger.warn(message),
    });
    if (options.metrics.length > 0) this.#measure();
    if (options.tracing !== undefined) this.events.follow(options.tracing);
    for (const warning of options.warnings) this.logger.warn(warning);
  }

  /** What `CACHE_MANAGER` is: one, as of two each would take its own last value for the newest. */
  get values(): Cache {
    const { store, clock, options, events } = this;
    const values =
      store instanceof TieredStore ? store.values : new EntryValues(store, clock, options.namespace);
    const guard = new StoreGuard(clock, events, options.storeTimeout, this.#trouble);
    return (this.#values ??= createCacheManager(values, guard, options.ttl));
  }

  /** One, as it locks where the store can't count by itself. */
  readonly cacheValues = new CacheValues(() => this.#valueParts());

  #valueParts(): CacheValuesParts {
    const { store, clock, options, events } = this;
    const { namespace, storeTimeout, coalesceTimeout, maxEntryBytes, ttl, enabled } = options;
    const storage: ItemStorage =
      store instanceof TieredStore ? store.items : new EntryValues(store, clock, `${namespace}:item`);
    const prefix = `${namespace}:item:`;
    const items = new ItemStore({ storage, views: store, clock, prefix, maxBytes: maxEntryBytes });
    const trouble = this.#trouble;
    const cache = new ViewCache({ store: items, clock, events, storeTimeout, coalesceTimeout, trouble });
    this.#itemCache = cache;
    const guard = new StoreGuard(clock, events, storeTimeout, trouble);
    const parts = { items, storage, cache, guard, clock, events, prefix, ttl, enabled, limits: this.#limits };
    return { ...parts, maxBytes: maxEntryBytes };
  }

  get routes(): RouteTable {
    return this.#routes;
  }

  /** The application's routes, once it has started. */
  get paths(): readonly RoutePath[] {
    return this.#matcher?.paths ?? [];
  }

  /** What of this process's memory holds entries; nothing where the store is the application's own. */
  get memoryUse(): MemoryUse | undefined {
    const { store, options } = this;
    const local = store instanceof TieredStore ? store.local : store;
    if (!(local instanceof MemoryStore)) return undefined;
    const { entries, bytes } = local;
    const bounds = options.store === undefined || store instanceof TieredStore ? options.memory : false;
    return { entries, bytes, ...(bounds === false ? NO_BOUNDS : bounds) };
  }

  /** Has something ended before the server closes. */
  closeWith(end: () => void): void {
    this.#ends.push(end);
  }

  get explainer(): Explainer | undefined {
    return this.#explainer;
  }

  /** Ends everything that carries one of `tags`; remembers who did. */
  evict(tags: readonly string[], by: EvictionSource, soft = false): MaybePromise<Eviction> {
    this.history.evicted(tags, by);
    return this.cache.evict(tags, soft);
  }

  /** As soon as Nest has an HTTP adapter: hooks of ours must come before the application's own. */
  useAdapter(adapter: ReplyingAdapter): void {
    this.#adapter = adapter;
    const type = adapter.getType();
    if (type === 'express') this.#platform = new ExpressPlatform();
    else if (type === 'fastify')
      this.#platform = new FastifyPlatform(adapter.getInstance() as FastifyInstance);
    else {
      this.logger.warn(
        `Responses are not cached on the platform "${type}": only Express and Fastify are known.`,
      );
      return;
    }
    wrapAdapter(adapter, this.#platform);
  }

  /** Once all modules are there: finds the routes. */
  start(discovery: DiscoveryService, scanner: MetadataScanner, application: RouteApplication): void {
    const { options, logger } = this;
    this.#routes = RouteTable.build({
      controllers: discovery.getControllers(),
      methodsOf: (controller: Type) => scanner.getAllMethodNames(controller.prototype as object),
      options,
      largestBody: this.store.largestBody,
      ownDecorators: new Set([contextDecoratorFactory]),
      warn: (message) => logger.warn(message),
    });
    if (this.store instanceof TieredStore) this.store.open();
    if (this.#platform === undefined) return;
    this.#matcher = new RouteMatcher({
      ...application,
      controllers: discovery.getControllers(),
      methodsOf: (controller) => scanner.getAllMethodNames(controller.prototype as object),
      routes: this.#routes,
      platform: this.#platform.name,
    });
    this.#explainer = new Explainer({
      routes: this.#matcher,
      cache: this.cache,
      stampOf: (tag) => this.store.stampOf?.(tag),
      history: this.history,
      options,
      clock: this.clock,
    });
    const warnings = new BypassWarnings((message) => logger.warn(message));
    this.#parts = {
      routes: this.#routes,
      pages: this.pages,
      platform: this.#platform,
      // Switched off, an instance still tells a shared store what its writes change.
      views: !options.enabled
        ? undefined
        : new ViewServer(
            this.cache,
            this.clock,
            this.events,
            options,
            (policy, reason) => warnings.note(policy.route, reason),
            this.background,
            options.coalesceTimeout,
            new RouteWatch({
              clock: this.clock,
              warn: (message) => logger.warn(message),
              next: options.verify === 0 ? undefined : this.#verifier(options.verify),
            }),
            this.#compression(),
          ),
      evictor: new CacheEvictor(
        (tags, by) => this.evict(tags, by),
        (controller, method) =>
          this.#routes.named(controller, method)?.site.name ?? `${controller.name}.${method}`,
        this.#routes.cachedPaths,
      ),
    };
  }

  /** While handlers still have all that they need. */
  async endBackground(): Promise<void> {
    await this.background.close();
  }

  /** Memoized functions use the cache from here on, unless it is switched off. */
  startMemoizing(discovery: DiscoveryService, host: MemoizeHost): void {
    findMemoized(discovery, this.memoizer, host);
    if (!this.options.enabled) return;
    host.memoizer = this.memoizer;
    this.memoizer.start();
  }

  /** Ends what would keep the server from closing. */
  end(): void {
    for (const end of this.#ends) end();
  }

  #compression(): Compression | undefined {
    const { options, logger } = this;
    if (options.compression === undefined) return undefined;
    const compression = new Compression(options.compression, (message) => logger.warn(message));
    if (this.#adapter !== undefined && compressesAlready(this.#adapter.getInstance())) compression.turnOff();
    return compression;
  }

  async close(): Promise<void> {
    this.memoizer.stop();
    await this.#itemCache?.close();
    await this.cache.close();
    for (const stop of this.#stops.splice(0)) stop();
  }

  #verifier(share: number): ShadowVerifier {
    const { cache, background, clock, events, logger } = this;
    const warn = (message: string): void => logger.warn(message);
    return new ShadowVerifier({ share, cache, background, clock, events, warn });
  }

  /** Whether the store answers; one that is in this process always does. */
  async health(): Promise<CacheHealthReport> {
    const { store, clock } = this;
    const since = elapsed(clock);
    const guard = new StoreGuard(clock, this.events, this.options.storeTimeout, this.#trouble);
    const ask = async (): Promise<boolean> => {
      await store.ping?.();
      return true;
    };
    const reachable = await guard.tolerate('health', ask, () => false);
    const memory = this.options.memory === false ? undefined : this.#local;
    return {
      store: store.name,
      reachable,
      latencyMs: elapsed(clock) - since,
      ...(memory && { entries: memory.entries, bytes: memory.bytes }),
    };
  }

  #measure(): void {
    const metrics = new CacheMetrics(() => this.#local);
    this.events.count(metrics);
    this.#stops.push(...this.options.metrics.map((exporter) => exporter.start(metrics)));
  }
}

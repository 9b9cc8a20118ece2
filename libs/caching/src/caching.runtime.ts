import { Logger } from '@nestjs/common';
import type { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { type Clock, elapsed } from './cache/clock.js';
import type { CacheHealthReport } from './cache-health.js';
import { type EvictionSource, History } from './cache/history.js';
import type { MaybePromise } from './cache/maybe-promise.js';
import { StoreGuard } from './cache/guard.js';
import { StoreTrouble } from './cache/store-trouble.js';
import { type Eviction, ViewCache } from './cache/view-cache.js';
import { CachingHttp, type RouteApplication } from './caching.http.js';
import type { ResolvedOptions } from './caching.options.js';
import { buildStore } from './caching.store.js';
import { ApplicationValues } from './caching.values.js';
import { CacheMetrics } from './observe/cache-metrics.js';
import type { MemoryUse } from './observe/dashboard/dashboard.js';
import { CacheEvents } from './observe/events.js';
import { findMemoized } from './memoize/memoized-classes.js';
import type { MemoizeHost } from './memoize/memoize-host.js';
import type { ResultLimits } from './memoize/call.js';
import { Memoizer } from './memoize/memoizer.js';
import { MemoryStore } from './stores/memory.store.js';
import type { CacheStore } from './stores/store.js';
import { TieredStore } from './stores/tiered.store.js';

const NO_BOUNDS = { maxBytes: undefined, maxEntries: undefined };

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
  readonly #ends: (() => void)[] = [];
  readonly store: CacheStore;
  readonly cache: ViewCache;
  /** The cache of the routes. */
  readonly http: CachingHttp;
  readonly values: ApplicationValues;
  readonly memoizer: Memoizer;
  readonly #limits: ResultLimits = { longestLife: 0, largestEntry: 0 };
  /** The memory store, or the tier in front of a shared one. */
  readonly #local: MemoryStore | undefined;
  /** What is to be ended with the application. */
  readonly #stops: (() => void)[] = [];

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
      longestLife: () => Math.max(ttl, this.http.routes.longestLife, this.#limits.longestLife),
      largestEntry: () => Math.max(maxEntryBytes, this.http.routes.largestEntry, this.#limits.largestEntry),
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
    const parts = { options, clock, events: this.events, store: this.store };
    this.http = new CachingHttp({
      ...parts,
      cache: this.cache,
      history: this.history,
      logger: this.logger,
      evict: (tags, by) => this.evict(tags, by),
    });
    this.values = new ApplicationValues({ ...parts, trouble: this.#trouble, limits: this.#limits });
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

  /** Ends everything that carries one of `tags`; remembers who did. */
  evict(tags: readonly string[], by: EvictionSource, soft = false): MaybePromise<Eviction> {
    this.history.evicted(tags, by);
    return this.cache.evict(tags, soft);
  }

  /** Once all modules are there. */
  start(discovery: DiscoveryService, scanner: MetadataScanner, application: RouteApplication): void {
    this.http.start(discovery, scanner, application);
    if (this.store instanceof TieredStore) this.store.open();
  }

  /** While handlers still have all that they need. */
  async endBackground(): Promise<void> {
    await this.http.background.close();
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

  async close(): Promise<void> {
    this.memoizer.stop();
    await this.values.close();
    await this.cache.close();
    for (const stop of this.#stops.splice(0)) stop();
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

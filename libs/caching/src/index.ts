export { CacheHealth, type CacheHealthReport } from './cache-health.js';
export { CacheContext } from './cache-context.js';
export {
  CacheEvictionService,
  type EvictionReceipt,
  type TagEvictionOptions,
} from './cache-eviction.service.js';
export { CacheInspector, type FoundEntries, type FoundEntry } from './cache-inspector.service.js';
export {
  CacheCallbackError,
  CacheStoreError,
  CacheUsageError,
  CachingConfigError,
  CachingError,
  UnconfirmedEvictionError,
  type CachingErrorCode,
} from './caching.errors.js';
export { CacheRoutes, type CachedRoute } from './cache-routes.service.js';
export type { WarmOptions, WarmProgress, WarmReport, WarmRequest } from './http/background/warming.js';
export { CachingModule } from './caching.module.js';
export type {
  CachePolicyOptions,
  CacheScope,
  CacheStatuses,
  CachingModuleExtras,
  CachingModuleOptions,
  CachingOptionsFactory,
  DashboardOptions,
} from './caching.options.js';
export {
  CacheEvict,
  type CacheEvictOptions,
  type CacheTags,
  CacheView,
  type CacheValidator,
  type CacheViewOptions,
  NoCache,
} from './decorators.js';
export { CachingConfig, type CachingEnvOptions } from './config/caching-config.js';
export type { Duration } from './duration.js';
export { isCacheRefresh } from './http/background/dispatch.js';
export type { EnvironmentSource } from './config/environment.js';
export type { ExplainedEntry, ExplainedTag, ExplainRequest, Explanation } from './http/explanation.js';
export type { KeyPart } from './http/key-builder.js';
export type { PolicyField } from './http/policy-origin.js';
export { Memoize, memoize, type MemoizeDecorator, type MemoizedFunction } from './memoize/memoize.js';
export type { MemoizeOptions } from './memoize/memoize-options.js';
export type { RequestDescription } from './http/request-description.js';
export { type BodyKeyOptions, formBody, jsonBody } from './http/body-strategy.js';
export {
  custom,
  headers,
  host,
  type KeyBypass,
  type KeyCoverage,
  type KeyStrategy,
  type NamedKeyStrategy,
  path,
  query,
  type QueryKeyOptions,
} from './http/key-strategy.js';
export type { FrameworkRequest, RequestCallback, RequestTypes, RequestView } from './http/request-view.js';
export type { HeaderBag } from './http/header-diff.js';
export type { FreshnessMode } from './http/semantics/freshness.js';
export type { Clock } from './cache/clock.js';
export type { EvictionSource, PastEviction, PastFill } from './cache/history.js';
export { EntryFacts } from './cache/entry-facts.js';
export type { Entry, EntryLife, HeaderField, StoredResponse } from './cache/entry.js';
export type { MaybePromise } from './cache/maybe-promise.js';
export type { StampPosition } from './cache/stamps.js';
export type { FilteredResponse, ResponseFilter } from './http/response-filter.js';
export type { BypassReason, SkipReason } from './cache/reasons.js';
export type {
  CacheInstruments,
  HistogramInstrument,
  MetricLabels,
  MetricSample,
  MetricsExporter,
  ReadInstrument,
} from './observe/instruments.js';
export type { CacheTracer, FillSpan } from './observe/tracing.js';
export { CACHE_EVENTS_CHANNEL, CacheEvents, type CacheListener } from './observe/events.js';
export type {
  BreakerEvent,
  BypassedEvent,
  CacheEvent,
  CacheTier,
  CoalescedEvent,
  CoherenceEvent,
  EvictedEvent,
  HitEvent,
  LookupEvent,
  MissEvent,
  RefreshEvent,
  RefreshOutcome,
  RefreshReason,
  RequestRef,
  SkippedEvent,
  StaleEvent,
  StaleReason,
  StoredEvent,
  StoreErrorEvent,
  VerifiedEvent,
} from './observe/cache-event.js';
export { keyv, KeyvTier } from './stores/keyv/keyv.store.js';
export type { KeyvAdapter } from './stores/keyv/keyv-adapter.js';
export { memory, type MemoryStore, type MemoryStoreOptions } from './stores/memory.store.js';
export type { RedisConnection } from './stores/redis/create-redis-link.js';
export type { NodeRedisClient } from './stores/redis/node-redis.js';
export { redis, type RedisStoreOptions, RedisTier } from './stores/redis/redis.store.js';
export type { SqliteDriver } from './stores/sqlite/sqlite-driver.js';
export { sqlite, type SqliteStoreOptions, SqliteTier } from './stores/sqlite/sqlite.store.js';
export type {
  ItemStorage,
  Lease,
  SharedLookup,
  SharedTier,
  SharedTierHost,
  StampDelta,
  ValueStorage,
} from './stores/shared-tier.js';
export { nullStore, type NullStore } from './stores/null.store.js';
export type { RedisClientSettings } from './stores/redis/url-link.js';
export type { CacheStore } from './stores/store.js';
export { CacheValues } from './values/cache-values.service.js';
export type { GetOrSetOptions, ValueOptions } from './values/value-rules.js';
export type { Coherence } from './stores/tiered.store.js';
export { storeFromUrl, type StoreUrlOptions } from './config/store-from-url.js';

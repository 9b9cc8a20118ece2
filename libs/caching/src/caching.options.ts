import type { Clock } from './cache/clock.js';
import type { MetricsExporter } from './observe/instruments.js';
import type { CacheTracer } from './observe/tracing.js';
import type { SharedTier } from './stores/shared-tier.js';
import type { CacheStore } from './stores/store.js';
import type { Coherence } from './stores/tiered.store.js';
import type { Duration } from './duration.js';
import type { CompressionPolicy } from './http/compression-policy.js';
import type { ResponseFilter } from './http/response-filter.js';
import type { FreshnessMode } from './http/semantics/freshness.js';
import type { KeyStrategy } from './http/key-strategy.js';
import type { RequestCallback } from './http/request-view.js';

/** Whose response it is: everybody's, or the principal's whose id the callback returns. */
export type CacheScope = 'public' | RequestCallback<string | number | bigint | null | undefined>;

/** Statuses to store, or each with a time to live of its own. What is given replaces the default. */
export type CacheStatuses = readonly number[] | Readonly<Record<number, Duration>>;

/** What both the module and a route can say. A route's fields win one by one. */
export interface CachePolicyOptions {
  /** How long a response is served from the cache. Default `'5m'`. More than 0 and at most `'365d'`. */
  ttl?: Duration;
  /** What the response varies on beside method, route, path and principal. Default `query()`. */
  key?: KeyStrategy | readonly KeyStrategy[];
  /** Whose response it is. Default: nobody's known, so requests with credentials bypass the cache. */
  scope?: CacheScope;
  /** Statuses that are stored. Default 200 and 203, and 201 for a POST. */
  statuses?: CacheStatuses;
  /** Keeps only the responses for which it returns true; sees status, headers and body as sent. */
  filter?: ResponseFilter;
  /** True: this request neither reads nor writes the cache. */
  unless?: RequestCallback<boolean>;
  /** True: this request runs the handler, and its response replaces what is stored. */
  refresh?: RequestCallback<boolean>;
  /** The largest body that is stored, in bytes. Default 1 MiB. */
  maxEntryBytes?: number;
  /**
   * Who shares one run of a handler for one key: the requests of an instance, or, with a shared store, those of the
   * whole `'cluster'`, at the price of two round trips for each miss. Default `'instance'`.
   */
  coalesce?: 'instance' | 'cluster';
  /**
   * Who says how long a response lives, where its `Cache-Control`, `CDN-Cache-Control` or `Expires` says something:
   * `'response'`; `'route'`, its `ttl`; or `'min'`, whichever is shorter. What the response forbids (`no-store`,
   * `private`, `no-cache`) is forbidden in any case. Default `'min'`.
   */
  freshness?: FreshnessMode;
  /**
   * For how long after it has become stale a response still answers at once, while it is renewed in the background
   * (RFC 5861 §3). `false`: never. Default: what the response's `stale-while-revalidate` says. Nothing where the
   * response forbids it, and never after an eviction, unless that was a soft one.
   */
  staleWhileRevalidate?: Duration | false;
  /**
   * For how long after it has become stale a response answers in place of a failure: a 500, 502, 503 or 504, whoever
   * made it, or no answer within `coalesceTimeout` (RFC 5861 §4). `false`: never. Default: what the response's
   * `stale-if-error` says. Nothing where the response forbids it, and never after an eviction, unless that was a soft
   * one.
   */
  staleIfError?: Duration | false;
  /**
   * How long a request waits for the handler where there is a stale response at hand that `staleIfError` allows; the
   * late one is stored all the same. Default: until the handler answers.
   */
  softTimeout?: Duration;
  /**
   * The part of its life after which a response is renewed in the background by the next request for it, which it still
   * answers: between 0 and 1, such as `0.8`. Default: not before it is stale.
   */
  refreshAhead?: number;
  /**
   * True: `Cache-Control` and `Pragma` of requests count, so that clients may ask for a new response, at most once a
   * second for each key. Default `false`.
   */
  honourRequestCacheControl?: boolean;
  /**
   * Gives complete responses that have no `ETag` one of their exact bytes, so that clients that have them already are
   * sent 304. It costs a SHA-256 of each response that is stored. Default `true`.
   */
  etag?: boolean;
  /**
   * What caches behind this one (browsers, CDNs) are told of responses that have neither `Cache-Control` nor
   * `Expires`: for how long they may keep them, never longer than this cache does, and whether all may. They can't be
   * told of evictions. Default: nothing.
   */
  downstream?: { maxAge?: Duration; public?: boolean };
  /** Joins the key: another version starts from nothing. Default `''`. */
  version?: string;
}

/** Options of `CachingModule.forRoot`. All are optional. */
export interface CachingModuleOptions extends CachePolicyOptions {
  /** Keeps this application's keys apart from others' in the same store; 2 to 64 letters, digits, `_`, `.` or `-`. Default `'cache'`. */
  namespace?: string;
  /** Default `true`. `false`: nothing is read, stored or kept; decorators and services stay usable. */
  enabled?: boolean;
  /** Every GET is cached unless it says `@NoCache()`. Default `false`: only what says `@CacheView()`. */
  cacheAll?: boolean;
  /** Who sent a request, as far as the application knows. Default `req.user`. */
  principal?: RequestCallback<unknown>;
  /** Names of the cookies that identify somebody; `'*'` for all. Default `'*'`. */
  credentialCookies?: '*' | readonly string[];
  /**
   * Bounds of the memory in this process, the default store or the tier in front of a shared one: `maxBytes` (default
   * 64 MiB) and `maxEntries` (default 100,000). `false`: no tier in front, every hit comes from the shared store.
   */
  memory?: { maxBytes?: number; maxEntries?: number } | false;
  /** Where entries live: `memory()`, or shared by several instances with `redis()`. Default `memory()`. */
  store?: CacheStore | SharedTier;
  /**
   * What a hit in process relies on, with a shared store. `'bus'`: on being told of evictions, and on a look at the
   * store each `heartbeat`. `'strict'`: on a question to the store for each hit. Default `'bus'`.
   */
  coherence?: Coherence;
  /**
   * What a shared store knows keys by: the name of a hash of `node:crypto`, or a function. Entries hold their whole key
   * and are checked against it, so that collisions are misses. Default `'sha256'`.
   */
  keyHash?: string | ((key: string) => string);
  /** How often an instance looks whether it missed an eviction, with a shared store. Default `'500ms'`. */
  heartbeat?: Duration;
  /**
   * An eviction that a shared store could not acknowledge applies in this process at once and is done again until it
   * succeeds. What the caller gets meanwhile: `'queue'`, a receipt that is not `acknowledged`; `'throw'`, a
   * `CacheStoreError`. Default `'queue'`.
   */
  onStoreFailure?: 'queue' | 'throw';
  /** How long a request waits for the store, all its look-ups together. Default `'100ms'`. */
  storeTimeout?: Duration;
  /** How long after its start a fill is waited for by requests of the same key. Default `'30s'`. */
  coalesceTimeout?: Duration;
  /**
   * A successful POST, PUT, PATCH, DELETE, or any other request whose method is not known to be safe, evicts its own
   * path, and those that its `Location` and `Content-Location` name. Default `true`.
   */
  autoEvict?: boolean;
  /**
   * Hits are sent compressed to clients that accept it, each body compressed once: `minBytes` (default 1,024) is the
   * smallest that is, `encodings` (default all that node has of `'zstd'`, `'br'`, `'gzip'`) the first choice first, and
   * `maxBytes` (default 16 MiB) what all compressed bodies may take together, beside `memory`. Not where the application
   * compresses by itself, nor what is read from a shared store for each hit. Default `false`.
   */
  compression?:
    boolean | { minBytes?: number; encodings?: readonly ('zstd' | 'br' | 'gzip')[]; maxBytes?: number };
  /** `Cache-Status` and `X-Cache` on responses of cached routes. Default `true`. */
  debugHeaders?: boolean;
  /**
   * `Server-Timing` on responses of cached routes: what the cache did and took, what the handler took, or what a hit
   * saved of that. Browsers show it; so can whoever measures your handlers. Default `false`.
   */
  serverTiming?: boolean;
  /**
   * Where the cache's metrics go: `prometheus()` of `nestjs-caching/prometheus`, `openTelemetry()` of
   * `nestjs-caching/open-telemetry`, or both in a list. Default: nowhere, and nothing is counted.
   */
  metrics?: MetricsExporter | readonly MetricsExporter[];
  /**
   * Where look-ups and fills are followed: `openTelemetryTracing()` of `nestjs-caching/open-telemetry`. Default: nowhere.
   */
  tracing?: CacheTracer;
  /**
   * The share of hits of GET routes, 0 to 1, for which the handler runs as well, off the client's path, so that a
   * response that is not what the handler says now is found, and told as a warning and a `verified` event. For staging:
   * each costs a run of the handler. Default 0.
   */
  verify?: number;
}

/** Who may see the dashboard, and where. */
export interface DashboardOptions {
  /** Below the application's global prefix, if it has one. Default `'/_cache'`. */
  readonly path?: string;
  /**
   * Whether this request may see and evict everything. It runs after middleware and global guards, so `user` and
   * `session` are there. Needed where `NODE_ENV` is `production`; without it only requests from this machine are
   * answered.
   */
  readonly authorize?: RequestCallback<boolean>;
  /** For the dashboard's controller, e.g. `[Public()]` or `[UseGuards(AdminGuard)]`. */
  readonly decorators?: readonly ClassDecorator[];
}

/** Options that decide what the module provides, so they stand beside `useFactory` in `forRootAsync`. */
export interface CachingModuleExtras {
  /** Provide `CACHE_MANAGER` on the same store. Default `true`; `false` where the application registers its own. */
  cacheManager?: boolean;
  /**
   * A page that shows what the cache does, explains and evicts, at `dashboard.path`. Default `false`. In production it
   * needs `authorize`; elsewhere, without it, only this machine is answered.
   */
  dashboard?: boolean | DashboardOptions;
  /**
   * A badge on the application's HTML pages that shows what the cache did for them. Default `false`. Needs `dashboard`,
   * and does not start in production.
   */
  toolbar?: boolean;
}

/** For `forRootAsync({ useClass })` and `useExisting`. */
export interface CachingOptionsFactory {
  createCachingOptions(): CachingModuleOptions | Promise<CachingModuleOptions>;
}

export const CACHE_CLOCK = Symbol('nestjs-caching.clock');

/** What tests put in the place of parts of the application's options. */
export interface CachingOverrides {
  readonly clock?: Clock;
  readonly options?: CachingModuleOptions;
}

/** Always provided, so that a testing module can override it. */
export const CACHE_OVERRIDES = Symbol('nestjs-caching.overrides');

/** Options with their defaults, durations in milliseconds. */
export interface ResolvedOptions extends Required<
  Pick<
    CachingModuleOptions,
    'namespace' | 'enabled' | 'cacheAll' | 'credentialCookies' | 'autoEvict' | 'debugHeaders' | 'serverTiming'
  >
> {
  readonly policy: CachePolicyOptions;
  /** `undefined`: none. */
  readonly compression: CompressionPolicy | undefined;
  readonly ttl: number;
  readonly storeTimeout: number;
  readonly coalesceTimeout: number;
  readonly maxEntryBytes: number;
  /** `false`: nothing is kept in process. */
  readonly memory: { readonly maxBytes: number; readonly maxEntries: number } | false;
  readonly store: CacheStore | SharedTier | undefined;
  readonly coherence: Coherence;
  readonly heartbeat: number;
  readonly keyHash: (key: string) => string;
  readonly onStoreFailure: 'queue' | 'throw';
  readonly principal: RequestCallback<unknown> | undefined;
  readonly metrics: readonly MetricsExporter[];
  readonly tracing: CacheTracer | undefined;
  readonly verify: number;
  /** Things that work but are probably not meant. */
  readonly warnings: readonly string[];
}

export const DEFAULTS = {
  ttl: '5m',
  namespace: 'cache',
  maxEntryBytes: 1024 * 1024,
  storeTimeout: '100ms',
  coalesceTimeout: '30s',
  coherence: 'bus',
  heartbeat: '500ms',
  onStoreFailure: 'queue',
} as const;

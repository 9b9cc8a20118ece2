import { HEADERS_METADATA } from '@nestjs/common/constants.js';
import type { MaybePromise } from '../cache/maybe-promise.js';
import { CachingConfigError } from '../caching.errors.js';
import type { CacheScope, CacheStatuses, ResolvedOptions } from '../caching.options.js';
import { duration } from '../check-values.js';
import type { CacheViewOptions } from '../decorators.js';
import type { RecentBudget } from '../recent-map.js';
import type { EvictPolicy } from './evict-policy.js';
import { listOf } from './header-diff.js';
import { LearnedVary } from './learned-vary.js';
import type { Downstream } from './hit-fields.js';
import { KeyBuilder } from './key-builder.js';
import {
  component,
  headers,
  type KeyCoverage,
  type KeyStrategy,
  type NamedKeyStrategy,
  query,
} from './key-strategy.js';
import { policyFingerprint } from './policy-fingerprint.js';
import type { RequestCallback, RequestView } from './request-view.js';
import type { RouteSite } from './route-site.js';
import { secondaryKey } from './semantics/vary.js';
import { tagsOf } from './tag-options.js';
import type { RecordingPolicy } from './view-recording.js';

/** Everything that a cached route's requests need, worked out once at bootstrap. */
export interface ViewPolicy extends RecordingPolicy {
  readonly method: string;
  /** Milliseconds; `CacheRoutes` may change it. */
  ttl: number;
  readonly statuses: Map<number, number>;
  readonly key: KeyBuilder;
  /** What `Vary` has said beside it. */
  readonly learned: LearnedVary;
  readonly coverage: readonly KeyCoverage[];
  /** The strategies of `key` as they are written, for messages. */
  readonly keyTexts: readonly string[];
  /** The key does not cover what the handler reads: every request bypasses the cache. */
  readonly uncovered: boolean;
  /** The handler answers through `@Res()`. */
  readonly rawHandler: boolean;
  /** One fill per key among all instances, rather than one in each. */
  readonly clusterWide: boolean;
  /** Clients may say how fresh they want it. */
  readonly honoursRequests: boolean;
  /** Milliseconds that a request with something stale at hand waits for the handler. */
  readonly softTimeout: number | undefined;
  /** The part of an entry's life after which it is renewed. */
  readonly refreshAhead: number | undefined;
  readonly scope: CacheScope | undefined;
  readonly unless: RequestCallback<boolean> | undefined;
  readonly validator: CacheViewOptions['validator'];
  readonly refresh: RequestCallback<boolean> | undefined;
  /** All tags of a request's response. */
  readonly tags: (request: RequestView) => MaybePromise<string[]>;
}

/** What the cache does for one handler. */
export interface RoutePolicy {
  readonly site: RouteSite;
  readonly view: ViewPolicy | undefined;
  readonly evict: EvictPolicy | undefined;
  /** A request with an unsafe method that succeeds evicts its own path (RFC 9111 §4.4). */
  readonly evictsItself: boolean;
}

/** What concerns one route beside its merged options. */
export interface OwnLimits {
  /** The route's own, which joins the key beside the module's. */
  readonly version?: string | undefined;
  /** What the store has room for, in bytes. */
  readonly largestBody?: number | undefined;
  /** What all routes remember of URLs together. */
  readonly budget?: RecentBudget | undefined;
}

/** Works out a cached route's policy. */
export function compileView(
  site: RouteSite,
  merged: CacheViewOptions,
  module: ResolvedOptions,
  { version = '', largestBody = Number.POSITIVE_INFINITY, budget }: OwnLimits = {},
): Omit<ViewPolicy, 'uncovered'> {
  const { name: route, httpMethod, rawHandler } = site;
  const strategies = strategiesOf(merged);
  const coverage = strategies.map((strategy) =>
    typeof strategy === 'function' ? { custom: true as const } : strategy.covers,
  );
  if (httpMethod !== 'GET' && !coverage.some((key) => key.body || key.custom)) {
    throw new CachingConfigError(
      'key',
      merged.key,
      `a key that reads the body, e.g. key: jsonBody(): ${httpMethod} requests of one URL differ by their bodies`,
      `@CacheView of ${route}`,
    );
  }
  const ttl = duration('ttl', merged.ttl ?? module.ttl, route, []);
  return {
    route,
    method: httpMethod,
    rawHandler,
    clusterWide: merged.coalesce === 'cluster',
    coverage,
    keyTexts: strategies.map((strategy) => (typeof strategy === 'function' ? 'custom(…)' : strategy.name)),
    ttl,
    statuses: statusesOf(merged.statuses ?? defaultStatuses(httpMethod), ttl),
    keyedHeaders: new Set(coverage.flatMap((key) => key.headers ?? [])),
    declaredVary: declaredVary(site),
    maxEntryBytes: Math.min(merged.maxEntryBytes ?? module.maxEntryBytes, largestBody),
    debugHeaders: module.debugHeaders,
    freshness: {
      mode: merged.freshness ?? 'min',
      staleWhileRevalidate: windowOf('staleWhileRevalidate', merged, route),
      staleIfError: windowOf('staleIfError', merged, route),
      canRevalidate: merged.validator !== undefined,
    },
    softTimeout:
      merged.softTimeout === undefined ? undefined : duration('softTimeout', merged.softTimeout, route, []),
    refreshAhead: merged.refreshAhead,
    honoursRequests: merged.honourRequestCacheControl ?? false,
    // RFC 9110 §8.8.3: of a representation, which the answer to a POST is not.
    etag: httpMethod === 'GET' && (merged.etag ?? true),
    downstream: downstreamOf(merged.downstream, route),
    filter: merged.filter,
    scope: merged.scope,
    unless: merged.unless,
    validator: merged.validator,
    refresh: merged.refresh,
    key: new KeyBuilder({
      namespace: module.namespace,
      version: component(module.policy.version ?? '') + component(version),
      fingerprint: policyFingerprint(merged),
      route,
      method: httpMethod,
      scoped: typeof merged.scope === 'function',
      strategies,
      budget,
    }),
    learned: new LearnedVary(module.namespace, { languages: merged.languages }),
    tags: tagsOf(route, merged.tags),
  };
}

/** Milliseconds; nothing where the route leaves it to the response. */
function windowOf(
  field: 'staleWhileRevalidate' | 'staleIfError',
  merged: CacheViewOptions,
  route: string,
): number | undefined {
  const given = merged[field];
  if (given === undefined) return undefined;
  return given === false ? 0 : duration(field, given, route, []);
}

function downstreamOf(given: CacheViewOptions['downstream'], route: string): Downstream | undefined {
  if (given === undefined) return undefined;
  const { maxAge } = given;
  return {
    maxAge: maxAge === undefined ? undefined : duration('downstream.maxAge', maxAge, route, []),
    isPublic: given.public ?? false,
  };
}

function strategiesOf({ key, vary = [], languages }: CacheViewOptions): KeyStrategy[] {
  const own: KeyStrategy[] = key === undefined ? [query()] : [key].flat();
  if (vary.length === 0) return own;
  const named = headers(...vary);
  return [...own, languages === undefined ? named : byLanguages(named, vary, languages)];
}

/** The same strategy, for which requests that like the same of these languages best are the same. */
function byLanguages(
  named: NamedKeyStrategy,
  vary: readonly string[],
  languages: readonly string[],
): NamedKeyStrategy {
  const names = vary.map((name) => name.toLowerCase()).sort();
  return {
    ...named,
    part: ({ headers: given }) => secondaryKey(names, given, { languages }) ?? { bypass: 'vary' },
  };
}

function declaredVary({ controller, method }: RouteSite): Set<string> {
  const handler = controller.prototype[method] as object;
  const declared = (Reflect.getMetadata(HEADERS_METADATA, handler) ?? []) as {
    name: string;
    value: unknown;
  }[];
  return new Set(
    declared
      .filter(({ name, value }) => name.toLowerCase() === 'vary' && typeof value === 'string')
      .flatMap(({ value }) => listOf(value as string)),
  );
}

/** A 201 tells of something new; only a POST that opted in gives it as an answer that can be given again. */
function defaultStatuses(method: string): readonly number[] {
  return method === 'POST' ? [200, 201, 203] : [200, 203];
}

function statusesOf(statuses: CacheStatuses, ttl: number): Map<number, number> {
  if (Array.isArray(statuses)) return new Map((statuses as readonly number[]).map((status) => [status, ttl]));
  return new Map(
    Object.entries(statuses).map(([status, own]) => [Number(status), duration('statuses', own, '', [])]),
  );
}

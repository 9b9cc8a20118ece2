import { type Size, SIZES } from './bodies.js';
import type { ReadCommand } from './redis-process.js';

export const PLATFORMS = ['fastify', 'express'] as const;
export type Platform = (typeof PLATFORMS)[number];

/** What serves the requests. */
export type ServerKind =
  | 'node'
  | 'string'
  | 'marker'
  | 'cache-interceptor'
  | 'pass-through'
  | 'caching'
  | 'caching-debug'
  | 'caching-context'
  | 'caching-metrics'
  | 'caching-telemetry'
  | RedisServerKind;

/** With Redis; the digit is the major of node-redis. */
export type RedisServerKind =
  'redis-memory' | 'redis-5' | 'redis-4' | 'interceptor-redis-5' | 'interceptor-redis-4';

/** Rows whose servers stand beside each other. Only these are compared: other servers would disturb, and say nothing. */
export type Group = 'hits' | 'metrics' | 'misses' | 'redis';

export interface Row {
  readonly name: RowName;
  readonly server: ServerKind;
  readonly title: string;
  readonly group: Group;
  /** Where it is measured, unless `--only` names it. */
  readonly sizes: readonly Size[];
  /** `same`: one URL again and again, whose handler must not run. `distinct`: no URL twice, so it always runs. */
  readonly urls: 'same' | 'distinct';
  /** Whether the handler runs: checked after each run, or it was not measured what the row says. */
  readonly handlerRuns: 'never' | 'always' | 'unknown';
  /** Asked again after a run, a URL of it must not run the handler: it was stored. */
  readonly stores: boolean;
  /** The build under test, or the one that `--against` names. */
  readonly library: 'tested' | 'other';
  /**
   * Whether anybody hears the cache's events. Rows that say so and have the same server share one process, where
   * listeners end and begin again between the runs: two processes of the very same code differ by more than events cost.
   */
  readonly listens: boolean | undefined;
  /** Which command each request makes Redis execute once; `'never'` for hits in process. */
  readonly reads: ReadCommand | 'never' | 'unknown';
}

export type RowName =
  | 'node'
  | 'string'
  | 'marker'
  | 'cache-interceptor'
  | 'hit'
  | 'hit-debug'
  | 'pass-through'
  | 'miss'
  | 'miss-debug'
  | 'hit-context'
  | 'hit-metrics'
  | 'hit-metrics-off'
  | 'hit-telemetry'
  | 'hit-telemetry-off'
  | 'miss-context'
  | 'other-hit'
  | 'other-miss'
  | 'hit-l1'
  | 'hit-l2-5'
  | 'hit-l2-4'
  | 'interceptor-5'
  | 'interceptor-4'
  | 'other-hit-l2-5'
  | 'other-hit-l2-4';

type Traits = Partial<Omit<Row, 'name' | 'server' | 'title'>>;

function row(name: RowName, server: ServerKind, title: string, traits: Traits = {}): Row {
  return {
    name,
    server,
    title,
    group: 'hits',
    sizes: SIZES,
    urls: 'same',
    handlerRuns: 'unknown',
    stores: false,
    library: 'tested',
    listens: undefined,
    reads: 'unknown',
    ...traits,
  };
}

const HIT: Traits = { handlerRuns: 'never' };
/** What an option costs is a part of a request's cost that no size changes much. */
const ONE_SIZE: Traits = { sizes: [10] };
const HEARD: Traits = { ...HIT, ...ONE_SIZE, group: 'metrics', listens: true };
const UNHEARD: Traits = { ...HEARD, listens: false };
const REDIS_HIT: Traits = { ...HIT, group: 'redis' };
const L2_HIT: Traits = { ...REDIS_HIT, reads: 'mget' };
const EMPTY: Traits = { group: 'misses', urls: 'distinct', handlerRuns: 'always' };
const MISS: Traits = { ...EMPTY, stores: true };

export const ROWS: readonly Row[] = [
  row('node', 'node', 'raw node:http, prebuilt Buffer'),
  row('string', 'string', 'bare Nest handler, prebuilt string'),
  row('marker', 'marker', 'bare interceptor writes raw bytes', HIT),
  row('cache-interceptor', 'cache-interceptor', "cache-manager's CacheInterceptor, hit", HIT),
  row('hit', 'caching', 'nestjs-caching, hit', HIT),
  row('hit-debug', 'caching-debug', 'nestjs-caching, hit, debugHeaders', { ...HIT, ...ONE_SIZE }),
  row('hit-context', 'caching-context', 'nestjs-caching, hit, CacheContext injected', {
    ...HIT,
    ...ONE_SIZE,
  }),
  row('hit-metrics', 'caching-metrics', 'nestjs-caching, hit, metrics in prom-client', HEARD),
  row('hit-metrics-off', 'caching-metrics', 'the same process, nobody listening', UNHEARD),
  row('hit-telemetry', 'caching-telemetry', 'nestjs-caching, hit, metrics in OpenTelemetry', HEARD),
  row('hit-telemetry-off', 'caching-telemetry', 'the same process, nobody listening', UNHEARD),
  row('pass-through', 'pass-through', 'empty interceptor, no cache', EMPTY),
  row('miss', 'caching', 'nestjs-caching, miss', MISS),
  row('miss-debug', 'caching-debug', 'nestjs-caching, miss, debugHeaders', { ...MISS, ...ONE_SIZE }),
  row('miss-context', 'caching-context', 'nestjs-caching, miss, CacheContext injected', {
    ...MISS,
    ...ONE_SIZE,
  }),
];

/** With `--against`: the same from another build of the library. */
export const OTHER_ROWS: readonly Row[] = [
  row('other-hit', 'caching', 'other build, hit', { ...HIT, library: 'other' }),
  row('other-miss', 'caching', 'other build, miss', { ...MISS, library: 'other' }),
];

/** With `--redis`: each has a database of its own in one Redis. */
export const REDIS_ROWS: readonly Row[] = [
  row('hit', 'caching', 'nestjs-caching, hit in memory, no Redis', REDIS_HIT),
  row('hit-l1', 'redis-memory', 'nestjs-caching, hit in memory before Redis', {
    ...REDIS_HIT,
    reads: 'never',
  }),
  row('hit-l2-5', 'redis-5', 'nestjs-caching, hit in Redis, node-redis 5', L2_HIT),
  row('interceptor-5', 'interceptor-redis-5', 'CacheInterceptor, @keyv/redis, node-redis 5', {
    ...REDIS_HIT,
    reads: 'get',
  }),
  row('hit-l2-4', 'redis-4', 'nestjs-caching, hit in Redis, node-redis 4', L2_HIT),
  row('interceptor-4', 'interceptor-redis-4', 'CacheInterceptor, cache-manager-redis-yet, node-redis 4', {
    ...REDIS_HIT,
    reads: 'get',
  }),
];

/** With `--redis` and `--against`. */
export const OTHER_REDIS_ROWS: readonly Row[] = [
  row('other-hit-l2-5', 'redis-5', 'other build, hit in Redis, node-redis 5', {
    ...L2_HIT,
    library: 'other',
  }),
  row('other-hit-l2-4', 'redis-4', 'other build, hit in Redis, node-redis 4', {
    ...L2_HIT,
    library: 'other',
  }),
];

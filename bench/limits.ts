import { type Platform, PLATFORMS, type RowName } from './rows.js';
import type { Size } from './bodies.js';

/** A ratio that has to hold. */
export interface Limit {
  readonly row: RowName;
  readonly over: RowName;
  readonly platform: Platform;
  readonly size: Size;
  /** How often `row` serves what `over` serves, in requests per second of CPU time. */
  readonly atLeast: number;
  readonly why: string;
}

function limit(
  [row, over]: readonly [RowName, RowName],
  [platform, size]: readonly [Platform, Size],
  atLeast: number,
  why: string,
): Limit {
  return { row, over, platform, size, atLeast, why };
}

const BARE = 'within 15 % of the bare interceptor';
const MEASURED = 'a hit with metrics within 5 % of one without';
const EMPTY = 'a miss costs at most 15 % more than an empty interceptor';

export const LIMITS: readonly Limit[] = [
  limit(['hit', 'cache-interceptor'], ['fastify', 10], 2.3, '2.3 × CacheInterceptor'),
  limit(['hit', 'cache-interceptor'], ['express', 10], 1.5, '1.5 × CacheInterceptor'),
  limit(['hit', 'cache-interceptor'], ['fastify', 100], 12, '12 × CacheInterceptor'),
  limit(['hit', 'cache-interceptor'], ['express', 100], 4.2, '4.2 × CacheInterceptor'),
  limit(['hit', 'marker'], ['fastify', 10], 0.85, BARE),
  limit(['hit', 'marker'], ['express', 10], 0.85, BARE),
  ...PLATFORMS.flatMap((platform) => [
    limit(['hit-metrics', 'hit-metrics-off'], [platform, 10], 0.95, MEASURED),
    limit(['hit-telemetry', 'hit-telemetry-off'], [platform, 10], 0.95, MEASURED),
  ]),
  limit(['miss', 'pass-through'], ['fastify', 10], 1 / 1.15, EMPTY),
  limit(['miss', 'pass-through'], ['express', 10], 1 / 1.15, EMPTY),
];

/** For a short run on a machine that does other things as well: the order, not the distance. */
export const SHORT_LIMITS: readonly Limit[] = PLATFORMS.map((platform) =>
  limit(['hit', 'cache-interceptor'], [platform, 10], 1, 'a hit beats CacheInterceptor'),
);

const L1 = 'a hit in memory before Redis within 5 % of one without';
const L2 = (times: number, major: number): string =>
  `a hit in Redis ${times} × CacheInterceptor over Redis, node-redis ${major}`;

export const REDIS_LIMITS: readonly Limit[] = [
  limit(['hit-l1', 'hit'], ['fastify', 1], 0.95, L1),
  limit(['hit-l1', 'hit'], ['fastify', 10], 0.95, L1),
  limit(['hit-l2-5', 'interceptor-5'], ['fastify', 1], 1.6, L2(1.6, 5)),
  limit(['hit-l2-4', 'interceptor-4'], ['fastify', 1], 1.4, L2(1.4, 4)),
  limit(['hit-l2-5', 'interceptor-5'], ['fastify', 10], 5, L2(5, 5)),
  limit(['hit-l2-4', 'interceptor-4'], ['fastify', 10], 2, L2(2, 4)),
];

export const SHORT_REDIS_LIMITS: readonly Limit[] = PLATFORMS.flatMap((platform) => [
  limit(
    ['hit-l2-5', 'interceptor-5'],
    [platform, 10],
    1,
    'a hit in Redis beats CacheInterceptor, node-redis 5',
  ),
  limit(
    ['hit-l2-4', 'interceptor-4'],
    [platform, 10],
    1,
    'a hit in Redis beats CacheInterceptor, node-redis 4',
  ),
]);

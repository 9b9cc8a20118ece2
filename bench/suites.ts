import { type Size, SIZES } from './bodies.js';
import { type Limit, LIMITS, REDIS_LIMITS, SHORT_LIMITS, SHORT_REDIS_LIMITS } from './limits.js';
import { OTHER_REDIS_ROWS, OTHER_ROWS, REDIS_ROWS, type Row, type RowName, ROWS } from './rows.js';

/** A column of ratios. */
export interface Column {
  readonly title: string;
  /** What a row is compared with, if it is. */
  readonly over: (row: Row) => RowName | undefined;
}

/** Rows that one command measures, and what is asked of them. */
export interface Suite {
  readonly rows: readonly Row[];
  /** Of another build of the library. */
  readonly otherRows: readonly Row[];
  readonly sizes: readonly Size[];
  readonly columns: readonly Column[];
  readonly limits: readonly Limit[];
  readonly shortLimits: readonly Limit[];
  readonly needsRedis: boolean;
  /** How many processes of each server the full form measures. */
  readonly processes: number;
}

export const HTTP: Suite = {
  rows: ROWS,
  otherRows: OTHER_ROWS,
  sizes: SIZES,
  columns: [
    {
      title: '× CacheInterceptor',
      over: ({ group }) => (group === 'hits' ? 'cache-interceptor' : undefined),
    },
    { title: '× bare interceptor', over: bareRow },
  ],
  limits: LIMITS,
  shortLimits: SHORT_LIMITS,
  needsRedis: false,
  processes: 5,
};

export const REDIS: Suite = {
  rows: REDIS_ROWS,
  otherRows: OTHER_REDIS_ROWS,
  sizes: [1, 10],
  columns: [
    {
      title: '× CacheInterceptor, same client',
      over: ({ server }) => (server.endsWith('4') ? 'interceptor-4' : 'interceptor-5'),
    },
    { title: '× hit in memory', over: () => 'hit' },
  ],
  limits: REDIS_LIMITS,
  shortLimits: SHORT_REDIS_LIMITS,
  needsRedis: true,
  processes: 3,
};

function bareRow({ group }: Row): RowName | undefined {
  switch (group) {
    case 'hits':
      return 'marker';
    case 'misses':
      return 'pass-through';
    default:
      return undefined;
  }
}

import { type Size, SIZES } from './bodies.js';
import { type Limit, LIMITS, REDIS_LIMITS, SHORT_LIMITS, SHORT_REDIS_LIMITS } from './limits.js';
import { OTHER_REDIS_ROWS, OTHER_ROWS, REDIS_ROWS, type Row, type RowName, ROWS } from './rows.js';

/** A column of ratios. */
export interface Column {
  readonly title: string;
  /** What a row is compared with, if it is. */
  readonly over: (row: Row) => RowName | undefined;
}

/** Rows that are measured together, and what is asked of them. */
export interface Suite {
  readonly rows: readonly Row[];
  /** Of another build of the library. */
  readonly otherRows: readonly Row[];
  readonly sizes: readonly Size[];
  readonly columns: readonly Column[];
  readonly limits: readonly Limit[];
  readonly shortLimits: readonly Limit[];
  readonly needsRedis: boolean;
}

export const HTTP: Suite = {
  rows: ROWS,
  otherRows: OTHER_ROWS,
  sizes: SIZES,
  columns: [
    { title: '× CacheInterceptor', over: () => 'cache-interceptor' },
    { title: '× bare interceptor', over: ({ urls }) => (urls === 'same' ? 'marker' : 'pass-through') },
  ],
  limits: LIMITS,
  shortLimits: SHORT_LIMITS,
  needsRedis: false,
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
};

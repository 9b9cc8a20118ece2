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
  | 'caching-context';

export interface Row {
  readonly name: RowName;
  readonly server: ServerKind;
  readonly title: string;
  /** `same`: one URL again and again, whose handler must not run. `distinct`: no URL twice, so it always runs. */
  readonly urls: 'same' | 'distinct';
  /** Whether the handler runs: checked after each run, or it was not measured what the row says. */
  readonly handlerRuns: 'never' | 'always' | 'unknown';
  /** Asked again after a run, a URL of it must not run the handler: it was stored. */
  readonly stores: boolean;
  /** The build under test, or the one that `--against` names. */
  readonly library: 'tested' | 'other';
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
  | 'miss-context'
  | 'other-hit'
  | 'other-miss';

type Traits = Partial<Omit<Row, 'name' | 'server' | 'title'>>;

function row(name: RowName, server: ServerKind, title: string, traits: Traits = {}): Row {
  return {
    name,
    server,
    title,
    urls: 'same',
    handlerRuns: 'unknown',
    stores: false,
    library: 'tested',
    ...traits,
  };
}

const HIT: Traits = { handlerRuns: 'never' };
const MISS: Traits = { urls: 'distinct', handlerRuns: 'always' };

export const ROWS: readonly Row[] = [
  row('node', 'node', 'raw node:http, prebuilt Buffer'),
  row('string', 'string', 'bare Nest handler, prebuilt string'),
  row('marker', 'marker', 'bare interceptor writes raw bytes', HIT),
  row('cache-interceptor', 'cache-interceptor', "cache-manager's CacheInterceptor, hit", HIT),
  row('hit', 'caching', 'nestjs-caching, hit', HIT),
  row('hit-debug', 'caching-debug', 'nestjs-caching, hit, debugHeaders', HIT),
  row('hit-context', 'caching-context', 'nestjs-caching, hit, CacheContext injected', HIT),
  row('pass-through', 'pass-through', 'empty interceptor, no cache', MISS),
  row('miss', 'caching', 'nestjs-caching, miss', { ...MISS, stores: true }),
  row('miss-debug', 'caching-debug', 'nestjs-caching, miss, debugHeaders', { ...MISS, stores: true }),
  row('miss-context', 'caching-context', 'nestjs-caching, miss, CacheContext injected', {
    ...MISS,
    stores: true,
  }),
];

/** With `--against`: the same from another build of the library. */
export const OTHER_ROWS: readonly Row[] = [
  row('other-hit', 'caching', 'other build, hit', { ...HIT, library: 'other' }),
  row('other-miss', 'caching', 'other build, miss', { ...MISS, stores: true, library: 'other' }),
];

import 'reflect-metadata';
import { applyDecorators, SetMetadata, type Type } from '@nestjs/common';
import type { CachePolicyOptions } from './caching.options.js';
import type { Duration } from './duration.js';
import type { RequestCallback } from './http/request-view.js';

export const CACHE_VIEW = 'nestjs-caching:view';
export const NO_CACHE = 'nestjs-caching:no-cache';
export const CACHE_EVICT = 'nestjs-caching:evict';

/** Tags, or a function of the request that returns them. */
export type CacheTags = readonly string[] | RequestCallback<readonly string[]>;

/** A word on the state of data: the same for the same state, another for any other. */
export type CacheValidator = string | number | bigint | Date | null | undefined;

/** What `@CacheView` takes beside what the module can say for all routes. */
export interface CacheViewOptions extends CachePolicyOptions {
  /** Request headers whose values join the key. A short way to write `headers(...)` beside the default key. */
  vary?: readonly string[];
  /**
   * Languages that the handler answers in, e.g. `['de', 'en']`: where its responses vary on `Accept-Language`, requests
   * that like the same of these best are given the same response. Default: told apart by the whole field.
   */
  languages?: readonly string[];
  /**
   * A cheap word on the state of the data that the handler reads, such as a row's version or the time of its last change:
   * asked before each run of the handler, and stored with its response. An entry that is stale, or that has to be asked
   * about (`no-cache`), is renewed without the handler where the word is still the same (RFC 9111 §4.3). It may use what
   * middleware and guards have set; `undefined` or `null` where it is not known. Not asked for hits.
   *
   * @example
   * @Get(':id') @CacheView({ ttl: '10s', validator: ({ params }) => books.updatedAt(params.id) }) one() {}
   */
  validator?: RequestCallback<CacheValidator>;
  /** Labels to evict by. A response with more than 256 is not stored. */
  tags?: CacheTags;
  /** States that the author has looked at everything the handler reads, so it need not be covered by the key. */
  inputs?: 'reviewed';
}

/**
 * Caches the responses of a GET handler, or of all GET handlers of a controller. A method's fields win over its
 * controller's, and those over the module's, one by one. On any other method it needs a key that reads the body.
 *
 * @param options a time to live (milliseconds, or `'30s'`, `'5m'`, …), or an object; default the module's options
 * @example
 * @Get() @CacheView('1m') list() {}
 * @Get(':id') @CacheView({ ttl: '1h', tags: ({ params }) => [`book:${params.id}`] }) one() {}
 */
export function CacheView(options: Duration | CacheViewOptions = {}): ClassDecorator & MethodDecorator {
  return SetMetadata(
    CACHE_VIEW,
    typeof options === 'object' && options !== null ? options : { ttl: options },
  );
}

/**
 * Keeps a handler, or all handlers of a controller, out of the cache. It wins over `cacheAll` and over a
 * controller's `@CacheView`.
 *
 * @example
 * @Get('now') @NoCache() now() {}
 */
export function NoCache(): ClassDecorator & MethodDecorator {
  return applyDecorators(SetMetadata(NO_CACHE, true));
}

/** What a successful request evicts. Several fields add up. */
export interface CacheEvictOptions {
  /** Everything that carries one of these tags. */
  tags?: CacheTags;
  /** Every response of these full public paths; `:name` takes the request's own path parameter. */
  paths?: readonly string[];
  /** Every response of these handlers. */
  routes?: readonly (readonly [controller: Type, method: string])[];
  /** Every response of every handler. */
  all?: boolean;
  /** Evict only where this returns true; otherwise nothing at all, the request's own path included. */
  when?: RequestCallback<boolean>;
  /** Whether the request's own path is evicted as well, and what its `Location` names. Default the module's option. */
  autoEvict?: boolean;
}

/**
 * Evicts after the handler succeeded (2xx or 3xx) and before its reply reaches the client, so that whoever reads
 * after the reply sees what was written. On a controller it counts for its handlers that write (not GET or HEAD)
 * and have none of their own.
 *
 * @example
 * @Put(':id') @CacheEvict({ tags: ({ params }) => ['books', `book:${params.id}`] }) change() {}
 * @Post() @CacheEvict({ tags: ({ body }: RequestView<{ body: Book }>) => [`author:${body.author}`] }) add() {}
 * @Delete(':id') @CacheEvict({ paths: ['/books/:id', '/books'] }) remove() {}
 * @Post('import') @CacheEvict('books', 'authors') import() {}
 */
export function CacheEvict(...tags: readonly string[]): ClassDecorator & MethodDecorator;
export function CacheEvict(options: CacheEvictOptions): ClassDecorator & MethodDecorator;
export function CacheEvict(
  ...given: readonly (string | CacheEvictOptions)[]
): ClassDecorator & MethodDecorator {
  const [first] = given;
  return SetMetadata(CACHE_EVICT, typeof first === 'object' ? first : { tags: given });
}

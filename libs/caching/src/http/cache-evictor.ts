import { type CallHandler, Logger, StreamableFile, type Type } from '@nestjs/common';
import { concat, defer, EMPTY, from, ignoreElements, type Observable, tap } from 'rxjs';
import type { EvictionSource } from '../cache/history.js';
import { chain, isPromiseLike, type MaybePromise } from '../cache/maybe-promise.js';
import { CacheStoreError } from '../caching.errors.js';
import type { CachedPaths } from './cached-paths.js';
import { changedTags } from './changed-paths.js';
import { type EvictPolicy, evictedTags } from './evict-policy.js';
import { beforeEachPart, type FrameworkResponse, holdEnd, type HttpPlatform } from './platform/platform.js';
import type { RequestView } from './request-view.js';
import type { RouteSite } from './route-site.js';
import { isSafe } from './semantics/methods.js';

/** A request to a handler whose success may evict. */
export interface Writing {
  readonly site: RouteSite;
  /** What its `@CacheEvict` says. */
  readonly policy: EvictPolicy | undefined;
  /** Its own path is evicted as well, where its method is unsafe. */
  readonly evictsItself: boolean;
  readonly platform: HttpPlatform;
  readonly request: RequestView;
  readonly response: FrameworkResponse;
}

/**
 * Evicts what a handler's success changes: after the handler, before the end of its reply. Where the end of the
 * handler's work is the end of the reply (`@Res()`, streams), that end is held until the eviction is done.
 */
export class CacheEvictor {
  readonly #logger = new Logger('CachingModule');

  constructor(
    private readonly evict: (tags: readonly string[], by: EvictionSource) => MaybePromise<unknown>,
    private readonly nameOf: (controller: Type, method: string) => string,
    private readonly cachedPaths: CachedPaths,
  ) {}

  after(writing: Writing, next: CallHandler): Observable<unknown> {
    const { site, platform, request } = writing;
    const { method } = request;
    const policy = writing.policy?.unsafeOnly && isSafe(method) ? undefined : writing.policy;
    const evictsItself = writing.evictsItself && !isSafe(method);
    if (policy === undefined && !evictsItself) return next.handle();
    const response = platform.node(writing.response);
    const { rawHandler } = site;
    let last: unknown;
    const evict = this.#eviction({ ...writing, policy, evictsItself }, () => last);
    const evictOrLog = (): MaybePromise<void> => this.#logged(evict);
    if (rawHandler) {
      beforeEachPart(response, evictOrLog);
      holdEnd(response, evictOrLog);
    }
    const handled = next.handle().pipe(
      tap({
        next: (value) => (last = value),
        // The client left and Nest tore the handler down: what it had begun to write may be written.
        unsubscribe: () => void evictOrLog(),
      }),
    );
    const finish = defer(() => {
      if (rawHandler) return EMPTY;
      // Now, for what the handler wrote, and at the end again, for what is written while the stream is made.
      if (isStreamed(last)) holdEnd(response, evictOrLog);
      const evicting = evict();
      return isPromiseLike(evicting) ? from(evicting).pipe(ignoreElements()) : EMPTY;
    });
    return concat(handled, finish);
  }

  /** Evicts unless the reply tells of a failure. The user's callbacks are asked once, however often that is done. */
  #eviction(writing: Writing, value: () => unknown): () => MaybePromise<void> {
    const { policy, platform, request, response } = writing;
    let asked: MaybePromise<readonly string[] | undefined> | undefined;
    const own = (): readonly string[] =>
      writing.evictsItself
        ? changedTags(
            { ...writing, field: (name) => platform.field(response, name), value: value() },
            this.cachedPaths,
          )
        : [];
    return () => {
      if (platform.node(response).statusCode >= 400) return undefined;
      asked ??= policy === undefined ? [] : evictedTags(policy, request, this.nameOf);
      return chain(asked, (given) => {
        const tags = given === undefined ? [] : [...new Set([...given, ...own()])];
        if (tags.length === 0) return undefined;
        // The write has succeeded: that the store could not be told is an event, not the request's failure.
        const via = given === undefined || given.length === 0 ? 'auto-evict' : 'decorator';
        return ignoringStore(() => this.evict(tags, { via, route: writing.site.name }));
      });
    };
  }

  /** Too late to fail the request: what went wrong in a user's callback is logged instead. */
  #logged(evict: () => MaybePromise<void>): MaybePromise<void> {
    const log = (error: unknown): void => this.#logger.error(error);
    try {
      const evicting = evict();
      return isPromiseLike(evicting) ? evicting.then(undefined, log) : undefined;
    } catch (error) {
      return log(error);
    }
  }
}

function ignoringStore(evict: () => MaybePromise<unknown>): MaybePromise<void> {
  const tolerate = (error: unknown): void => {
    if (!(error instanceof CacheStoreError)) throw error;
  };
  try {
    const evicting = evict();
    return isPromiseLike(evicting) ? evicting.then(() => undefined, tolerate) : undefined;
  } catch (error) {
    return tolerate(error);
  }
}

function isStreamed(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return (
    value instanceof StreamableFile ||
    ['pipe', 'getReader'].some(
      (method) => typeof (value as Record<string, unknown>)[method] === 'function',
    ) ||
    Symbol.asyncIterator in value
  );
}

import type { Type } from '@nestjs/common';
import { withoutCache } from './cache/bypass.js';
import { CacheUsageError, describe } from './caching.errors.js';
import { type Duration, DURATION_RULE, toMilliseconds } from './duration.js';
import type { Redispatcher } from './http/background/redispatch.js';
import { type WarmOptions, type WarmReport, type WarmRequest, warmRoute } from './http/background/warming.js';
import type { ViewPolicy } from './http/route-policy.js';
import type { RouteTable } from './http/route-table.js';
import { changeTtl } from './http/route-ttl.js';

/** What is cached of a route, and how. */
export interface CachedRoute {
  /** `BooksController.list`. */
  readonly route: string;
  readonly method: string;
  /** Milliseconds. */
  readonly ttl: number;
  /** Milliseconds for each status that is stored. */
  readonly statuses: Readonly<Record<number, number>>;
  /** The strategies of its key, as they are written. */
  readonly key: readonly string[];
  /** Whose its responses are: everybody's, each one's own, or nobody's known. */
  readonly scope: 'public' | 'principal' | undefined;
  /** The largest body that is stored, in bytes. */
  readonly maxEntryBytes: number;
  /** False: its key does not cover what the handler reads, so that every request bypasses the cache. */
  readonly covered: boolean;
}

/** What the service is wired to. */
export interface RoutesParts {
  readonly routes: () => RouteTable;
  /** Nothing where caching is switched off. */
  readonly background: Redispatcher | undefined;
}

/**
 * Cached routes, from code: what is cached of them and how, for how long from now on, code that bypasses the cache, and
 * responses that are there before anybody asks.
 *
 * @example
 * constructor(private readonly routes: CacheRoutes) {}
 * afterDeploy() {
 *   return this.routes.warm(BooksController, 'list', ['/books', '/books?page=2']);
 * }
 */
export class CacheRoutes {
  constructor(private readonly parts: RoutesParts) {}

  /** All cached routes, in the order of their controllers. */
  all(): CachedRoute[] {
    return [...this.parts.routes().all()].flatMap(({ view }) =>
      view === undefined ? [] : [describeRoute(view)],
    );
  }

  /**
   * What is cached of a route; nothing where it is not cached.
   *
   * @throws CacheUsageError where there is no such route
   */
  policy(controller: Type, method: string): CachedRoute | undefined {
    const view = this.#find('policy', controller, method);
    return view && describeRoute(view);
  }

  /**
   * Changes for how long responses of a route live that are stored from now on, in this process. Those that are stored
   * keep their time: evict them with `byRoute` where it is to count at once.
   *
   * @param ttl as in `@CacheView`; nothing: what the decorators say
   * @throws CacheUsageError where the route is not cached, or the time is none
   */
  setTtl(controller: Type, method: string, ttl: Duration | undefined): void {
    const view = this.#cached('setTtl', controller, method);
    const milliseconds = ttl === undefined ? undefined : toMilliseconds(ttl);
    if (ttl !== undefined && milliseconds === undefined)
      throw new CacheUsageError(`setTtl(${describe(ttl)}); allowed: ${DURATION_RULE}`);
    changeTtl(view, milliseconds);
    this.parts.routes().expectLife(view);
  }

  /**
   * Runs code for which nothing is read from the cache or stored in it: cached routes that it goes on to (from
   * middleware), and memoized functions that it calls. What it awaits counts as well.
   *
   * @returns what the code returns
   * @example
   * use(request: Request, response: Response, next: () => void) {
   *   if (isPreview(request)) this.routes.bypass(next);
   *   else next();
   * }
   */
  bypass<T>(code: () => T): T {
    return withoutCache(code);
  }

  /**
   * Fills the cache before anybody asks: sends requests for one route through the whole application, middleware and
   * guards included (`isCacheRefresh(request)` tells them). Needs the application to be initialised.
   *
   * @param requests URLs, or requests with headers and bodies; any number, as they are read one by one
   * @returns how many came to which end; it rejects for arguments only, and for what `onProgress` throws
   * @throws CacheUsageError where the route is not cached, or a URL is none
   * @example
   * await routes.warm(BooksController, 'list', ['/books', '/books?page=2'], {
   *   concurrency: 8,
   *   onProgress: ({ done, total, result }) => logger.log(`${done}/${total} ${result}`),
   * });
   */
  async warm(
    controller: Type,
    method: string,
    requests: Iterable<WarmRequest> | AsyncIterable<WarmRequest>,
    options: WarmOptions = {},
  ): Promise<WarmReport> {
    return warmRoute(this.parts.background, this.#cached('warm', controller, method), requests, options);
  }

  #cached(caller: string, controller: Type, method: string): ViewPolicy {
    const view = this.#find(caller, controller, method);
    if (view === undefined)
      throw new CacheUsageError(`${caller}: ${controller.name}.${method} is not cached`);
    return view;
  }

  #find(caller: string, controller: Type, method: string): ViewPolicy | undefined {
    const isClass = typeof controller === 'function' && typeof method === 'string';
    const policy = isClass ? this.parts.routes().named(controller, method) : undefined;
    if (policy === undefined) {
      const name = isClass ? `${controller.name}.${method}` : describe(controller);
      throw new CacheUsageError(`${caller}: ${name} is no route of this application`);
    }
    return policy.view;
  }
}

function describeRoute(view: ViewPolicy): CachedRoute {
  const { route, method, ttl, statuses, keyTexts, scope, maxEntryBytes, uncovered } = view;
  return {
    route,
    method,
    ttl,
    statuses: Object.fromEntries(statuses),
    key: keyTexts,
    scope: typeof scope === 'function' ? 'principal' : scope,
    maxEntryBytes,
    covered: !uncovered,
  };
}

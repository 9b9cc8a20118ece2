import type { Type } from '@nestjs/common';
import type { Eviction } from './cache/view-cache.js';
import { CacheUsageError, describe } from './caching.errors.js';
import { pickPrincipal } from './http/admission.js';
import { requiredParams } from './http/path-params.js';
import { describedRequest, type RequestDescription } from './http/request-description.js';
import {
  ALL_VIEWS,
  isTag,
  pathTag,
  prefixTag,
  routeParamsTag,
  routeTag,
  TAG_RULE,
  userTag,
} from './http/route-tags.js';
import { memoizedFunctions } from './memoize/definition.js';
import type { Memoizer } from './memoize/memoizer.js';
import type { RoutePolicy } from './http/route-policy.js';
import type { RouteTable } from './http/route-table.js';
import type { MaybePromise } from './cache/maybe-promise.js';

/**
 * What became of an eviction. `acknowledged`: nothing that was filled from what was true before it is served after, and
 * `stamp` is its place in the sequence of evictions of `epoch`. Otherwise it holds in this process, and the shared
 * store will be told as soon as it can be reached; `stamp` is what this process knows of the sequence.
 */
export interface EvictionReceipt {
  readonly epoch: string;
  readonly stamp: number;
  readonly acknowledged: boolean;
}

/** How `byTag` evicts. */
export interface TagEvictionOptions {
  /**
   * `true`: what carries the tags is stale rather than gone, as if its time had run out now. It still answers while it
   * is renewed where `staleWhileRevalidate` allows that, and in place of errors where `staleIfError` does. A store of
   * the application's own that can't do that ends it. Default `false`.
   */
  readonly soft?: boolean;
}

/** What the service is wired to. */
export interface EvictionParts {
  readonly evict: (tags: readonly string[], soft?: boolean) => MaybePromise<Eviction>;
  readonly routes: () => RouteTable;
  readonly memoizer: Pick<Memoizer, 'planOf'>;
}

/**
 * Evicts views from code. Each method resolves when the store has acknowledged the eviction: whoever reads after
 * that gets what is true now, even where a fill was under way. It costs the same for one entry as for a million.
 *
 * All reject with `CacheStoreError` where the store fails, and with `CacheUsageError` for arguments that can't be
 * meant.
 *
 * @example
 * constructor(private readonly cache: CacheEvictionService) {}
 * async rename(id: string, name: string) {
 *   await this.authors.rename(id, name);
 *   await this.cache.byTag(`author:${id}`, 'authors');
 * }
 */
export class CacheEvictionService {
  constructor(private readonly parts: EvictionParts) {}

  /**
   * Everything that carries one of these tags.
   *
   * @example
   * await cache.byTag('books', `author:${id}`);
   * await cache.byTag('books', { soft: true }); // still answers while it is renewed
   */
  async byTag(...tags: readonly string[]): Promise<EvictionReceipt>;
  async byTag(...tagsAndOptions: [...tags: string[], options: TagEvictionOptions]): Promise<EvictionReceipt>;
  async byTag(...given: readonly (string | TagEvictionOptions)[]): Promise<EvictionReceipt> {
    const last = given.at(-1);
    const options = isOptions(last) ? last : undefined;
    const soft = softOf(options);
    const tags = (options === undefined ? given : given.slice(0, -1)) as readonly string[];
    if (tags.length === 0) throw new CacheUsageError(`byTag(); allowed: ${TAG_RULE}`);
    for (const tag of tags)
      if (!isTag(tag)) throw new CacheUsageError(`byTag(${describe(tag)}); allowed: ${TAG_RULE}`);
    return this.#evict(tags.map(userTag), soft);
  }

  /**
   * Every query, body and header variant of one path, in all spellings that a router treats alike.
   *
   * @param path the full public path, with global prefix and version, encoded as in a URL: `/books/the%20trial`
   */
  async byPath(path: string): Promise<EvictionReceipt> {
    return this.#evict([pathTag(checkPath('byPath', path))]);
  }

  /**
   * A path and everything under it, by segments: `/books` covers `/books` and `/books/1`, not `/bookshelf`.
   * Below 16 segments it evicts by the first 16.
   */
  async byPrefix(path: string): Promise<EvictionReceipt> {
    return this.#evict([prefixTag(checkPath('byPrefix', path))]);
  }

  /**
   * Every response of a handler, or of one complete set of its path parameters (as the handler sees them, decoded).
   *
   * @example
   * await cache.byRoute(BooksController, 'one', { id: '42' });
   */
  async byRoute(
    controller: Type,
    method: string,
    params?: Readonly<Record<string, unknown>>,
  ): Promise<EvictionReceipt> {
    const { site } = this.#route('byRoute', controller, method);
    if (params === undefined) return this.#evict([routeTag(site.name)]);
    if (typeof params !== 'object' || params === null)
      throw new CacheUsageError(
        `byRoute: params are ${describe(params)}; allowed: an object of path parameters`,
      );
    // An incomplete set is that of no request: it would evict nothing, and nobody would hear of it.
    const missing = requiredParams(site).find((name) => params[name] === undefined);
    if (missing !== undefined)
      throw new CacheUsageError(
        `byRoute: the params of ${site.name} need "${missing}"; allowed: a complete set, or none`,
      );
    return this.#evict([routeParamsTag(site.name, params)]);
  }

  /** The one response that is stored under a key of `keyFor`. */
  async byKey(key: string): Promise<EvictionReceipt> {
    if (typeof key !== 'string' || !key.includes(':view:'))
      throw new CacheUsageError(
        `byKey(${describe(key)}); allowed: a key that keyFor() gave. For a URL there is byPath()`,
      );
    return this.#evict([key]);
  }

  /**
   * What a memoized method or function has computed: all of it, or the result of one call, at the same cost for one
   * result as for a million. Through a class, what was computed on instances of the classes that extend it as well.
   *
   * @param target a class and the name of its method, static or not, or what `memoize()` returned
   * @param args complete, as the call had them
   * @throws CacheUsageError where it is not memoized, or no key can be made of the arguments
   * @example
   * await cache.byMemoized(BooksService, 'statistics');
   * await cache.byMemoized(BooksService, 'statistics', ['en']);
   * await cache.byMemoized(rates, ['EUR']);
   */
  async byMemoized(target: object, method: string, args?: readonly unknown[]): Promise<EvictionReceipt>;
  async byMemoized(
    memoized: (...args: never[]) => unknown,
    args?: readonly unknown[],
  ): Promise<EvictionReceipt>;
  async byMemoized(
    target: object,
    methodOrArgs?: string | readonly unknown[],
    given?: readonly unknown[],
  ): Promise<EvictionReceipt> {
    const ofClass = typeof methodOrArgs === 'string';
    const args = ofClass ? given : methodOrArgs;
    if (args !== undefined && !Array.isArray(args))
      throw new CacheUsageError(`byMemoized: arguments are ${describe(args)}; allowed: a list, or none`);
    const found = memoizedFunctions(target, ofClass ? methodOrArgs : undefined);
    if (found.length === 0) {
      const name = typeof target === 'function' ? target.name : describe(target);
      throw new CacheUsageError(`byMemoized: ${name}${ofClass ? `.${methodOrArgs}` : ''} is not memoized`);
    }
    const plans = found.map((definition) =>
      this.parts.memoizer.planOf(definition, definition.kind === 'function' ? definition.owner : target),
    );
    return this.#evict(plans.flatMap((plan) => (args === undefined ? plan.allTags : plan.tagsOfCall(args))));
  }

  /** Every view and memoized result of this namespace. Values of `CACHE_MANAGER` stay. */
  async all(): Promise<EvictionReceipt> {
    return this.#evict([ALL_VIEWS]);
  }

  /**
   * The key that a real request like this one gets.
   *
   * Whether a request bypasses the cache by its credentials or by `unless` is not asked here.
   *
   * @throws CacheUsageError where the handler is not cached, or such a request can't be keyed
   * @example
   * await cache.byKey(await cache.keyFor(BooksController, 'list', { url: '/books?page=2' }));
   */
  async keyFor(controller: Type, method: string, request: RequestDescription): Promise<string> {
    const { view, site } = this.#route('keyFor', controller, method);
    if (view === undefined || view.uncovered) throw new CacheUsageError(`keyFor: ${site.name} is not cached`);
    checkPath('keyFor', (request as RequestDescription | undefined)?.url);
    const described = describedRequest(request, view.method);
    const scoped = await pickPrincipal(view, described);
    const key = await view.key.build(described, scoped);
    if ('bypass' in key)
      throw new CacheUsageError(`keyFor: such a request of ${site.name} has no key (${key.bypass})`);
    return key.key;
  }

  async #evict(tags: readonly string[], soft = false): Promise<EvictionReceipt> {
    const { position, acknowledged } = await this.parts.evict(tags, soft);
    const { epoch, n } = position;
    return { epoch, stamp: n, acknowledged };
  }

  #route(caller: string, controller: Type, method: string): RoutePolicy {
    const route =
      typeof controller === 'function' ? this.parts.routes().named(controller, method) : undefined;
    if (route !== undefined) return route;
    const given = typeof controller === 'function' ? controller.name : describe(controller);
    throw new CacheUsageError(`${caller}: ${given}.${method} is not a handler of this application`);
  }
}

function isOptions(given: unknown): given is TagEvictionOptions {
  return typeof given === 'object' && given !== null && !Array.isArray(given);
}

function softOf(options: TagEvictionOptions | undefined): boolean {
  const unknown = Object.keys(options ?? {}).find((name) => name !== 'soft');
  if (unknown !== undefined) throw new CacheUsageError(`byTag: option "${unknown}"; allowed: soft`);
  const soft: unknown = options?.soft ?? false;
  if (typeof soft === 'boolean') return soft;
  throw new CacheUsageError(`byTag: option "soft" is ${describe(soft)}; allowed: true or false`);
}

function checkPath(caller: string, path: unknown): string {
  if (typeof path === 'string' && path.startsWith('/')) return path;
  throw new CacheUsageError(`${caller}(${describe(path)}); allowed: a full path such as '/books/42'`);
}

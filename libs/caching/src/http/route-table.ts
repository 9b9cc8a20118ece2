import type { Type } from '@nestjs/common';
import { RequestMethod } from '@nestjs/common';
import {
  METHOD_METADATA,
  PATH_METADATA,
  RESPONSE_PASSTHROUGH_METADATA,
  ROUTE_ARGS_METADATA,
  SSE_METADATA,
} from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import type { ResolvedOptions } from '../caching.options.js';
import { RecentBudget } from '../recent-map.js';
import {
  CACHE_EVICT,
  CACHE_VIEW,
  type CacheEvictOptions,
  type CacheViewOptions,
  NO_CACHE,
} from '../decorators.js';
import { CachedPaths } from './cached-paths.js';
import { checkEvict, type EvictPolicy, templateParams } from './evict-policy.js';
import { findUncovered } from './key-coverage.js';
import { MEMO_BYTES } from './key-builder.js';
import { possibleParams } from './path-params.js';
import { compileView, type RouteSite, type ViewPolicy } from './route-policy.js';
import { isSafe } from './semantics/methods.js';
import { checkViewOptions, mergeViewOptions } from './view-options.js';

/** What the cache does for one handler. */
export interface RoutePolicy {
  readonly site: RouteSite;
  readonly view: ViewPolicy | undefined;
  readonly evict: EvictPolicy | undefined;
  /** A request with an unsafe method that succeeds evicts its own path (RFC 9111 §4.4). */
  readonly evictsItself: boolean;
}

/** What `RouteTable.build` needs to know about the application. */
export interface RouteSources {
  readonly controllers: readonly InstanceWrapper[];
  readonly methodsOf: (controller: Type) => readonly string[];
  readonly options: ResolvedOptions;
  /** The largest body that the store has room for, in bytes. */
  readonly largestBody: number | undefined;
  readonly ownDecorators: ReadonlySet<unknown>;
  readonly warn: (message: string) => void;
}

/** All handlers of the application that the cache has to do with, found from Nest's metadata at bootstrap. */
export class RouteTable {
  readonly #routes = new Map<unknown, Map<unknown, RoutePolicy>>();
  readonly cachedPaths = new CachedPaths();
  #largestEntry = 0;
  #longestLife = 0;

  /** The longest time that any route's rules give a response, in milliseconds. */
  get longestLife(): number {
    return this.#longestLife;
  }

  /** The largest body that any route stores, in bytes. */
  get largestEntry(): number {
    return this.#largestEntry;
  }

  find(controller: unknown, handler: unknown): RoutePolicy | undefined {
    return this.#routes.get(controller)?.get(handler);
  }

  /** All handlers. */
  *all(): Iterable<RoutePolicy> {
    for (const policies of this.#routes.values()) yield* policies.values();
  }

  /** The policy of a handler by its method's name. */
  named(controller: Type, method: string): RoutePolicy | undefined {
    return this.find(controller, (controller.prototype as Record<string, unknown>)[method]);
  }

  /** A route's time to live was changed: stamps are kept for as long. */
  expectLife(view: ViewPolicy): void {
    this.#longestLife = Math.max(this.#longestLife, lifeOf(view));
  }

  /** @throws CachingConfigError where a decorator can't work */
  static build(sources: RouteSources): RouteTable {
    const table = new RouteTable();
    const names = new Map<string, number>();
    const budget = new RecentBudget(MEMO_BYTES);
    for (const wrapper of sources.controllers) {
      const controller = wrapper.metatype as Type | null;
      if (!controller?.prototype || table.#routes.has(controller)) continue;
      const count = (names.get(controller.name) ?? 0) + 1;
      names.set(controller.name, count);
      const policies = new Map<unknown, RoutePolicy>();
      table.#routes.set(controller, policies);
      for (const method of sources.methodsOf(controller)) {
        // Two controllers of one name are told apart: their routes must not share keys or evictions.
        const site = siteOf(
          controller,
          method,
          count === 1 ? controller.name : `${controller.name}#${count}`,
        );
        if (site === undefined) continue;
        const policy = new RouteCompiler(sources, wrapper, site, budget).compile();
        policies.set(controller.prototype[method], policy);
        if (policy.view !== undefined) table.cachedPaths.add(site);
        const { view } = policy;
        if (view !== undefined) table.expectLife(view);
        table.#largestEntry = Math.max(table.#largestEntry, policy.view?.maxEntryBytes ?? 0);
      }
    }
    return table;
  }
}

/** How long a response may be stored by the route's own rules, in milliseconds. */
function lifeOf({ ttl, statuses, freshness }: ViewPolicy): number {
  const { staleWhileRevalidate = 0, staleIfError = 0 } = freshness;
  return Math.max(ttl, ...statuses.values()) + Math.max(staleWhileRevalidate, staleIfError);
}

function siteOf(controller: Type, method: string, className: string): RouteSite | undefined {
  const handler = controller.prototype[method] as object | undefined;
  if (handler === undefined || Reflect.getMetadata(PATH_METADATA, handler) === undefined) return undefined;
  const requestMethod = Reflect.getMetadata(METHOD_METADATA, handler) as RequestMethod;
  const args = Object.keys((Reflect.getMetadata(ROUTE_ARGS_METADATA, controller, method) ?? {}) as object);
  const takesResponse = args.some((key) => {
    const type: RouteParamtypes = Number(key.split(':')[0]);
    return [RouteParamtypes.RESPONSE, RouteParamtypes.NEXT].includes(type);
  });
  const passthrough = Reflect.getMetadata(RESPONSE_PASSTHROUGH_METADATA, controller, method) === true;
  return {
    controller,
    method,
    name: `${className}.${method}`,
    // `@All` answers every method; what is safe to cache of it is GET.
    httpMethod: requestMethod === RequestMethod.ALL ? 'GET' : RequestMethod[requestMethod],
    rawHandler: takesResponse && !passthrough,
  };
}

class RouteCompiler {
  readonly #handler: object;

  constructor(
    private readonly sources: RouteSources,
    private readonly wrapper: InstanceWrapper,
    private readonly site: RouteSite,
    private readonly budget: RecentBudget,
  ) {
    this.#handler = site.controller.prototype[site.method] as object;
  }

  compile(): RoutePolicy {
    const view = this.#view();
    const evict = this.#evict(view !== undefined);
    const autoEvict = evict?.options.autoEvict ?? this.sources.options.autoEvict;
    // A cached POST is a read.
    return {
      site: this.site,
      view,
      evict,
      evictsItself: autoEvict && view === undefined && this.#mayWrite(),
    };
  }

  #mayWrite(): boolean {
    const method = RequestMethod[Reflect.getMetadata(METHOD_METADATA, this.#handler) as RequestMethod];
    return method !== undefined && !isSafe(method);
  }

  #view(): ViewPolicy | undefined {
    const { site, sources } = this;
    const own = this.#own(CACHE_VIEW) as CacheViewOptions | undefined;
    const inherited = this.#ofClass(CACHE_VIEW) as CacheViewOptions | undefined;
    if (this.#own(NO_CACHE) === true) return undefined;
    if (own === undefined) {
      const isWanted = sources.options.cacheAll || inherited !== undefined;
      if (!isWanted || this.#ofClass(NO_CACHE) === true || site.httpMethod !== 'GET') return undefined;
    }
    if (Reflect.getMetadata(SSE_METADATA, this.#handler) === true) {
      if (own !== undefined)
        sources.warn(`${site.name} is not cached: a stream of server-sent events has no end to store.`);
      return undefined;
    }
    const warnings: string[] = [];
    for (const layer of [inherited, own])
      if (layer !== undefined) checkViewOptions(layer, site.name, warnings);
    warnings.forEach(sources.warn);
    const merged = mergeViewOptions(sources.options.policy, inherited, own);
    const view = compileView(site, merged, sources.options, {
      version: own?.version ?? inherited?.version,
      largestBody: sources.largestBody,
      budget: this.budget,
    });
    if (view.clusterWide && sources.options.store?.lease === undefined) {
      sources.warn(
        `${site.name}: option "coalesce" is 'cluster', which the store can't do: each instance runs the handler by itself.`,
      );
    }
    if (site.httpMethod === 'GET' && view.coverage.some((key) => key.body)) {
      sources.warn(
        `${site.name} is never cached: its key reads a body, and a GET with a body bypasses the cache.`,
      );
    }
    return { ...view, uncovered: this.#warnUncovered(view, merged.inputs === 'reviewed') };
  }

  #warnUncovered(view: Omit<ViewPolicy, 'uncovered'>, reviewed: boolean): boolean {
    const { coverage: keys, keyTexts, scope } = view;
    const uncovered = findUncovered(
      this.wrapper,
      this.site.method,
      { keys, keyTexts, scope, reviewed },
      this.sources.ownDecorators,
    );
    if (uncovered === undefined) return false;
    this.sources.warn(
      `${this.site.name} is not cached, as its response may depend on what its key does not cover: ` +
        `${uncovered.inputs.join(', ')}. Add ${uncovered.line} to its @CacheView, or @NoCache().`,
    );
    return true;
  }

  #evict(isView: boolean): EvictPolicy | undefined {
    const own = this.#own(CACHE_EVICT) as CacheEvictOptions | undefined;
    if (own !== undefined && isView) {
      this.sources.warn(
        `${this.site.name} has both @CacheView and @CacheEvict: a hit runs no handler and evicts nothing.`,
      );
    }
    // A cached POST is a read: what its controller says of writes is not about it.
    const given = own ?? (isView ? undefined : (this.#ofClass(CACHE_EVICT) as CacheEvictOptions | undefined));
    if (given === undefined) return undefined;
    const policy = checkEvict(given, this.site, own === undefined, (controller, method) => {
      const isKnown = this.sources.controllers.some(({ metatype }) => metatype === controller);
      return isKnown && siteOf(controller, method, controller.name) !== undefined;
    });
    if (own !== undefined) this.#warnUnknownParams(own);
    return policy;
  }

  #warnUnknownParams(options: CacheEvictOptions): void {
    const known = possibleParams(this.site);
    const unknown = templateParams(options).filter((name) => !known.includes(name));
    if (unknown.length === 0) return;
    this.sources.warn(
      `${this.site.name}: the paths of its @CacheEvict name :${unknown.join(', :')}, which its own path does not have. ` +
        `Where no prefix has it either, they evict nothing.`,
    );
  }

  #own(key: string): unknown {
    return Reflect.getMetadata(key, this.#handler);
  }

  #ofClass(key: string): unknown {
    return Reflect.getMetadata(key, this.site.controller);
  }
}

import { RequestMethod, type Type } from '@nestjs/common';
import { METHOD_METADATA, SSE_METADATA } from '@nestjs/common/constants.js';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import type { ResolvedOptions } from '../caching.options.js';
import {
  CACHE_EVICT,
  CACHE_VIEW,
  type CacheEvictOptions,
  type CacheViewOptions,
  NO_CACHE,
} from '../decorators.js';
import type { RecentBudget } from '../recent-map.js';
import { checkEvict, type EvictPolicy, templateParams } from './evict-policy.js';
import { findUncovered } from './key-coverage.js';
import { possibleParams } from './path-params.js';
import { compileView, type RoutePolicy, type ViewPolicy } from './route-policy.js';
import { type RouteSite, siteOf } from './route-site.js';
import { isSafe } from './semantics/methods.js';
import { checkViewOptions, mergeViewOptions } from './view-options.js';

/** What the routes of an application are worked out from. */
export interface RouteSources {
  readonly controllers: readonly InstanceWrapper[];
  readonly methodsOf: (controller: Type) => readonly string[];
  readonly options: ResolvedOptions;
  /** The largest body that the store has room for, in bytes. */
  readonly largestBody: number | undefined;
  readonly ownDecorators: ReadonlySet<unknown>;
  readonly warn: (message: string) => void;
}

/**
 * Works out from its decorators, its controller's and the module's options what the cache does for one handler, and
 * warns of what was likely meant otherwise.
 */
export class RouteCompiler {
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
        `${site.name} is never cached: its key reads a body, and a GET with a body bypasses the cache. Make it a POST.`,
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
    const { inputs, line, asPost } = uncovered;
    // Only a GET may have a key that reads nothing of a body.
    const otherwise =
      asPost === undefined
        ? 'Add'
        : `A GET that is sent a body bypasses the cache, so its key has none: make it a POST with key: ${asPost}. ` +
          'If it needs none, add';
    this.sources.warn(
      `${this.site.name} is not cached, as its response may depend on what its key does not cover: ` +
        `${inputs.join(', ')}. ${otherwise} ${line} to its @CacheView, or @NoCache().`,
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

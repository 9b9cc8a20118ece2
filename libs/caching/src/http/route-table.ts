import type { Type } from '@nestjs/common';
import { RecentBudget } from '../recent-map.js';
import { CachedPaths } from './cached-paths.js';
import { MEMO_BYTES } from './key-builder.js';
import { RouteCompiler, type RouteSources } from './route-compiler.js';
import type { RoutePolicy, ViewPolicy } from './route-policy.js';
import { siteOf } from './route-site.js';

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
        const { view } = policy;
        if (view === undefined) continue;
        table.cachedPaths.add(site);
        table.expectLife(view);
        table.#largestEntry = Math.max(table.#largestEntry, view.maxEntryBytes);
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

import type { ExecutionContext, Type } from '@nestjs/common';
import { RecentBudget } from '../recent-map.js';
import { CachedPaths } from './cached-paths.js';
import { MEMO_BYTES } from './key-builder.js';
import { RouteCompiler, type RouteSources } from './route-compiler.js';
import type { RoutePolicy, ViewPolicy } from './route-policy.js';
import { siteOf } from './route-site.js';
import { wrappedMethod } from './wrapped-handlers.js';

type HandlerFunction = ReturnType<ExecutionContext['getHandler']>;

/** Of one controller, by its methods. */
type Policies = Map<unknown, RoutePolicy>;

/** All handlers of the application that the cache has to do with, found from Nest's metadata at bootstrap. */
export class RouteTable {
  readonly #routes = new Map<Type, Policies>();
  /** By functions that stand for handlers: of a request-scoped controller there may be one for each request. */
  readonly #wrapped = new WeakMap<object, RoutePolicy>();
  /** Controllers of which it was said that one of their handlers can't be told. */
  readonly #unknown = new Set<Type>();
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

  constructor(private readonly warn?: (message: string) => void) {}

  /** The policy of a handler, or of the function that Nest was given in its place. */
  find(controller: Type, handler: HandlerFunction): RoutePolicy | undefined {
    const policies = this.#routes.get(controller);
    return policies === undefined
      ? undefined
      : (policies.get(handler) ?? this.#ofWrapper(controller, handler, policies));
  }

  /** All handlers. */
  *all(): Iterable<RoutePolicy> {
    for (const policies of this.#routes.values()) yield* policies.values();
  }

  /** The policy of a handler by its method's name. */
  named(controller: Type, method: string): RoutePolicy | undefined {
    return this.#routes.get(controller)?.get((controller.prototype as Record<string, unknown>)[method]);
  }

  /** A route's time to live was changed: stamps are kept for as long. */
  expectLife(view: ViewPolicy): void {
    this.#longestLife = Math.max(this.#longestLife, lifeOf(view));
  }

  /** @throws CachingConfigError where a decorator can't work */
  static build(sources: RouteSources): RouteTable {
    const table = new RouteTable(sources.warn);
    const names = new Map<string, number>();
    const budget = new RecentBudget(MEMO_BYTES);
    for (const wrapper of sources.controllers) {
      const controller = wrapper.metatype as Type | null;
      if (!controller?.prototype || table.#routes.has(controller)) continue;
      const count = (names.get(controller.name) ?? 0) + 1;
      names.set(controller.name, count);
      const policies: Policies = new Map();
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

  #ofWrapper(controller: Type, wrapper: HandlerFunction, policies: Policies): RoutePolicy | undefined {
    // A method that is no route: other libraries call such ones as if they were.
    if ((controller.prototype as Record<string, unknown>)[wrapper.name] === wrapper) return undefined;
    const known = this.#wrapped.get(wrapper);
    if (known?.site.controller === controller) return known;
    const methods = Array.from(policies.values(), ({ site }) => site.method);
    const method = wrappedMethod(controller, methods, wrapper);
    const policy = method === undefined ? undefined : this.named(controller, method);
    if (policy !== undefined) this.#wrapped.set(wrapper, policy);
    else if (!this.#unknown.has(controller)) {
      this.#unknown.add(controller);
      this.warn?.(
        `${controller.name}: something has put another function in the place of a handler, without its name and its ` +
          'metadata, so its decorators are not known: its responses are not cached, and it evicts nothing.',
      );
    }
    return policy;
  }
}

/** How long a response may be stored by the route's own rules, in milliseconds. */
function lifeOf({ ttl, statuses, freshness }: ViewPolicy): number {
  const { staleWhileRevalidate = 0, staleIfError = 0 } = freshness;
  return Math.max(ttl, ...statuses.values()) + Math.max(staleWhileRevalidate, staleIfError);
}

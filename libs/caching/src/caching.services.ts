import type { Provider } from '@nestjs/common';
import { CacheEvictionService } from './cache-eviction.service.js';
import { CacheHealth } from './cache-health.js';
import { CacheInspector } from './cache-inspector.service.js';
import { CacheRoutes } from './cache-routes.service.js';
import { CachingRuntime } from './caching.runtime.js';
import { CacheEvents } from './observe/events.js';
import { CacheValues } from './values/cache-values.service.js';

/** What an application injects, each made of what the module has built. */
export const SERVICES: Provider[] = [
  {
    provide: CacheEvictionService,
    inject: [CachingRuntime],
    useFactory: (runtime: CachingRuntime) =>
      new CacheEvictionService({
        evict: (tags, soft) => runtime.evict(tags, { via: 'service' }, soft),
        routes: () => runtime.http.routes,
        memoizer: runtime.memoizer,
      }),
  },
  {
    provide: CacheRoutes,
    inject: [CachingRuntime],
    useFactory: (runtime: CachingRuntime) =>
      new CacheRoutes({
        routes: () => runtime.http.routes,
        background: runtime.options.enabled ? runtime.http.background : undefined,
      }),
  },
  {
    provide: CacheInspector,
    inject: [CachingRuntime],
    useFactory: (runtime: CachingRuntime) =>
      new CacheInspector({
        explainer: () => runtime.http.explainer,
        each: runtime.store.each?.bind(runtime.store),
        peek: runtime.store.peek?.bind(runtime.store),
        routes: () => runtime.http.routes,
        evictions: (limit) => runtime.history.evictions(limit),
        now: () => runtime.clock.now(),
      }),
  },
  {
    provide: CacheValues,
    inject: [CachingRuntime],
    useFactory: (runtime: CachingRuntime) => runtime.values.items,
  },
  {
    provide: CacheHealth,
    inject: [CachingRuntime],
    useFactory: (runtime: CachingRuntime) => new CacheHealth(() => runtime.health()),
  },
  {
    provide: CacheEvents,
    inject: [CachingRuntime],
    useFactory: (runtime: CachingRuntime) => runtime.events,
  },
];

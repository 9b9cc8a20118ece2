import type { DynamicModule, Provider, Type } from '@nestjs/common';
import { CacheEvictionService } from './cache-eviction.service.js';
import { CacheInspector } from './cache-inspector.service.js';
import type { CachingModuleExtras } from './caching.options.js';
import { CachingRuntime } from './caching.runtime.js';
import type { RoutePolicy } from './http/route-policy.js';
import { readTag } from './http/route-tags.js';
import { createDashboardController } from './observe/dashboard/dashboard.controller.js';
import { resolveDashboard, resolveToolbar } from './observe/dashboard/dashboard-options.js';
import { Dashboard } from './observe/dashboard/dashboard.js';
import { Toolbar } from './observe/dashboard/toolbar.js';

/** Adds the dashboard and the toolbar, where they are wanted. */
export function withDashboard(
  definition: DynamicModule,
  given: CachingModuleExtras['dashboard'],
  toolbar: CachingModuleExtras['toolbar'],
): DynamicModule {
  const isProduction = process.env.NODE_ENV === 'production';
  const dashboard = resolveDashboard(given, isProduction);
  const hasToolbar = resolveToolbar(toolbar, dashboard, isProduction);
  if (dashboard === undefined) return definition;
  const controller = createDashboardController(dashboard);
  return {
    ...definition,
    controllers: [controller],
    providers: [...(definition.providers ?? []), dashboardProvider(controller, hasToolbar)],
  };
}

function dashboardProvider(controller: Type, hasToolbar: boolean): Provider {
  return {
    provide: Dashboard,
    inject: [CachingRuntime, CacheInspector],
    useFactory: (runtime: CachingRuntime, inspector: CacheInspector) => {
      const toolbar = hasToolbar ? toolbarOf(runtime, controller) : undefined;
      runtime.http.pages = toolbar;
      const dashboard = new Dashboard({
        toolbar,
        events: runtime.events,
        clock: runtime.clock,
        inspector,
        evictions: new CacheEvictionService({
          evict: (tags) => runtime.evict(tags, { via: 'dashboard' }),
          routes: () => runtime.http.routes,
          memoizer: runtime.memoizer,
        }),
        namespace: runtime.options.namespace,
        store: runtime.store.name,
        memory: () => runtime.memoryUse,
        routes: () => runtime.http.paths,
      });
      runtime.closeWith(() => dashboard.close());
      return dashboard;
    },
  };
}

function toolbarOf(runtime: CachingRuntime, controller: Type): Toolbar {
  const isOwn = ({ site }: RoutePolicy): boolean => site.controller === controller;
  return new Toolbar({
    isOwn,
    script: () => {
      const page = runtime.http.paths.find(({ route }) => isOwn(route) && route.site.method === 'page');
      return page && `${page.path}/assets/toolbar.js`;
    },
    peek: (key) => runtime.store.peek?.(key),
    tagNames: (tags) => tags.map(readTag).flatMap(({ kind, name }) => (kind === 'tag' ? [name] : [])),
  });
}

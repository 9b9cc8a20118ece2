import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import type { Observable } from 'rxjs';
import type { CacheEvictor } from './http/cache-evictor.js';
import type { Exchange } from './http/delivery.js';
import type { FrameworkResponse, HttpPlatform } from './http/platform/platform.js';
import type { PageWatch } from './http/page-watch.js';
import { type FrameworkRequest, RequestView } from './http/request-view.js';
import type { RoutePolicy } from './http/route-policy.js';
import type { RouteTable } from './http/route-table.js';
import type { ViewServer } from './http/view-server.js';

/** What the interceptor is wired to; there once the application has found its routes and its platform. */
export interface InterceptorParts {
  readonly routes: RouteTable;
  readonly platform: HttpPlatform;
  /** Not there where the cache is switched off. */
  readonly views: ViewServer | undefined;
  readonly evictor: CacheEvictor;
  /** Only while the application is developed. */
  readonly pages: PageWatch | undefined;
}

/**
 * The way of a request: route policy (or on to the handler), what its success evicts, and the view. Everything else
 * is behind `ViewServer`, whose methods read in the order in which they happen.
 */
export class ViewCacheInterceptor implements NestInterceptor {
  constructor(private readonly parts: () => InterceptorParts | undefined) {}

  intercept(
    context: ExecutionContext,
    next: CallHandler,
  ): Observable<unknown> | Promise<Observable<unknown>> {
    const parts = this.parts();
    if (parts === undefined || context.getType() !== 'http') return next.handle();
    const route = parts.routes.find(context.getClass(), context.getHandler());
    const { pages } = parts;
    if (route === undefined || (pages === undefined && !concernsCache(route))) return next.handle();
    const { site, view, evict, evictsItself } = route;
    const http = context.switchToHttp();
    const request = new RequestView(http.getRequest<FrameworkRequest>());
    const response = http.getResponse<FrameworkResponse>();
    const { platform, views, evictor } = parts;
    const handle = (): Observable<unknown> =>
      evict === undefined && !evictsItself
        ? next.handle()
        : evictor.after({ site, policy: evict, evictsItself, platform, request, response }, next);
    const tell = pages?.watch(route, platform, request, response);
    if (view === undefined || views === undefined) return handle();
    const exchange: Exchange = { platform, request, response, handle, trace: undefined };
    tell?.(exchange);
    return views.serve(view, exchange) as Observable<unknown>;
  }
}

function concernsCache({ view, evict, evictsItself }: RoutePolicy): boolean {
  return view !== undefined || evict !== undefined || evictsItself;
}

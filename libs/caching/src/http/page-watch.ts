import type { FrameworkResponse, HttpPlatform } from './platform/platform.js';
import type { Exchange } from './delivery.js';
import type { RequestView } from './request-view.js';
import type { RoutePolicy } from './route-policy.js';

/** Shows on the application's pages what the cache did for them. */
export interface PageWatch {
  /** To be called before anything of the response is written; what it returns is told of the exchange, if there is one. */
  watch(
    route: RoutePolicy,
    platform: HttpPlatform,
    request: RequestView,
    response: FrameworkResponse,
  ): ((exchange: Exchange) => void) | undefined;
}

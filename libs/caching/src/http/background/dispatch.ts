import type { IncomingHttpHeaders } from 'node:http';
import type { StoredResponse } from '../../cache/entry.js';
import type { BypassReason, SkipReason } from '../../cache/reasons.js';
import { type FrameworkRequest, nodeRequest } from '../request-view.js';

/**
 * Why a request is run that no client waits for: to renew an entry, to fill one before it is asked for, or to compare
 * what is stored with what the handler says now, which stores nothing.
 */
export type DispatchPurpose = 'refresh' | 'warm' | 'verify';

/** A request as it is sent through the application once more. */
export interface DispatchRequest {
  readonly method: string;
  /** Path and query exactly as a client sent or would send them. */
  readonly target: string;
  /** By lower-case name. */
  readonly headers: IncomingHttpHeaders;
  readonly body?: Buffer | undefined;
  /** Who sent the request that this one repeats. */
  readonly remoteAddress?: string | undefined;
  /** It came through TLS. */
  readonly encrypted?: boolean;
}

export interface DispatchOptions {
  readonly purpose: DispatchPurpose;
  /** The key that the request must turn out to have; else no handler runs. Default: any. */
  readonly key?: string | undefined;
  /** The route that the request must come to. Default: any. */
  readonly route?: string | undefined;
  /** A fresh entry is renewed as well. Default false. */
  readonly evenFresh?: boolean;
}

/** Why no handler of a cached route ran to its end. */
export type DropReason =
  | BypassReason
  /** Its key is another one than that of the request that it repeats, so its response would be somebody else's. */
  | 'key'
  /** It came to another route. */
  | 'route'
  /** It never came to a cached handler: no such route, or a guard or middleware answered, as 401 and 403 tell. */
  | 'unreached'
  | 'deadline'
  /** Another instance had the right to fill the key until the deadline: nothing was tried here. */
  | 'elsewhere'
  /** Too many wait already. */
  | 'busy'
  /** The application is shutting down, or has no HTTP server. */
  | 'closed'
  /** The run itself failed. */
  | 'failed';

/** What came of a request that was run in the background. */
export type DispatchOutcome =
  /** The handler ran, and its response is stored. */
  | { readonly result: 'stored'; readonly status: number; readonly response: StoredResponse }
  /** The handler ran for `'verify'`: its response would have been stored. */
  | { readonly result: 'recorded'; readonly status: number; readonly response: StoredResponse }
  /** No handler had to run: there is a fresh entry, or another request's fill gave its response. */
  | { readonly result: 'present'; readonly status: number; readonly response: StoredResponse }
  /** The handler ran, and its response is not stored. `response` is there for errors and what was evicted meanwhile. */
  | {
      readonly result: 'skipped';
      readonly reason: SkipReason | 'store';
      readonly status: number | undefined;
      readonly response: StoredResponse | undefined;
    }
  | { readonly result: 'dropped'; readonly reason: DropReason; readonly status: number | undefined };

/** A request that is run in the background, as the cache finds it again on its way through the application. */
export interface Dispatch extends DispatchOptions {
  /** It has come to its handler: from now on the end of the reply says nothing of what came of it. */
  readonly take: () => void;
  /** Whether its handler runs is up to another instance, until it is taken. */
  readonly wait: () => void;
  /** Called when it is known what came of it; later calls do nothing. */
  readonly settle: (outcome: DispatchOutcome) => void;
}

/** By node's request, so that nothing a client can send makes one of these. */
const dispatches = new WeakMap<object, Dispatch>();

/** Marks node's request as one of ours. */
export function mark(request: object, dispatch: Dispatch): void {
  dispatches.set(request, dispatch);
}

export function dispatchOf(request: FrameworkRequest): Dispatch | undefined {
  return dispatches.get(nodeRequest(request));
}

/**
 * Whether a request was made by this cache itself, to refresh, warm or verify what it stores, rather than by a client.
 * No client can send one for which it is true. Such requests go through middleware and guards like any other; let
 * throttlers and access logs skip them, and guards let them pass where a route is `scope: 'public'` behind a login, as
 * they carry no credentials there.
 *
 * @param request Express', Fastify's or node's own
 * @example
 * class ApiThrottler extends ThrottlerGuard {
 *   protected override async shouldSkip(context: ExecutionContext): Promise<boolean> {
 *     return isCacheRefresh(context.switchToHttp().getRequest());
 *   }
 * }
 */
export function isCacheRefresh(request: object): boolean {
  return (
    typeof request === 'object' &&
    request !== null &&
    dispatches.has(nodeRequest(request as FrameworkRequest))
  );
}

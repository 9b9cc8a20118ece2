import { from, mergeMap, type Observable } from 'rxjs';
import { type Entry, isEntry, type StoredResponse } from '../../cache/entry.js';
import type { Fill, FillEnd, ViewKey } from '../../cache/fill.js';
import { chain, type MaybePromise } from '../../cache/maybe-promise.js';
import type { SkipReason } from '../../cache/reasons.js';
import type { Missed, ViewCache } from '../../cache/view-cache.js';
import { admit, type CredentialRules } from '../admission.js';
import { deliver, type Exchange, SENT } from '../delivery.js';
import type { ViewPolicy } from '../route-policy.js';
import { renewOr } from '../renewal.js';
import { runHandler } from '../run-handler.js';
import type { Dispatch, DropReason } from './dispatch.js';

/** What ends a reply that nobody reads, where no handler is to run. */
const NOTHING: StoredResponse = {
  status: 204,
  headers: [],
  removed: [],
  body: undefined,
  delivery: 'framework',
};

/** A request of ours that has come to the handler of a cached route. */
interface Arrival {
  readonly dispatch: Dispatch;
  readonly policy: ViewPolicy;
  readonly exchange: Exchange;
  readonly view: ViewKey;
}

/**
 * The way of a request that no client sent, from where it comes to a cached route: who may use the cache and what the
 * key is are worked out as for any other, and it is not answered from what is stored.
 */
export class DispatchedServing {
  constructor(
    private readonly cache: ViewCache,
    private readonly credentials: CredentialRules,
  ) {}

  serve(dispatch: Dispatch, policy: ViewPolicy, exchange: Exchange): MaybePromise<Observable<unknown>> {
    const { request } = exchange;
    // What is told of the hit that it verifies is told there.
    if (dispatch.purpose === 'verify') exchange.trace = undefined;
    if (dispatch.route !== undefined && dispatch.route !== policy.route)
      return this.#drop(dispatch, policy, exchange, 'route');
    return chain(admit(policy, request, this.credentials), (admitted) => {
      if ('bypass' in admitted) return this.#drop(dispatch, policy, exchange, admitted.bypass);
      return chain(policy.key.build(request, admitted.principal), (built) => {
        const view = 'bypass' in built ? built : policy.learned.viewOf(built, request.headers);
        if ('bypass' in view) return this.#drop(dispatch, policy, exchange, view.bypass);
        if (dispatch.key !== undefined && dispatch.key !== view.key)
          return this.#drop(dispatch, policy, exchange, 'key');
        exchange.trace?.identify(view.key);
        return this.#run({ dispatch, policy, exchange, view });
      });
    });
  }

  #run(arrival: Arrival): MaybePromise<Observable<unknown>> {
    const { dispatch, policy, exchange, view } = arrival;
    return chain(policy.tags(exchange.request), (tags) => {
      if (dispatch.purpose === 'verify') return this.#record(arrival, tags);
      return chain(this.cache.lookup(view.key), (found) => {
        if (!isEntry(found)) {
          const own = policy.learned.elsewhere(view, found.vary, exchange.request.headers);
          if (own === undefined) return this.#join(arrival, found, tags);
          if ('bypass' in own) return this.#drop(dispatch, policy, exchange, own.bypass);
          return this.#run({ ...arrival, view: own });
        }
        return dispatch.evenFresh === true
          ? this.#join(arrival, this.cache.missedAt(found), tags)
          : this.#present(arrival, found.response);
      });
    });
  }

  /** As any request that misses: leads a fill, or waits for the one that is under way. */
  #join(arrival: Arrival, missed: Missed, tags: string[]): Observable<unknown> {
    const { dispatch, policy, exchange, view } = arrival;
    const ticket = this.cache.join(view, missed, tags);
    if (ticket.role === 'wait') {
      return from(ticket.outcome).pipe(
        mergeMap((outcome) => {
          if (typeof outcome !== 'string')
            return policy.statuses.has(outcome.response.status)
              ? this.#present(arrival, outcome.response)
              : this.#skip(arrival, 'status', outcome.response);
          // Its own client's alone, or cut: whoever needs it will ask again.
          return this.#skip(arrival, 'aborted');
        }),
      );
    }
    const { fill } = ticket;
    const { stale } = missed;
    const isAhead = dispatch.evenFresh === true;
    // Whoever warms with `renew` wants the handler to run here, whatever others do.
    if (!policy.clusterWide || !fill.leads || (isAhead && dispatch.purpose === 'warm'))
      return this.#fill(arrival, fill, stale);
    dispatch.wait();
    return from(this.cache.claim(fill, 0, isAhead ? stale : undefined)).pipe(
      mergeMap((entry) => {
        if (entry !== undefined) return this.#present(arrival, entry.response);
        if (!exchange.platform.isGone(exchange.response)) return this.#fill(arrival, fill, stale);
        // It was given up while it waited for its turn.
        fill.abort();
        return SENT;
      }),
    );
  }

  #fill(arrival: Arrival, fill: Fill, stale: Entry | undefined): Observable<unknown> {
    const { policy, exchange, dispatch } = arrival;
    dispatch.take();
    fill.onEnd = (end) => report(dispatch, end);
    return renewOr(policy, exchange, fill, stale, {
      renewed: () => deliver(policy, exchange, NOTHING, []),
      otherwise: () => runHandler(policy, exchange, fill, 'stale'),
    });
  }

  #record(arrival: Arrival, tags: string[]): Observable<unknown> {
    const { policy, exchange, view, dispatch } = arrival;
    let recorded: Entry | undefined;
    const fill = this.cache.recorded(view, tags, (entry) => (recorded = entry));
    dispatch.take();
    fill.onEnd = (end) => {
      if (recorded === undefined) return report(dispatch, end);
      const { response } = recorded;
      dispatch.settle({ result: 'recorded', status: response.status, response });
    };
    return runHandler(policy, exchange, fill, 'request');
  }

  #present({ dispatch, policy, exchange }: Arrival, response: StoredResponse): Observable<unknown> {
    dispatch.settle({ result: 'present', status: response.status, response });
    return deliver(policy, exchange, NOTHING, []);
  }

  #skip(
    { dispatch, policy, exchange }: Arrival,
    reason: SkipReason,
    response?: StoredResponse,
  ): Observable<unknown> {
    dispatch.settle({ result: 'skipped', reason, status: response?.status, response });
    return deliver(policy, exchange, NOTHING, []);
  }

  #drop(dispatch: Dispatch, policy: ViewPolicy, exchange: Exchange, reason: DropReason): Observable<unknown> {
    dispatch.settle({ result: 'dropped', reason, status: undefined });
    return deliver(policy, exchange, NOTHING, []);
  }
}

/** Tells what came of a fill, once the store has said whether it keeps it. */
function report(dispatch: Dispatch, { result, kept, reason }: FillEnd): void {
  const response = typeof result === 'string' ? undefined : result.response;
  const status = response?.status;
  if (response === undefined || kept === undefined)
    return dispatch.settle({ result: 'skipped', reason: reason ?? 'evicted', status, response });
  void chain(kept, (isKept) =>
    dispatch.settle(
      isKept
        ? { result: 'stored', status: response.status, response }
        : { result: 'skipped', reason: 'store', status, response },
    ),
  );
}

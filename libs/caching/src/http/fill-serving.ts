import { defer, from, mergeAll, mergeMap, type Observable, tap } from 'rxjs';
import { type Entry, isEntry, sharedOf } from '../cache/entry.js';
import type { Fill, ViewKey } from '../cache/fill.js';
import { chain, isPromiseLike, type MaybePromise } from '../cache/maybe-promise.js';
import type { VariantKeyOf } from '../cache/variants.js';
import type { Missed, Ticket, ViewCache } from '../cache/view-cache.js';
import type { Bypassing } from './bypassing.js';
import type { Forwarded } from './cache-headers.js';
import { type Delivery, type Exchange, type RequestObserver, SENT } from './delivery.js';
import { lookUp } from './look-up.js';
import { renewOr } from './renewal.js';
import type { ViewPolicy } from './route-policy.js';
import { runHandler } from './run-handler.js';
import type { StaleServing } from './stale/stale-serving.js';

/** How often a request that waits may be sent to another flight before it runs its own handler. */
const MAX_RETRIES = 8;

/** A request that found nothing to answer it with, on its way to a response. */
export interface Miss {
  readonly policy: ViewPolicy;
  readonly exchange: Exchange;
  readonly view: ViewKey;
  /** Milliseconds that it has waited for the store. */
  readonly spent: number;
  readonly fwd: Forwarded;
  /** What is stored and no longer fresh, for where the handler fails. */
  readonly stale?: Entry | undefined;
  /** What is stored and may not answer by itself, also where it may not be served stale. */
  readonly stored?: Entry | undefined;
  /** Which of the key's responses would be its own, should there be several. */
  readonly variantKeyOf: VariantKeyOf;
}

export type Answered = MaybePromise<Observable<unknown>>;

/** What it shares with the rest of the way. */
export interface FillServingParts {
  readonly cache: ViewCache;
  readonly delivery: Delivery;
  readonly bypassing: Bypassing;
  readonly stale: StaleServing;
  readonly observer: RequestObserver;
}

/** The way of a request that nothing stored answers: a wait for another's fill, or one of its own. */
export class FillServing {
  readonly #cache: ViewCache;
  readonly #parts: FillServingParts;

  constructor(parts: FillServingParts) {
    this.#cache = parts.cache;
    this.#parts = parts;
  }

  /** Runs the handler, or waits for the fill that is under way. */
  follow(miss: Miss, ticket: Ticket, retries = MAX_RETRIES): Observable<unknown> {
    const { policy, exchange, view } = miss;
    if (ticket.role === 'fill') {
      const { fill } = ticket;
      return policy.clusterWide && fill.leads ? this.#claim(miss, fill) : this.#fill(miss, fill);
    }
    return from(ticket.outcome).pipe(
      mergeMap((outcome) => {
        const { stale } = miss;
        const instead = stale && this.#parts.stale.afterFlight({ policy, exchange, view, stale }, outcome);
        if (instead !== undefined) return instead;
        if (typeof outcome !== 'string')
          return this.#parts.delivery.collapsed(policy, exchange, outcome, miss.fwd);
        // Nobody waits for the response any more, so no handler runs for it.
        if (exchange.platform.isGone(exchange.response)) return SENT;
        const isAlone = outcome !== 'retry' || retries === 0;
        return flatten(
          chain(policy.tags(exchange.request), (tags) => {
            if (isAlone) return this.follow(miss, this.#cache.alone(view, tags), 0);
            return this.#rejoin(miss, tags, retries - 1);
          }),
        );
      }),
    );
  }

  /** The response was not for this request: it goes on with its own variant, if that was the reason. */
  #rejoin(miss: Miss, tags: string[], retries: number): Answered {
    const { policy, exchange, view, spent } = miss;
    const own = policy.learned.viewOf(view, exchange.request.headers);
    if ('bypass' in own) return this.#parts.bypassing.answer(policy, exchange, own);
    if (own === view) return this.follow(miss, this.#cache.rejoin(view, tags, miss.variantKeyOf), retries);
    // One may have been stored by somebody who knew.
    return chain(lookUp(this.#cache, exchange, own, spent), (found) => {
      if (isEntry(found)) return this.#parts.delivery.hit(policy, exchange, found);
      const next = missOf(policy, exchange, own, spent, forwarded(own, found), undefined, found.stale);
      return this.follow(next, this.#cache.join(own, found, tags, next.variantKeyOf), retries);
    });
  }

  /** Waits for its turn among all instances; another may have filled by then. */
  #claim(miss: Miss, fill: Fill): Observable<unknown> {
    const { policy, exchange, view, spent } = miss;
    const claimed = this.#cache.claim(fill, spent).then((entry) => {
      if (entry !== undefined) return this.#parts.delivery.collapsed(policy, exchange, sharedOf(entry));
      if (fill.variedBy !== undefined) {
        policy.learned.learn(view, fill.variedBy);
        fill.abort();
        return chain(policy.tags(exchange.request), (tags) => this.#rejoin(miss, tags, MAX_RETRIES));
      }
      if (!exchange.platform.isGone(exchange.response)) return this.#fill(miss, fill);
      fill.abort();
      return SENT;
    });
    // Nest may have torn this down before its turn came.
    return flatten(claimed).pipe(tap({ unsubscribe: () => fill.abort() }));
  }

  /**
   * Runs the handler whatever is stored.
   *
   * @param stored may be renewed instead
   */
  refresh(
    policy: ViewPolicy,
    exchange: Exchange,
    view: ViewKey,
    mayStore = true,
    fwd: Forwarded = 'request',
    stored?: Entry,
  ): MaybePromise<Observable<unknown>> {
    return chain(policy.tags(exchange.request), (tags) => {
      const { fill } = this.#cache.alone(view, tags);
      if (!mayStore) fill.refusal = 'request';
      return this.#fill(missOf(policy, exchange, view, 0, fwd, undefined, stored), fill);
    });
  }

  #fill({ policy, exchange, view, fwd, stale, stored }: Miss, fill: Fill): Observable<unknown> {
    const rescue = stale && this.#parts.stale.rescue({ policy, exchange, view, stale }, fill);
    return renewOr(policy, exchange, fill, stored, {
      renewed: (entry) => this.#parts.delivery.revalidated(policy, exchange, entry, fwd),
      otherwise: () => {
        if (fwd !== 'request') this.#parts.observer.onFill(policy);
        if (rescue === undefined) exchange.trace?.handled();
        else exchange.trace?.mayBeRescued();
        return runHandler(policy, exchange, fill, fwd, rescue);
      },
    });
  }
}

export function missOf(
  policy: ViewPolicy,
  exchange: Exchange,
  view: ViewKey,
  spent: number,
  fwd: Forwarded,
  stale?: Entry,
  stored?: Entry,
): Miss {
  const variantKeyOf = policy.learned.keysOf(view, exchange.request.headers);
  return { policy, exchange, view, spent, fwd, stale, stored, variantKeyOf };
}

/** RFC 9211 §2.2. */
export function forwarded({ primary }: ViewKey, { stale }: Missed): Forwarded {
  if (stale !== undefined) return 'stale';
  return primary === undefined ? 'uri-miss' : 'vary-miss';
}

export function flatten(value: MaybePromise<Observable<unknown>>): Observable<unknown> {
  return isPromiseLike(value) ? defer(() => value).pipe(mergeAll()) : value;
}

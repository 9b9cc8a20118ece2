import { GatewayTimeoutException } from '@nestjs/common';
import { defer, from, mergeAll, mergeMap, type Observable, tap, throwError } from 'rxjs';
import { type Entry, isEntry } from '../cache/entry.js';
import { chain, isPromiseLike, type MaybePromise } from '../cache/maybe-promise.js';
import type { Fill, ViewKey } from '../cache/fill.js';
import type { VariantKeyOf } from '../cache/variants.js';
import type { Missed, Ticket, ViewCache } from '../cache/view-cache.js';
import { type Clock, elapsed } from '../cache/clock.js';
import type { CacheEvents } from '../observe/events.js';
import { admit, type CredentialRules } from './admission.js';
import { dispatchOf } from './background/dispatch.js';
import { DispatchedServing } from './background/dispatched-serving.js';
import type { Redispatcher } from './background/redispatch.js';
import type { Forwarded } from './cache-headers.js';
import type { Compression } from './compression.js';
import { Delivery, type Exchange, fieldsOf, type RequestObserver, SENT, timed } from './delivery.js';
import { askUser } from './user-callback.js';
import type { KeyBypass } from './key-strategy.js';
import type { ViewPolicy } from './route-policy.js';
import { RequestWishes, type Wish } from './request-wishes.js';
import { renewOr } from './renewal.js';
import { runHandler } from './run-handler.js';
import { StaleServing } from './stale/stale-serving.js';

/** How often a request that waits may be sent to another flight before it runs its own handler. */
const MAX_RETRIES = 8;

/** A request that found nothing to answer it with, on its way to a response. */
interface Miss {
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

type Answered = MaybePromise<Observable<unknown>>;

/**
 * The way of a request through a cached route: admission, key, look-up, and then a hit, a wait for another's fill,
 * or a fill. Synchronous as long as nothing it asks makes it wait.
 */
export class ViewServer {
  readonly #wishes: RequestWishes;
  readonly #delivery: Delivery;
  readonly #dispatched: DispatchedServing;
  readonly #stale: StaleServing;

  constructor(
    private readonly cache: ViewCache,
    private readonly clock: Clock,
    private readonly events: CacheEvents,
    private readonly credentials: CredentialRules,
    private readonly onBypass: (policy: ViewPolicy, reason: KeyBypass['bypass']) => void,
    private readonly background: Redispatcher,
    deadline: number,
    private readonly observer: RequestObserver,
    private readonly compression?: Compression,
  ) {
    this.#wishes = new RequestWishes(clock);
    this.#delivery = new Delivery(clock, observer, compression);
    this.#dispatched = new DispatchedServing(cache, credentials);
    this.#stale = new StaleServing({ cache, clock, background, delivery: this.#delivery, deadline });
  }

  serve(policy: ViewPolicy, exchange: Exchange): MaybePromise<Observable<unknown>> {
    // Middleware that has replied and called `next()` all the same: what follows reaches nobody.
    if (exchange.platform.node(exchange.response).headersSent) return exchange.handle();
    exchange.trace = this.events.begin(policy.route);
    this.compression?.announce(exchange);
    const dispatch = this.background.isActive ? dispatchOf(exchange.request.raw) : undefined;
    if (dispatch !== undefined) return this.#dispatched.serve(dispatch, policy, exchange);
    return chain(admit(policy, exchange.request, this.credentials), (admitted) => {
      if ('bypass' in admitted) return this.#bypass(policy, exchange, admitted);
      return chain(policy.key.build(exchange.request, admitted.principal), (built) => {
        if ('bypass' in built) return this.#bypass(policy, exchange, built);
        const view = policy.learned.viewOf(built, exchange.request.headers);
        if ('bypass' in view) return this.#bypass(policy, exchange, view);
        exchange.trace?.identify(view.key);
        // A stored GET answers a HEAD as well (RFC 9110 §9.3.2); what a HEAD is answered with is no GET's response.
        if (exchange.request.method === 'HEAD') return this.#head(policy, exchange, view);
        if (policy.refresh === undefined) return this.#heed(policy, exchange, view);
        const { refresh } = policy;
        return chain(
          askUser('refresh', policy.route, () => refresh(exchange.request)),
          (wanted) => {
            if (!wanted) return this.#heed(policy, exchange, view);
            exchange.trace?.refresh('callback', 'started');
            return this.#refresh(policy, exchange, view);
          },
        );
      });
    });
  }

  #bypass(policy: ViewPolicy, exchange: Exchange, { bypass: reason }: KeyBypass): Observable<unknown> {
    exchange.trace?.bypassed(reason);
    this.onBypass(policy, reason);
    const { platform, response, trace } = exchange;
    const fields = fieldsOf(policy, { kind: 'bypass', reason });
    platform.setFields(response, trace === undefined ? fields : timed(trace, platform, response, fields));
    return exchange.handle();
  }

  /** @param spent milliseconds that the request has waited for the store already */
  #ask({ trace }: Exchange, { key }: ViewKey, spent = 0): MaybePromise<Entry | Missed> {
    if (trace === undefined) return this.cache.lookup(key, spent);
    const since = trace.elapsed();
    const answer = this.cache.lookup(key, spent);
    const asked = isPromiseLike(answer) ? 'shared' : 'local';
    return chain(answer, (found) => {
      const entry = isEntry(found) ? found : found.stale;
      const state = isEntry(found) ? 'fresh' : entry === undefined ? 'nothing' : 'stale';
      trace.lookup(state, entry && (entry.tier ?? 'local'), asked, since);
      return found;
    });
  }

  #head(policy: ViewPolicy, exchange: Exchange, view: ViewKey): MaybePromise<Observable<unknown>> {
    return chain(this.#ask(exchange, view), (found) => {
      if (isEntry(found)) return this.#delivery.hit(policy, exchange, found);
      const own = this.#variant(policy, exchange, view, found, (variant) =>
        this.#head(policy, exchange, variant),
      );
      if (own !== undefined) return own;
      const stale = this.#stale.forHead(found.stale);
      return stale === undefined
        ? this.#bypass(policy, exchange, { bypass: 'method' })
        : this.#delivery.stale(policy, exchange, stale, 'while-revalidate');
    });
  }

  /** Goes on with the request's own variant, where what was found says that its key has several. */
  #variant(
    policy: ViewPolicy,
    exchange: Exchange,
    view: ViewKey,
    { vary }: Pick<Missed, 'vary'>,
    proceed: (own: ViewKey) => Answered,
  ): Answered | undefined {
    const own = policy.learned.elsewhere(view, vary, exchange.request.headers);
    if (own === undefined) return undefined;
    return 'bypass' in own ? this.#bypass(policy, exchange, own) : proceed(own);
  }

  /** What the request itself says of how it wants to be answered, where the route honours that. */
  #heed(policy: ViewPolicy, exchange: Exchange, view: ViewKey): MaybePromise<Observable<unknown>> {
    const wish = policy.honoursRequests ? this.#wishes.of(exchange.request.headers) : undefined;
    if (wish === undefined) return this.#lookup(policy, exchange, view);
    const askedAt = elapsed(this.clock);
    return chain(this.#ask(exchange, view), (found) =>
      this.#grant(policy, exchange, view, wish, found, askedAt),
    );
  }

  #grant(
    policy: ViewPolicy,
    exchange: Exchange,
    view: ViewKey,
    wish: Wish,
    found: Entry | Missed,
    askedAt: number,
  ): MaybePromise<Observable<unknown>> {
    if (!isEntry(found)) {
      const own = this.#variant(policy, exchange, view, found, (variant) =>
        this.#heed(policy, exchange, variant),
      );
      if (own !== undefined) return own;
    }
    const entry = isEntry(found) ? found : found.stale;
    const { action, mayStore } = this.#wishes.decide(wish, view.key, entry);
    if (action === 'use' && entry !== undefined)
      return isEntry(found)
        ? this.#hit(policy, exchange, view, found)
        : this.#delivery.hit(policy, exchange, entry, 'request');
    if (action === 'gateway-timeout') {
      exchange.platform.setFields(exchange.response, fieldsOf(policy, { kind: 'only-if-cached' }));
      return throwError(() => new GatewayTimeoutException());
    }
    if (action === 'refresh') {
      exchange.trace?.refresh('request', 'started');
      // §5.2.1.4 asks for a successful validation, which the route's validator may give.
      return this.#refresh(policy, exchange, view, mayStore, 'request', mayStore ? entry : undefined);
    }
    if (!mayStore)
      return this.#refresh(
        policy,
        exchange,
        view,
        false,
        isEntry(found) || found.stale ? 'stale' : 'uri-miss',
      );
    const missed: Missed = isEntry(found) ? this.cache.missedAt(found) : found;
    // Who says how fresh it is to be has not been content with what is stale.
    return this.#miss(policy, exchange, view, missed, elapsed(this.clock) - askedAt, false);
  }

  #lookup(policy: ViewPolicy, exchange: Exchange, view: ViewKey, spent = 0): Answered {
    const found = this.#ask(exchange, view, spent);
    if (!isPromiseLike(found))
      return isEntry(found)
        ? this.#hit(policy, exchange, view, found)
        : this.#miss(policy, exchange, view, found, spent);
    const askedAt = elapsed(this.clock) - spent;
    return found.then((answer) =>
      isEntry(answer)
        ? this.#hit(policy, exchange, view, answer)
        : this.#miss(policy, exchange, view, answer, elapsed(this.clock) - askedAt),
    );
  }

  #hit(policy: ViewPolicy, exchange: Exchange, view: ViewKey, entry: Entry): Observable<unknown> {
    const { refreshAhead } = policy;
    if (refreshAhead !== undefined) this.#stale.renewAhead(policy, exchange, view, entry, refreshAhead);
    return this.#delivery.hit(policy, exchange, entry);
  }

  #miss(
    policy: ViewPolicy,
    exchange: Exchange,
    view: ViewKey,
    missed: Missed,
    spent: number,
    mayBeStale = true,
  ): MaybePromise<Observable<unknown>> {
    const { stale } = missed;
    if (stale === undefined || !mayBeStale) return this.#forward(policy, exchange, view, missed, spent);
    return (
      this.#stale.answer({ policy, exchange, view, stale }, () =>
        flatten(this.#forward(policy, exchange, view, missed, 0, stale)),
      ) ?? this.#forward(policy, exchange, view, missed, spent, stale)
    );
  }

  /** To the handler, or to the fill that is under way. */
  #forward(
    policy: ViewPolicy,
    exchange: Exchange,
    view: ViewKey,
    missed: Missed,
    spent: number,
    stale?: Entry,
  ): MaybePromise<Observable<unknown>> {
    const own = this.#variant(policy, exchange, view, missed, (variant) =>
      this.#lookup(policy, exchange, variant, spent),
    );
    if (own !== undefined) return own;
    exchange.trace?.miss(missed.stale === undefined ? 'absent' : 'stale');
    const fwd = forwarded(view, missed);
    const miss = this.#missOf(policy, exchange, view, spent, fwd, stale, missed.stale);
    const { variantKeyOf } = miss;
    const tags = policy.tags(exchange.request);
    if (!isPromiseLike(tags)) return this.#follow(miss, this.cache.join(view, missed, tags, variantKeyOf));
    // While the callback was asked, another request may have filled the cache.
    return tags.then((known) =>
      chain(this.#ask(exchange, view, spent), (found) =>
        isEntry(found)
          ? this.#delivery.hit(policy, exchange, found)
          : this.#follow(miss, this.cache.join(view, found, known, variantKeyOf)),
      ),
    );
  }

  #missOf(
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

  #follow(miss: Miss, ticket: Ticket, retries = MAX_RETRIES): Observable<unknown> {
    const { policy, exchange, view } = miss;
    if (ticket.role === 'fill') {
      const { fill } = ticket;
      return policy.clusterWide && fill.leads ? this.#claim(miss, fill) : this.#fill(miss, fill);
    }
    return from(ticket.outcome).pipe(
      mergeMap((outcome) => {
        const { stale } = miss;
        const instead = stale && this.#stale.afterFlight({ policy, exchange, view, stale }, outcome);
        if (instead !== undefined) return instead;
        if (typeof outcome !== 'string') return this.#delivery.collapsed(policy, exchange, outcome, miss.fwd);
        // Nobody waits for the response any more, so no handler runs for it.
        if (exchange.platform.isGone(exchange.response)) return SENT;
        const isAlone = outcome !== 'retry' || retries === 0;
        return flatten(
          chain(policy.tags(exchange.request), (tags) => {
            if (isAlone) return this.#follow(miss, this.cache.alone(view, tags), 0);
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
    if ('bypass' in own) return this.#bypass(policy, exchange, own);
    if (own === view) return this.#follow(miss, this.cache.rejoin(view, tags, miss.variantKeyOf), retries);
    // One may have been stored by somebody who knew.
    return chain(this.#ask(exchange, own, spent), (found) => {
      if (isEntry(found)) return this.#delivery.hit(policy, exchange, found);
      const next = this.#missOf(policy, exchange, own, spent, forwarded(own, found), undefined, found.stale);
      return this.#follow(next, this.cache.join(own, found, tags, next.variantKeyOf), retries);
    });
  }

  /** Waits for its turn among all instances; another may have filled by then. */
  #claim(miss: Miss, fill: Fill): Observable<unknown> {
    const { policy, exchange, view, spent } = miss;
    const claimed = this.cache.claim(fill, spent).then((entry) => {
      if (entry !== undefined)
        return this.#delivery.collapsed(policy, exchange, { ...entry, handlerTime: entry.handlerTime });
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

  #refresh(
    policy: ViewPolicy,
    exchange: Exchange,
    view: ViewKey,
    mayStore = true,
    fwd: Forwarded = 'request',
    stored?: Entry,
  ): MaybePromise<Observable<unknown>> {
    return chain(policy.tags(exchange.request), (tags) => {
      const { fill } = this.cache.alone(view, tags);
      if (!mayStore) fill.refusal = 'request';
      return this.#fill(this.#missOf(policy, exchange, view, 0, fwd, undefined, stored), fill);
    });
  }

  #fill({ policy, exchange, view, fwd, stale, stored }: Miss, fill: Fill): Observable<unknown> {
    const rescue = stale && this.#stale.rescue({ policy, exchange, view, stale }, fill);
    return renewOr(policy, exchange, fill, stored, {
      renewed: (entry) => this.#delivery.revalidated(policy, exchange, entry, fwd),
      otherwise: () => {
        if (fwd !== 'request') this.observer.onFill(policy);
        return runHandler(policy, exchange, fill, fwd, rescue);
      },
    });
  }
}

/** RFC 9211 §2.2. */
function forwarded({ primary }: ViewKey, { stale }: Missed): Forwarded {
  if (stale !== undefined) return 'stale';
  return primary === undefined ? 'uri-miss' : 'vary-miss';
}

function flatten(value: MaybePromise<Observable<unknown>>): Observable<unknown> {
  return isPromiseLike(value) ? defer(() => value).pipe(mergeAll()) : value;
}

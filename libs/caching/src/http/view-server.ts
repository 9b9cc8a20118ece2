import { GatewayTimeoutException } from '@nestjs/common';
import { type Observable, throwError } from 'rxjs';
import { type Clock, elapsed } from '../cache/clock.js';
import { type Entry, isEntry } from '../cache/entry.js';
import type { ViewKey } from '../cache/fill.js';
import { chain, isPromiseLike, type MaybePromise } from '../cache/maybe-promise.js';
import type { Missed, ViewCache } from '../cache/view-cache.js';
import type { CacheEvents } from '../observe/events.js';
import { admit, type CredentialRules } from './admission.js';
import { dispatchOf } from './background/dispatch.js';
import { DispatchedServing } from './background/dispatched-serving.js';
import type { Redispatcher } from './background/redispatch.js';
import { Bypassing, type OnBypass } from './bypassing.js';
import type { Compression } from './compression.js';
import { Delivery, type Exchange, fieldsOf, type RequestObserver } from './delivery.js';
import { type Answered, FillServing, flatten, forwarded, type Miss, missOf } from './fill-serving.js';
import { lookUp } from './look-up.js';
import { RequestWishes, type Wish } from './request-wishes.js';
import type { ViewPolicy } from './route-policy.js';
import { StaleServing } from './stale/stale-serving.js';
import { toItsEnd } from './to-its-end.js';
import { askUser } from './user-callback.js';

/**
 * The way of a request through a cached route: admission, key, look-up, and then a hit, a wait for another's fill,
 * or a fill. Synchronous as long as nothing it asks makes it wait.
 */
export class ViewServer {
  readonly #wishes: RequestWishes;
  readonly #delivery: Delivery;
  readonly #dispatched: DispatchedServing;
  readonly #stale: StaleServing;
  readonly #bypassing: Bypassing;
  readonly #fills: FillServing;

  constructor(
    private readonly cache: ViewCache,
    private readonly clock: Clock,
    private readonly events: CacheEvents,
    private readonly credentials: CredentialRules,
    onBypass: OnBypass,
    private readonly background: Redispatcher,
    deadline: number,
    observer: RequestObserver,
    private readonly compression?: Compression,
  ) {
    this.#wishes = new RequestWishes(clock);
    this.#delivery = new Delivery(clock, observer, compression);
    this.#dispatched = new DispatchedServing(cache, credentials);
    this.#stale = new StaleServing({ cache, clock, background, delivery: this.#delivery, deadline });
    this.#bypassing = new Bypassing(onBypass);
    this.#fills = new FillServing({
      cache,
      delivery: this.#delivery,
      bypassing: this.#bypassing,
      stale: this.#stale,
      observer,
    });
  }

  serve(policy: ViewPolicy, exchange: Exchange): MaybePromise<Observable<unknown>> {
    // Middleware that has replied and called `next()` all the same: what follows reaches nobody.
    if (exchange.platform.node(exchange.response).headersSent) return exchange.handle();
    exchange.trace = this.events.begin(policy.route);
    this.compression?.announce(exchange);
    const dispatch = this.background.isActive ? dispatchOf(exchange.request.raw) : undefined;
    if (dispatch !== undefined) return this.#dispatched.serve(dispatch, policy, exchange);
    return chain(admit(policy, exchange.request, this.credentials), (admitted) => {
      if ('bypass' in admitted) return this.#bypassing.answer(policy, exchange, admitted);
      return chain(policy.key.build(exchange.request, admitted.principal), (built) => {
        if ('bypass' in built) return this.#bypassing.answer(policy, exchange, built);
        const view = policy.learned.viewOf(built, exchange.request.headers);
        if ('bypass' in view) return this.#bypassing.answer(policy, exchange, view);
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
            return toItsEnd(exchange.trace, () => this.#fills.refresh(policy, exchange, view));
          },
        );
      });
    });
  }

  #head(policy: ViewPolicy, exchange: Exchange, view: ViewKey): MaybePromise<Observable<unknown>> {
    const wish = this.#wishOf(policy, exchange);
    return chain(lookUp(this.cache, exchange, view), (found) => {
      if (!isEntry(found)) {
        const own = this.#variant(policy, exchange, view, found, (variant) =>
          this.#head(policy, exchange, variant),
        );
        if (own !== undefined) return own;
      }
      if (wish !== undefined) return this.#grantHead(policy, exchange, view, wish, found);
      if (isEntry(found)) return this.#delivery.hit(policy, exchange, found);
      const stale = this.#stale.forHead(found.stale);
      return stale === undefined
        ? this.#bypassing.answer(policy, exchange, { bypass: 'method' })
        : this.#delivery.stale(policy, exchange, stale, 'while-revalidate');
    });
  }

  /** As `#grant`, but that what a handler answers a HEAD with is of no use to others. */
  #grantHead(
    policy: ViewPolicy,
    exchange: Exchange,
    view: ViewKey,
    wish: Wish,
    found: Entry | Missed,
  ): Observable<unknown> {
    const entry = isEntry(found) ? found : found.stale;
    // Counted by itself: a HEAD that runs the handler renews nothing for a GET.
    const { action } = this.#wishes.decide(wish, `HEAD ${view.key}`, entry);
    if (action === 'gateway-timeout') return this.#onlyIfCached(policy, exchange, entry);
    return action === 'use' && entry !== undefined
      ? this.#delivery.hit(policy, exchange, entry, isEntry(found) ? undefined : 'request')
      : this.#bypassing.answer(policy, exchange, { bypass: 'method' });
  }

  /** RFC 9111 §5.2.1.7. */
  #onlyIfCached(
    policy: ViewPolicy,
    { platform, response, trace }: Exchange,
    entry: Entry | undefined,
  ): Observable<unknown> {
    trace?.miss(entry === undefined ? 'absent' : 'stale');
    trace?.ends();
    platform.setFields(response, fieldsOf(policy, { kind: 'only-if-cached' }));
    return throwError(() => new GatewayTimeoutException());
  }

  #wishOf(policy: ViewPolicy, { request }: Exchange): Wish | undefined {
    return policy.honoursRequests ? this.#wishes.of(request.headers) : undefined;
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
    return 'bypass' in own ? this.#bypassing.answer(policy, exchange, own) : proceed(own);
  }

  /** What the request itself says of how it wants to be answered, where the route honours that. */
  #heed(policy: ViewPolicy, exchange: Exchange, view: ViewKey): MaybePromise<Observable<unknown>> {
    const wish = this.#wishOf(policy, exchange);
    if (wish === undefined) return this.#lookup(policy, exchange, view);
    const askedAt = elapsed(this.clock);
    return chain(lookUp(this.cache, exchange, view), (found) =>
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
    if (action === 'gateway-timeout') return this.#onlyIfCached(policy, exchange, entry);
    const { trace } = exchange;
    if (action === 'refresh') {
      trace?.refresh('request', 'started');
      // §5.2.1.4 asks for a successful validation, which the route's validator may give.
      const renewable = mayStore ? entry : undefined;
      return toItsEnd(trace, () =>
        this.#fills.refresh(policy, exchange, view, mayStore, 'request', renewable),
      );
    }
    if (!mayStore) {
      trace?.miss(entry === undefined ? 'absent' : 'stale');
      const fwd = entry === undefined ? 'uri-miss' : 'stale';
      return toItsEnd(trace, () => this.#fills.refresh(policy, exchange, view, false, fwd));
    }
    const missed: Missed = isEntry(found) ? this.cache.missedAt(found) : found;
    // Who says how fresh it is to be has not been content with what is stale.
    return this.#miss(policy, exchange, view, missed, elapsed(this.clock) - askedAt, false);
  }

  #lookup(policy: ViewPolicy, exchange: Exchange, view: ViewKey, spent = 0): Answered {
    const found = lookUp(this.cache, exchange, view, spent);
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
    const miss = missOf(policy, exchange, view, spent, fwd, stale, missed.stale);
    return toItsEnd(exchange.trace, () => this.#fill(miss, missed));
  }

  #fill(miss: Miss, missed: Missed): MaybePromise<Observable<unknown>> {
    const { policy, exchange, view, spent, variantKeyOf } = miss;
    const tags = policy.tags(exchange.request);
    if (!isPromiseLike(tags))
      return this.#fills.follow(miss, this.cache.join(view, missed, tags, variantKeyOf));
    // While the callback was asked, another request may have filled the cache.
    return tags.then((known) =>
      chain(lookUp(this.cache, exchange, view, spent), (found) =>
        isEntry(found)
          ? this.#delivery.hit(policy, exchange, found)
          : this.#fills.follow(miss, this.cache.join(view, found, known, variantKeyOf)),
      ),
    );
  }
}

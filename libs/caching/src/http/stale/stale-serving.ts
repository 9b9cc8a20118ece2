import { from, mergeMap, type Observable } from 'rxjs';
import type { Clock } from '../../cache/clock.js';
import { type Entry, isEntry } from '../../cache/entry.js';
import type { Fill, ViewKey } from '../../cache/fill.js';
import { chain } from '../../cache/maybe-promise.js';
import type { FlightOutcome } from '../../cache/single-flight.js';
import type { ViewCache } from '../../cache/view-cache.js';
import type { DispatchOutcome } from '../background/dispatch.js';
import type { Redispatcher } from '../background/redispatch.js';
import type { Delivery, Exchange } from '../delivery.js';
import type { ViewPolicy } from '../route-policy.js';
import type { Rescue } from '../view-recording.js';
import { Refresher } from './refresher.js';
import { RetryLimits } from './retry-limits.js';
import { answersOnError, answersWhileRevalidating, isFailure } from './stale-life.js';

/** A request for which there is an entry that is not fresh any more. */
export interface StaleRequest {
  readonly policy: ViewPolicy;
  readonly exchange: Exchange;
  readonly view: ViewKey;
  readonly stale: Entry;
}

export interface StaleServingParts {
  readonly cache: ViewCache;
  readonly clock: Clock;
  readonly background: Redispatcher;
  readonly delivery: Delivery;
  /** Milliseconds after which a handler that has not answered has failed. */
  readonly deadline: number;
}

const LATE = Symbol('late');

/** Answers with what is stored and no longer fresh, where RFC 5861 and the route allow it. */
export class StaleServing {
  readonly #parts: StaleServingParts;
  readonly #limits: RetryLimits;
  readonly #refresher: Refresher;

  constructor(parts: StaleServingParts) {
    this.#parts = parts;
    this.#limits = new RetryLimits(parts.clock);
    this.#refresher = new Refresher(parts.background, this.#limits, parts.clock);
  }

  /** The entry of a hit gets old: renews it before it is stale. */
  renewAhead(policy: ViewPolicy, exchange: Exchange, view: ViewKey, entry: Entry, part: number): void {
    const { storedAt, expiresAt, freshness } = entry;
    const life = (freshness?.freshUntil ?? expiresAt) - storedAt;
    if (this.#parts.clock.now() - storedAt < life * part || !this.#refresher.canRenew(view)) return;
    void this.#refresher.renew(policy, exchange, view, true);
  }

  /**
   * The answer to a request before any handler runs for it, if it is to have one.
   *
   * @param otherwise goes on as with any request that missed
   */
  answer(request: StaleRequest, otherwise: () => Observable<unknown>): Observable<unknown> | undefined {
    const { policy, exchange, view, stale } = request;
    const { delivery, clock } = this.#parts;
    const now = clock.now();
    const canRenew = this.#refresher.canRenew(view);
    if (canRenew && answersWhileRevalidating(stale, now)) {
      void this.#refresher.renew(policy, exchange, view);
      return delivery.stale(policy, exchange, stale, 'while-revalidate');
    }
    if (!answersOnError(stale, now)) return undefined;
    if (canRenew && policy.softTimeout !== undefined)
      return this.#answerInTime(request, policy.softTimeout, otherwise);
    if (this.#limits.admit(policy.route, view.key)) return undefined;
    return delivery.stale(policy, exchange, stale, 'if-error');
  }

  /** For a HEAD, which renews nothing. */
  forHead(stale: Entry | undefined): Entry | undefined {
    return stale !== undefined && answersWhileRevalidating(stale, this.#parts.clock.now())
      ? stale
      : undefined;
  }

  /** What a request that waited for a fill is answered with where that failed. */
  afterFlight(request: StaleRequest, outcome: FlightOutcome): Observable<unknown> | undefined {
    const { policy, exchange, stale } = request;
    const status = typeof outcome === 'string' ? undefined : outcome.response.status;
    if (!this.#hasFailed(request, outcome, status) || !this.#isUsable(stale)) return undefined;
    return this.#parts.delivery.stale(policy, exchange, stale, 'if-error', { status });
  }

  #hasFailed({ policy, view }: StaleRequest, outcome: FlightOutcome, status: number | undefined): boolean {
    // A failure that the route stores is what it wants to be answered.
    if (status !== undefined) return isFailure(status) && !policy.statuses.has(status);
    // Whose fill it was has noted whether it failed.
    return outcome === 'late' || !this.#limits.admit(policy.route, view.key);
  }

  /** What a request that runs the handler itself is answered with should that fail; and notes whether it does. */
  rescue({ policy, exchange, view, stale }: StaleRequest, fill: Fill): Rescue {
    const { delivery, clock, deadline } = this.#parts;
    fill.onEnd = ({ kept, reason }) => {
      if (kept !== undefined) this.#limits.succeeded(policy.route, view.key);
      // Its stream broke.
      else if (reason === 'aborted') this.#limits.failed(policy.route, view.key);
    };
    return {
      instead: (status) => {
        if (!isFailure(status)) return undefined;
        this.#limits.failed(policy.route, view.key);
        return this.#isUsable(stale)
          ? delivery.prepareStale(policy, exchange, stale, 'if-error', { status })
          : undefined;
      },
      whenLate: () => {
        this.#limits.failed(policy.route, view.key);
        return this.#isUsable(stale)
          ? delivery.prepareStale(policy, exchange, stale, 'if-error', { status: undefined })
          : undefined;
      },
      atDeadline: (task) => clock.after(deadline, task),
    };
  }

  /** It may have been evicted, or its time have run out, while the handler ran. */
  #isUsable(stale: Entry): boolean {
    const { cache, clock } = this.#parts;
    return answersOnError(stale, clock.now()) && cache.isCurrent(stale.start, stale.tags);
  }

  /** The handler runs in the background, so that what comes too late for this request is stored for the next ones. */
  #answerInTime(
    request: StaleRequest,
    softTimeout: number,
    otherwise: () => Observable<unknown>,
  ): Observable<unknown> {
    const { policy, exchange, view, stale } = request;
    const { delivery, clock } = this.#parts;
    const renewal = this.#refresher.renew(policy, exchange, view);
    if (renewal === undefined) return delivery.stale(policy, exchange, stale, 'if-error');
    let cancel: () => void = () => undefined;
    const late = new Promise<typeof LATE>((resolve) => {
      cancel = clock.after(softTimeout, () => resolve(LATE));
    });
    return from(Promise.race([renewal, late])).pipe(
      mergeMap((outcome) => {
        cancel();
        if (outcome === LATE) return this.#timedOut(request, otherwise);
        return from(this.#afterRenewal(request, outcome, otherwise)).pipe(mergeMap((answer) => answer));
      }),
    );
  }

  #timedOut(
    { policy, exchange, stale }: StaleRequest,
    otherwise: () => Observable<unknown>,
  ): Observable<unknown> {
    return this.#isUsable(stale)
      ? this.#parts.delivery.stale(policy, exchange, stale, 'timeout')
      : otherwise();
  }

  async #afterRenewal(
    request: StaleRequest,
    outcome: DispatchOutcome,
    otherwise: () => Observable<unknown>,
  ): Promise<Observable<unknown>> {
    const { policy, exchange, view, stale } = request;
    const { cache, delivery } = this.#parts;
    if (outcome.result === 'stored' || outcome.result === 'present') {
      // Asked for again, as something may have been evicted since.
      const found = await chain(cache.lookup(view.key), (answer) => answer);
      return isEntry(found) ? delivery.renewed(policy, exchange, found) : otherwise();
    }
    if (outcome.result === 'dropped' && outcome.reason === 'elsewhere')
      return this.#timedOut(request, otherwise);
    const { status } = outcome;
    const hasFailed =
      status === undefined
        ? outcome.result === 'dropped' && (outcome.reason === 'deadline' || outcome.reason === 'failed')
        : isFailure(status);
    return hasFailed && this.#isUsable(stale)
      ? delivery.stale(policy, exchange, stale, 'if-error', { status })
      : otherwise();
  }
}

import type { Clock } from '../cache/clock.js';
import { type Entry, type EntryLife, isEntry, type StoredResponse } from '../cache/entry.js';
import type { Fill } from '../cache/fill.js';
import { HeldFailure, HeldValue } from '../cache/held-value.js';
import { isPromiseLike, type MaybePromise } from '../cache/maybe-promise.js';
import type { SkipReason } from '../cache/reasons.js';
import { NotStorable } from '../cache/value-gate.js';
import type { Missed, ViewCache } from '../cache/view-cache.js';
import { MAX_DURATION } from '../duration.js';
import { limitTags, MAX_TAGS, userTag } from '../http/route-tags.js';
import type { CacheEvents } from '../observe/events.js';
import type { Call, ResultLimits, ResultRules } from './call.js';

/** How often a call that waits may be sent to another flight before it runs the function itself. */
const MAX_RETRIES = 8;

/** How many refreshes of stale results may run at once: beyond, calls are given what is there and start none. */
const MAX_REFRESHES = 256;

export interface CallServerParts {
  readonly cache: ViewCache;
  readonly clock: Clock;
  readonly events: CacheEvents;
  readonly limits: ResultLimits;
  /** A result can't be kept: `problem` says why. What it returns is what the call fails with. */
  readonly onRefused: (rules: ResultRules, problem: string) => Error | undefined;
}

/**
 * The way of a call of something that is computed: look-up, and then a hit, a wait for another's run, or a run of its
 * own, which is what `ViewServer` is for requests.
 */
export class CallServer {
  #refreshes = 0;

  constructor(private readonly parts: CallServerParts) {}

  /** @param looked what a look-up of its key has found, where there was one */
  async serve(call: Call, looked?: MaybePromise<Entry | Missed>): Promise<unknown> {
    const { cache, clock } = this.parts;
    const { key, trace } = call;
    trace?.identify(key);
    const askedAt = clock.now();
    let found = looked ?? cache.lookup(key);
    if (isPromiseLike(found)) {
      call.waits?.();
      found = await found;
    }
    if (isEntry(found)) {
      trace?.hit(found, clock.now());
      return taken(found.response);
    }
    const { stale } = found;
    if (stale?.freshness !== undefined && clock.now() < stale.freshness.staleWhileRevalidateUntil) {
      trace?.stale(stale, clock.now(), 'while-revalidate');
      this.#refreshStale(call, found);
      return taken(stale.response);
    }
    trace?.miss(stale === undefined ? 'absent' : 'stale');
    return this.#toItsEnd(call, this.#follow(call, found, clock.now() - askedAt));
  }

  /** Runs it whatever is there, and replaces that. */
  refresh(call: Call): Promise<unknown> {
    call.trace?.identify(call.key);
    call.trace?.refresh('callback', 'started');
    return this.#toItsEnd(call, this.#fill(call, this.parts.cache.alone(viewOf(call), call.tags()).fill));
  }

  /** However it ends, it is told what answered it. */
  async #toItsEnd({ trace }: Call, answer: Promise<unknown>): Promise<unknown> {
    try {
      return await answer;
    } finally {
      trace?.ends();
    }
  }

  async #follow(call: Call, missed: Missed, spent: number): Promise<unknown> {
    const { cache } = this.parts;
    const { trace } = call;
    let ticket = cache.join(viewOf(call), missed, call.tags());
    for (let retries = MAX_RETRIES; ; retries--) {
      if (ticket.role === 'fill') return this.#claim(call, ticket.fill, missed.stale, spent);
      call.waits?.();
      const outcome = await ticket.outcome;
      if (typeof outcome !== 'string') {
        trace?.coalesced(outcome.response, outcome.handlerTime);
        return taken(outcome.response);
      }
      const tags = call.tags();
      ticket =
        outcome === 'alone' || retries === 0
          ? cache.alone(viewOf(call), tags)
          : cache.rejoin(viewOf(call), tags);
    }
  }

  /** Waits for its turn among all instances, where that is asked for; another may have filled by then. */
  async #claim(call: Call, fill: Fill, stale: Entry | undefined, spent: number): Promise<unknown> {
    if (call.rules.clusterWide && fill.leads) {
      call.waits?.();
      const entry = await this.parts.cache.claim(fill, spent);
      if (entry !== undefined) {
        call.trace?.coalesced(entry.response, entry.handlerTime);
        return taken(entry.response);
      }
      fill.handlerStarts();
    }
    return this.#fill(call, fill, stale);
  }

  async #fill(call: Call, fill: Fill, stale?: Entry): Promise<unknown> {
    fill.trace = call.trace;
    if (stale === undefined) call.trace?.handled();
    limitTags(fill);
    let result: unknown;
    try {
      result = await call.run();
    } catch (error) {
      fill.handlerEnds();
      if (stale !== undefined && this.#mayServeStale(stale, fill)) {
        fill.share(stale.response);
        call.trace?.stale(stale, this.parts.clock.now(), 'if-error');
        return taken(stale.response);
      }
      if (call.isChanged?.() === true) this.#drop(fill);
      else this.#fail(fill, error);
      throw error;
    }
    fill.handlerEnds();
    call.trace?.handled();
    if (call.isChanged?.() === true) {
      this.#drop(fill);
      return result;
    }
    try {
      return this.#keep(call, fill, result);
    } catch (error) {
      // A callback's, which concerns those who wait as well.
      if (!fill.ended) this.#fail(fill, error);
      throw error;
    }
  }

  /** What it ended with is of other arguments than those of its key: one of those who wait runs for these. */
  #drop(fill: Fill): void {
    tell(fill, 'arguments');
    fill.abort();
  }

  #fail(fill: Fill, error: unknown): void {
    tell(fill, 'error');
    fill.share(new HeldFailure(error));
  }

  #mayServeStale({ freshness, start, tags }: Entry, fill: Fill): boolean {
    return (
      freshness !== undefined &&
      this.parts.clock.now() < freshness.staleIfErrorUntil &&
      fill.isCurrent() &&
      this.parts.cache.isCurrent(start, tags)
    );
  }

  /** Decides whether a result is stored, and for how long. */
  #keep(call: Call, fill: Fill, result: unknown): unknown {
    const { rules } = call;
    const { ttl, tags, isWanted } = call.judge(result);
    // One more than fits is enough to see that it does not.
    for (const tag of [...new Set(tags)].slice(0, MAX_TAGS + 1)) fill.addTag(userTag(tag));
    limitTags(fill);
    let held: HeldValue;
    try {
      held = HeldValue.of(result, rules.maxBytes, rules.isFrozen);
    } catch (error) {
      if (!(error instanceof NotStorable)) throw error;
      tell(fill, error.isTooLarge ? 'too-large' : 'value');
      const failure = error.isTooLarge ? undefined : this.parts.onRefused(rules, error.message);
      if (failure === undefined) {
        fill.reject();
        return result;
      }
      fill.share(new HeldFailure(failure));
      throw failure;
    }
    const reason = isWanted ? (fill.refusal ?? (fill.isCurrent() ? undefined : 'evicted')) : 'filter';
    if (reason === undefined) {
      const { life, keepFor } = this.#lifeOf(rules, ttl);
      fill.store(held, keepFor, life);
    } else {
      // It is of the same arguments, so those who wait may have it.
      tell(fill, reason);
      fill.share(held);
    }
    return rules.isFrozen ? held.take() : result;
  }

  #lifeOf(rules: ResultRules, ttl: number): { keepFor: number; life?: EntryLife } {
    const { staleWhileRevalidate, staleIfError, staleFor } = rules;
    const keepFor = Math.min(ttl + staleFor, MAX_DURATION);
    const { limits } = this.parts;
    limits.longestLife = Math.max(limits.longestLife, keepFor);
    if (staleFor === 0) return { keepFor };
    const freshUntil = this.parts.clock.now() + ttl;
    return {
      keepFor,
      life: {
        freshUntil,
        ageAtStore: 0,
        staleWhileRevalidateUntil: Math.min(freshUntil + staleWhileRevalidate, freshUntil + keepFor - ttl),
        staleIfErrorUntil: Math.min(freshUntil + staleIfError, freshUntil + keepFor - ttl),
        alwaysRevalidate: false,
        staleForbidden: false,
      },
    };
  }

  /** Runs the function for a new result, unless somebody does already. Nobody waits for it. */
  #refreshStale(call: Call, missed: Missed): void {
    if (this.#refreshes >= MAX_REFRESHES) return;
    const { cache } = this.parts;
    if (cache.isFilling(call.key)) return;
    const ticket = cache.join(viewOf(call), missed, call.tags());
    if (ticket.role === 'wait') return;
    const { trace } = call;
    this.#refreshes++;
    trace?.refresh('stale', 'started');
    void this.#fill(call, ticket.fill)
      // The next call tries again, and is told once the result is too old to be given.
      .catch(() => trace?.refresh('stale', 'failed'))
      .finally(() => this.#refreshes--);
  }
}

/** Why a result is not kept. */
function tell(fill: Fill, reason: SkipReason): void {
  fill.skipped = reason;
  fill.trace?.skipped(reason, undefined, fill.handlerTime);
}

function viewOf({ rules, key }: Call): { route: string; key: string } {
  return { route: rules.route, key };
}

/** What a run ended with: a value of the caller's own, or its error. */
export function taken(response: StoredResponse): unknown {
  if (response instanceof HeldFailure) throw response.error;
  return (response as HeldValue).take();
}

import type { RequestTrace } from '../observe/request-trace.js';
import {
  type Entry,
  type EntryLife,
  freshUntil,
  isPlain,
  type SharedResponse,
  sharedOf,
  type StoredResponse,
} from './entry.js';
import type { MaybePromise } from './maybe-promise.js';
import type { Flight, FlightResult } from './single-flight.js';
import type { SkipReason } from './reasons.js';
import type { StampPosition } from './stamps.js';
import { type Variant, variantsOf } from './variants.js';

/** For how long after an error all instances run their own handlers for its key, in milliseconds. */
const SHARED_BY_NOBODY = 1_000;

/** Whose response is asked for. */
export interface ViewKey {
  readonly route: string;
  readonly key: string;
  /** The key without the header values in it, where there are any: variants of one URL are capped together. */
  readonly variantOf?: string;
  /** The key of all its variants, where `key` is the one of this request's. */
  readonly primary?: string;
}

/** What fills ask of the engine: one for all of them. */
export interface FillHost {
  isCurrent(start: StampPosition, tags: readonly string[]): boolean;
  /**
   * Whether it is kept.
   *
   * @param variants what is stored beside it, so that it is found
   */
  save(
    fill: Fill,
    entry: Entry,
    lease: string | undefined,
    variants: Entry | undefined,
  ): MaybePromise<boolean>;
  now(): number;
  /** Milliseconds of a clock for durations. */
  elapsed(): number;
  skipped?(key: string, reason: SkipReason): void;
  release(key: string, lease: string, uncacheableFor?: number): void;
  notCacheable(key: string, lease: string | undefined): void;
}

/** How a fill ended, for whoever runs one in the background. */
export interface FillEnd {
  readonly result: FlightResult;
  /** Whether the store keeps it; nothing where it was not offered. */
  readonly kept?: MaybePromise<boolean> | undefined;
  /** Why it was not offered to the store. */
  readonly reason: SkipReason | undefined;
}

/**
 * One run of a handler for one key. Exactly one of its endings is called, once; further calls do nothing. What
 * the handler says about its own response (`CacheContext`) is kept here until then.
 */
export class Fill {
  /** Why the response may not be stored, whatever it looks like: the handler said so, or it has too many tags. */
  refusal: 'handler' | 'tags' | 'request' | undefined;
  /** The time to live that the handler chose, in milliseconds. */
  ttl: number | undefined;
  /** What the application said of the state of its data before the handler runs. */
  validator: string | undefined;
  /** What makes it the only fill of its key among all instances. */
  lease: string | undefined;
  /** By which request fields the responses of its key are told apart, where the store said so before it began. */
  variedBy: readonly string[] | undefined;
  /** What is stored holds still, and no handler runs. */
  isRenewal = false;
  /** Why the response is not stored, once that is known. */
  skipped: SkipReason | undefined;
  /** Told how it ended. */
  onEnd: ((end: FillEnd) => void) | undefined;
  /** When the handler was started, in milliseconds since the epoch. */
  readonly startedAt: number;
  /** Tells what becomes of it, where anybody listens. */
  trace: RequestTrace | undefined;
  #runsSince: number;
  #handlerTime: number | undefined;
  #ended = false;

  constructor(
    readonly view: ViewKey,
    readonly start: StampPosition,
    readonly order: number,
    private readonly tags: string[],
    private readonly flight: Flight | undefined,
    private readonly host: FillHost,
  ) {
    this.startedAt = host.now();
    this.#runsSince = host.elapsed();
  }

  /** The handler starts only now: what came before was waiting for a lease. */
  handlerStarts(): void {
    this.#runsSince = this.host.elapsed();
  }

  /** The response is complete; what comes after is the way to its client. */
  handlerEnds(): void {
    this.#handlerTime = Math.round((this.host.elapsed() - this.#runsSince) * 1_000);
  }

  /** What the handler took, or has taken so far, in microseconds. */
  get handlerTime(): number {
    return this.#handlerTime ?? Math.round((this.host.elapsed() - this.#runsSince) * 1_000);
  }

  /** Milliseconds since the epoch. */
  now(): number {
    return this.host.now();
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Whether other requests may wait for it. */
  get leads(): boolean {
    return this.flight !== undefined;
  }

  /** How many tags of a kind the response carries so far. */
  countTags(isOfKind: (tag: string) => boolean): number {
    return this.tags.filter(isOfKind).length;
  }

  addTag(tag: string): void {
    if (!this.#ended && !this.tags.includes(tag)) this.tags.push(tag);
  }

  /** Whether nothing that the response depends on was evicted since the handler started. */
  isCurrent(): boolean {
    return this.host.isCurrent(this.start, this.tags);
  }

  /**
   * Stores the response for `ttl` milliseconds, if it is still current, and gives it to those who wait.
   *
   * @param life how it may be used meanwhile; default: as fresh
   * @param variant which of its key's responses it is; default: the only one
   */
  store(response: StoredResponse, ttl: number, life?: EntryLife, variant?: Variant): void {
    const current = this.isCurrent();
    let kept: MaybePromise<boolean> | undefined;
    let fresh: number | undefined;
    if (current && !this.#ended) {
      const { order, start, view, handlerTime, validator } = this;
      const storedAt = this.host.now();
      // A copy, as a list that was added to keeps room for more.
      const tags = this.tags.slice();
      const { key: ownKey, primary = ownKey, variantOf = variant && primary } = view;
      const key = variant?.key ?? ownKey;
      if (key !== ownKey) tags.push(key);
      const expiresAt = storedAt + ttl;
      // Most say nothing: an object less for each entry, and a question less for each hit.
      const freshness = life === undefined || isPlain(life, expiresAt) ? undefined : life;
      const entry: Entry = {
        key,
        ...(variantOf && { variantOf }),
        response,
        tags,
        start,
        order,
        storedAt,
        expiresAt,
        ...(freshness && { freshness }),
        handlerTime,
        ...(validator !== undefined && { validator }),
      };
      fresh = freshUntil(entry);
      const variants = variant && variantsOf(primary, variant, entry);
      kept = this.host.save(this, entry, this.#takeLease(), variants);
    }
    this.#end({ response, current, handlerTime: this.handlerTime, variant, freshUntil: fresh }, kept);
  }

  /**
   * Whether what was found before may be renewed now: not where it was evicted since, be it before this fill began. Who
   * waited for another's fill, or for a callback, has found it at an earlier position than its own fill starts from.
   */
  mayRenew({ start, tags }: Entry): boolean {
    return this.host.isCurrent(start, tags);
  }

  /**
   * What was stored before holds still: it is valid from the start of this fill on, under the tags of both, and given to
   * those who wait.
   *
   * @param renewed its times are those of the new one
   * @param isSaved false: what lies in the store will do for a while yet
   */
  renew(renewed: Entry, isSaved: boolean, variant?: Variant): Entry {
    for (const tag of renewed.tags) this.addTag(tag);
    this.isRenewal = true;
    const { start, order, view } = this;
    const { tier: _tier, ...rest } = renewed;
    const entry: Entry = { ...rest, tags: this.tags.slice(), start, order };
    const current = this.isCurrent();
    let kept: MaybePromise<boolean> | undefined;
    if (isSaved && current && !this.#ended) {
      const isIts = variant !== undefined && variant.key === entry.key;
      const variants = isIts ? variantsOf(view.primary ?? view.key, variant, entry) : undefined;
      kept = this.host.save(this, entry, this.#takeLease(), variants);
    }
    this.#end({ ...sharedOf(entry), current }, kept);
    return entry;
  }

  /** Gives the response to those who wait now and keeps it for nobody, as for an error status. */
  share(
    response: StoredResponse,
    handlerTime: number | undefined = this.handlerTime,
    variant?: Variant,
  ): void {
    this.#share({ response, handlerTime }, variant);
  }

  /** Gives what another instance has stored meanwhile to those who wait here. */
  take(entry: Entry): void {
    this.#share(sharedOf(entry));
  }

  #share(shared: SharedResponse, variant?: Variant): void {
    const lease = this.#takeLease();
    // Other instances would run a handler that fails one after the other, each waiting for the one before.
    if (lease !== undefined) this.host.release(this.view.key, lease, SHARED_BY_NOBODY);
    this.#end({ ...shared, current: this.isCurrent(), variant });
  }

  /** The response is for its own client only: those who wait run their own handlers, and so do the next ones. */
  reject(): void {
    if (!this.#ended) this.host.notCacheable(this.view.key, this.#takeLease());
    this.#end('uncacheable');
  }

  /** There will be no response: one of those who wait leads the next flight. */
  abort(): void {
    this.#end('aborted');
  }

  #end(result: FlightResult, kept?: MaybePromise<boolean>): void {
    if (this.#ended) return;
    this.#ended = true;
    const lease = this.#takeLease();
    if (lease !== undefined) this.host.release(this.view.key, lease);
    this.flight?.settle(result);
    if (this.skipped !== undefined) this.host.skipped?.(this.view.key, this.skipped);
    this.trace?.fillEnds(kept !== undefined, this.skipped);
    this.onEnd?.({ result, kept, reason: this.skipped });
  }

  #takeLease(): string | undefined {
    const { lease } = this;
    this.lease = undefined;
    return lease;
  }
}

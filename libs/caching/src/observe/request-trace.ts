import { type Clock, elapsed } from '../cache/clock.js';
import { bytesOf, type Entry, type StoredResponse } from '../cache/entry.js';
import type { BypassReason, SkipReason } from '../cache/reasons.js';
import type {
  CacheEvent,
  CacheTier,
  HandledEvent,
  HitEvent,
  LookupEvent,
  MissEvent,
  RefreshOutcome,
  RefreshReason,
  RequestRef,
  StaleReason,
  VerifiedEvent,
} from './cache-event.js';
import type { EventCounter } from './event-counter.js';
import { keyDigest } from './key-digest.js';
import { serverTiming, type Timing } from './server-timing.js';
import type { FillSpan } from './tracing.js';

export interface TraceHost {
  readonly clock: Clock;
  emit(event: CacheEvent): void;
  /** Who counts hits without events, while nobody listens to these. */
  counterAlone(): EventCounter | undefined;
  startFill(route: string): FillSpan | undefined;
  /** Whether responses have `Server-Timing`. */
  readonly isTimed: boolean;
}

/**
 * Tells what happens to one request, step by step. There is one only for requests that came while somebody
 * listened: `exchange.trace?.miss(…)` costs nothing otherwise.
 */
export class RequestTrace implements RequestRef {
  readonly #host: TraceHost;
  readonly #startedAt: number;
  #key: string | undefined;
  #digest: string | undefined;
  #fill: FillSpan | undefined;
  /** What is told in `Server-Timing`. */
  #what = 'none';
  #savedMs: number | undefined;
  /** Why nothing stored has answered it yet; nothing where that is not known, or it is known what answers. */
  #missed: HandledEvent['reason'] | undefined;
  #isHandled = false;
  #mayBeRescued = false;

  constructor(
    host: TraceHost,
    readonly route: string,
    readonly id: number,
  ) {
    this.#host = host;
    this.#startedAt = elapsed(host.clock);
  }

  get keyDigest(): string | undefined {
    if (this.#key === undefined) return undefined;
    return (this.#digest ??= keyDigest(this.#key));
  }

  /** Without it an event in JSON would not tell the digest, which is a getter. */
  toJSON(): RequestRef {
    const { id, keyDigest: digest } = this;
    return { id, keyDigest: digest };
  }

  /** For explanations to somebody who may know. Not a property: whoever has an event must not have the key. */
  static keyOf(trace: RequestTrace): string | undefined {
    return trace.#key;
  }

  get isTimed(): boolean {
    return this.#host.isTimed;
  }

  /**
   * The value of `Server-Timing`: what the cache did and took so far, and the handler's time beside it.
   *
   * @param present what others have said
   * @param handlerTime of the handler that has run for this request, in microseconds
   */
  serverTiming(present: unknown, handlerTime?: number): string {
    const handlerMs = milliseconds(handlerTime);
    const own = Math.max(0, this.#duration() - (handlerMs ?? 0));
    const timings: Timing[] = [{ name: 'cache', durationMs: own, description: this.#what }];
    if (handlerMs !== undefined) timings.push({ name: 'handler', durationMs: handlerMs });
    if (this.#savedMs !== undefined) timings.push({ name: 'saved', durationMs: this.#savedMs });
    return serverTiming(present, timings);
  }

  identify(key: string): void {
    this.#key = key;
  }

  /** Milliseconds of a clock for durations. */
  elapsed(): number {
    return elapsed(this.#host.clock);
  }

  /** @param since when it began */
  lookup(found: LookupEvent['found'], tier: CacheTier | undefined, asked: CacheTier, since: number): void {
    if (asked === 'local' && this.#host.counterAlone() !== undefined) return;
    const durationMs = this.#duration();
    this.#host.emit({
      type: 'lookup',
      at: this.#now(),
      route: this.route,
      request: this,
      durationMs,
      found,
      tier,
      asked,
      lookupMs: this.#startedAt + durationMs - since,
    });
  }

  /** @param reason unless it was fresh when the request came */
  hit(entry: Entry, now: number, reason?: HitEvent['reason']): void {
    this.#what = 'hit';
    this.#missed = undefined;
    const savedMs = (this.#savedMs = milliseconds(entry.handlerTime));
    const tier = entry.tier ?? 'local';
    const bytes = bytesOf(entry.response);
    const counter = this.#host.counterAlone();
    if (counter !== undefined) {
      counter.hit(this.route, tier, bytes, savedMs, reason);
      return;
    }
    this.#host.emit({
      type: 'hit',
      at: now,
      route: this.route,
      request: this,
      durationMs: this.#duration(),
      tier,
      status: entry.response.status,
      bytes,
      ageMs: now - entry.storedAt,
      savedMs,
      reason,
    });
  }

  stale(entry: Entry, now: number, reason: StaleReason): void {
    // Its client has left, so this reaches nobody.
    if (this.#isHandled) return;
    this.#what = 'stale';
    this.#missed = undefined;
    const savedMs = (this.#savedMs = milliseconds(entry.handlerTime));
    this.#host.emit({
      type: 'stale',
      at: now,
      route: this.route,
      request: this,
      durationMs: this.#duration(),
      tier: entry.tier ?? 'local',
      status: entry.response.status,
      bytes: bytesOf(entry.response),
      ageMs: now - entry.storedAt,
      savedMs,
      reason,
    });
  }

  miss(reason: MissEvent['reason']): void {
    this.#what = 'miss';
    this.#missed = reason;
    this.#host.emit({ type: 'miss', ...this.#common(), reason });
  }

  /** Nothing stored will answer it any more. To be said as often as it may be so: it is told once. */
  handled(): void {
    const reason = this.#missed;
    if (reason === undefined) return;
    this.#missed = undefined;
    this.#isHandled = true;
    this.#host.emit({ type: 'handled', ...this.#common(), reason });
  }

  /** Its handler runs, and should that fail, something stale may be sent: whoever sees the response says which. */
  mayBeRescued(): void {
    this.#mayBeRescued = true;
  }

  /** Nothing comes any more of what was started for it, but what its handler answers. */
  ends(): void {
    if (!this.#mayBeRescued) this.handled();
  }

  /** @param handlerTime of the request that ran the handler, in microseconds */
  coalesced(response: StoredResponse, handlerTime: number | undefined): void {
    const { status } = response;
    this.#what = 'coalesced';
    // Who waited for a renewal in the background would have been answered with what is stale.
    const reason = this.#missed === 'absent' ? 'absent' : 'stale';
    this.#missed = undefined;
    const savedMs = (this.#savedMs = milliseconds(handlerTime));
    this.#host.emit({
      type: 'coalesced',
      ...this.#common(),
      reason,
      status,
      bytes: bytesOf(response),
      savedMs,
    });
  }

  /**
   * @param since when storing began
   * @param isRenewal what was stored before is stored again
   */
  stored(entry: Entry, since: number, isRenewal: boolean): void {
    const { response, freshness, expiresAt, storedAt, tags, handlerTime = 0 } = entry;
    this.#host.emit({
      type: 'stored',
      ...this.#common(),
      status: response.status,
      bytes: bytesOf(response),
      ttlMs: (freshness?.freshUntil ?? expiresAt) - storedAt,
      tags: tags.length,
      handlerMs: isRenewal ? undefined : handlerTime / 1_000,
      storeMs: this.elapsed() - since,
    });
  }

  skipped(reason: SkipReason, status: number | undefined, handlerTime: number): void {
    this.#host.emit({ type: 'skipped', ...this.#common(), reason, status, handlerMs: handlerTime / 1_000 });
  }

  bypassed(reason: BypassReason): void {
    this.#what = 'bypass';
    this.#missed = undefined;
    this.#host.emit({ type: 'bypassed', ...this.#common(), reason });
  }

  refresh(reason: RefreshReason, outcome: RefreshOutcome): void {
    // Of a client's request; those in the background answer nobody.
    if (reason === 'callback' || reason === 'request') {
      this.#what = 'refresh';
      this.#missed = reason;
    }
    this.#host.emit({ type: 'refresh', ...this.#common(), reason, outcome });
  }

  /** What the handler's work belongs to, where somebody follows it. */
  fillStarts(): FillSpan | undefined {
    return (this.#fill = this.#host.startFill(this.route));
  }

  /** @param reason why its response is not stored */
  fillEnds(stored: boolean, reason: SkipReason | undefined): void {
    this.#fill?.end(stored, reason);
    this.#fill = undefined;
  }

  verified(
    outcome: VerifiedEvent['outcome'],
    differences: readonly string[] = [],
    tags: readonly string[] = [],
  ): void {
    this.#host.emit({ type: 'verified', ...this.#common(), outcome, differences, tags });
  }

  #common(): { at: number; route: string; request: RequestRef; durationMs: number } {
    return { at: this.#now(), route: this.route, request: this, durationMs: this.#duration() };
  }

  #now(): number {
    return this.#host.clock.now();
  }

  #duration(): number {
    return this.elapsed() - this.#startedAt;
  }
}

function milliseconds(microseconds: number | undefined): number | undefined {
  return microseconds === undefined ? undefined : microseconds / 1_000;
}

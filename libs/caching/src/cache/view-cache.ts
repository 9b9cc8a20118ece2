import type { CacheEvents } from '../observe/events.js';
import type { CacheStore } from '../stores/store.js';
import { BackgroundWork } from './background-work.js';
import { type Clock, elapsed } from './clock.js';
import { type Entry, isEntry, isFresh } from './entry.js';
import { Fill, type FillHost, type ViewKey } from './fill.js';
import { StoreGuard } from './guard.js';
import type { StoreTrouble } from './store-trouble.js';
import { FillLease } from './fill-lease.js';
import { HIT_FOR_MISS_LIFE, HitForMiss } from './hit-for-miss.js';
import { chain, isPromiseLike, type MaybePromise } from './maybe-promise.js';
import { type FlightOutcome, SingleFlight } from './single-flight.js';
import type { SkipReason } from './reasons.js';
import { softTag } from './soft.js';
import type { StampPosition } from './stamps.js';
import type { VariantKeyOf } from './variants.js';

/** How many requests may wait for one fill; the rest run their own handler. */
export const MAX_WAITERS = 16_384;

/** Where a fill may start from, and what is stored but no longer fresh. */
export interface Missed extends StampPosition {
  readonly stale?: Entry;
  /** There are several responses of this key, told apart by these request fields: it is theirs that is to be looked up. */
  readonly vary?: readonly string[];
}

/** What a request that missed has to do: run the handler and tell the fill, or wait for another's. */
export type Ticket = FillTicket | { readonly role: 'wait'; readonly outcome: Promise<FlightOutcome> };

export interface FillTicket {
  readonly role: 'fill';
  readonly fill: Fill;
}

export interface ViewCacheOptions {
  readonly store: CacheStore;
  readonly clock: Clock;
  readonly events: CacheEvents;
  /** Milliseconds that a request waits for the store. */
  readonly storeTimeout: number;
  /** Milliseconds after a fill's start at which its waiters stop waiting. */
  readonly coalesceTimeout: number;
  readonly maxWaiters?: number;
  /** Told what became of each fill: stored, or why not. */
  readonly onFilled?: (key: string, outcome: 'stored' | SkipReason) => void;
  /** Told when the store fails and when it answers again. */
  readonly trouble?: StoreTrouble;
  /** What the caller of an eviction gets that the store will do again: its word, or the error. Default the error. */
  readonly onStoreFailure?: 'queue' | 'throw';
}

/** An eviction: where it stands in the sequence, and whether the store has acknowledged it or will do it again. */
export interface Eviction {
  readonly position: StampPosition;
  readonly acknowledged: boolean;
}

/**
 * The engine: look up, fill once, store, evict. It knows no HTTP and no Nest.
 *
 * The order of things is the whole point: the position in the eviction sequence is read before the handler runs,
 * and an entry is valid only while nothing it depends on was evicted since. So an eviction wins against every
 * fill that started before it, however late the fill ends.
 */
export class ViewCache {
  readonly #store: CacheStore;
  readonly #clock: Clock;
  readonly #events: CacheEvents;
  readonly #guard: StoreGuard;
  readonly #flights: SingleFlight;
  readonly #hitForMiss: HitForMiss;
  readonly #queues: boolean;
  readonly #leases: FillLease;
  readonly #background = new BackgroundWork();
  readonly #storeTimeout: number;
  readonly #onFilled: ViewCacheOptions['onFilled'];
  /** One for all fills, as what is made for each of them is felt with each miss. */
  readonly #host: FillHost = {
    isCurrent: (start, tags) => this.#store.isCurrent(start, tags),
    save: (fill, entry, lease, variants) => this.#save(fill, entry, lease, variants),
    now: () => this.#clock.now(),
    elapsed: () => elapsed(this.#clock),
    skipped: (key, reason) => this.#onFilled?.(key, reason),
    release: (key, lease, uncacheableFor) => this.#leases.release(key, lease, uncacheableFor),
    notCacheable: (key, lease) => {
      this.#hitForMiss.add(key);
      if (lease !== undefined) this.#leases.release(key, lease, HIT_FOR_MISS_LIFE);
    },
  };
  #fills = 0;

  constructor({
    store,
    clock,
    events,
    storeTimeout,
    coalesceTimeout,
    maxWaiters = MAX_WAITERS,
    onStoreFailure = 'throw',
    trouble,
    onFilled,
  }: ViewCacheOptions) {
    this.#onFilled = onFilled;
    this.#store = store;
    this.#queues = onStoreFailure === 'queue' && store.replaysEvictions === true;
    this.#clock = clock;
    this.#events = events;
    this.#guard = new StoreGuard(clock, events, storeTimeout, trouble);
    this.#storeTimeout = storeTimeout;
    this.#hitForMiss = new HitForMiss(clock);
    this.#leases = new FillLease({
      store,
      guard: this.#guard,
      clock,
      timeout: coalesceTimeout,
      lookup: (key, spent) => this.lookup(key, spent),
      newest: (key, spent) => this.#lookupWithin(spent, () => store.newest?.(key) ?? store.lookup(key)),
      background: this.#background,
    });
    this.#flights = new SingleFlight({
      clock,
      timeout: coalesceTimeout,
      maxWaiters,
      isCurrent: (start, tags) => store.isCurrent(start, tags),
    });
  }

  /**
   * The entry that may answer by itself, or the position from which a fill may start. Where the store fails, what this process knows of the
   * sequence is at or behind the truth, so a fill that starts from it is dropped too often rather than too seldom.
   *
   * @param spent milliseconds that the same request has waited for the store already
   */
  lookup(key: string, spent = 0): MaybePromise<Entry | Missed> {
    const store = this.#store;
    if (spent > 0) return this.#lookupWithin(spent, () => store.lookup(key));
    let found: MaybePromise<Entry | StampPosition>;
    try {
      found = store.lookup(key);
    } catch (error) {
      return this.#lookupWithin(spent, () => {
        throw error;
      });
    }
    // Most are answered at once, and nothing has to be made for that.
    return isPromiseLike(found) ? this.#lookupWithin(spent, () => found) : this.#judge(found);
  }

  #lookupWithin(spent: number, ask: () => MaybePromise<Entry | StampPosition>): MaybePromise<Entry | Missed> {
    let askedAt: number | undefined;
    const found = this.#guard.tolerate(
      'lookup',
      ask,
      () => this.#unasked(askedAt ?? elapsed(this.#clock)),
      spent,
    );
    // An answer that comes at once is never a failure that came late.
    if (!isPromiseLike(found)) return this.#judge(found);
    askedAt = elapsed(this.#clock);
    return found.then((answer) => this.#judge(answer));
  }

  #judge(found: Entry | StampPosition): Entry | Missed {
    // Most are fresh until the store forgets them, and the clock need not be asked.
    if (!isEntry(found) || found.freshness === undefined || isFresh(found, this.#clock.now())) return found;
    return found.vary === undefined ? this.missedAt(found) : { ...this.#store.position, vary: found.vary };
  }

  /** For an entry that may not answer a request, though it is fresh: where a fill may start from. */
  missedAt(stale: Entry): Missed {
    return { ...this.#store.position, stale };
  }

  /** Whether nothing among `tags` was evicted after `start`, as far as this process knows. */
  isCurrent(start: StampPosition, tags: readonly string[]): boolean {
    return this.#store.isCurrent(start, tags);
  }

  /** Where a fill may start from, and what it may join, where the store could not be asked. */
  #unasked(askedAt: number): StampPosition {
    const { position, joinsUnasked } = this.#store;
    return joinsUnasked === undefined ? position : { ...position, joinsAfter: askedAt - joinsUnasked };
  }

  /** Whether a fill that others may join is under way. */
  isFilling(key: string): boolean {
    return this.#flights.find(key) !== undefined;
  }

  /**
   * For a request that missed: wait for the fill that is under way, or lead one.
   *
   * @param variantKeyOf for the one that waits, should there turn out to be variants. Without it none of them is its own
   */
  join(view: ViewKey, missed: Missed, tags: string[], variantKeyOf?: VariantKeyOf): Ticket {
    const start = startOf(missed);
    if (!this.#hitForMiss.has(view.key)) {
      const flight = this.#flights.find(view.key, start.joinsAfter);
      if (flight === undefined) return { role: 'fill', fill: this.#begin(view, start, tags, true) };
      if (flight !== 'full') return { role: 'wait', outcome: flight.wait(start, variantKeyOf) };
    }
    return { role: 'fill', fill: this.#begin(view, start, tags, false) };
  }

  /** For a request whose flight ended without a response for it: the first to come leads the next one. */
  rejoin(view: ViewKey, tags: string[], variantKeyOf?: VariantKeyOf): Ticket {
    return this.join(view, this.#store.position, tags, variantKeyOf);
  }

  /** A fill that nobody waits for and that waits for nobody; its result replaces what is stored. */
  alone(view: ViewKey, tags: string[]): FillTicket {
    return { role: 'fill', fill: this.#begin(view, this.#store.position, tags, false) };
  }

  /** A fill whose response is given to `take` rather than stored, and to nobody else. */
  recorded(view: ViewKey, tags: string[], take: (entry: Entry) => void): Fill {
    const start = this.#store.position;
    tags.push(view.key);
    return new Fill(view, start, 0, tags, undefined, {
      ...this.#host,
      save: (_fill, entry) => {
        take(entry);
        return false;
      },
      skipped: () => undefined,
      release: () => undefined,
      notCacheable: () => undefined,
    });
  }

  /**
   * For a fill that should be the only one among all instances: waits for its turn. Where another instance has filled
   * meanwhile, that entry is given to those who wait here, and no handler has to run. Where it turned out meanwhile that
   * there are variants of the key, `fill.variedBy` says by what, and no turn was waited for.
   *
   * @param known what is to be renewed before it is stale
   */
  async claim(fill: Fill, spent = 0, known?: Entry): Promise<Entry | undefined> {
    const { key } = fill.view;
    const claim = await this.#leases.claim(key, spent, known);
    if (claim === 'without') return undefined;
    if ('token' in claim) {
      if (fill.ended) this.#leases.release(key, claim.token);
      else fill.lease = claim.token;
      return undefined;
    }
    if ('variedBy' in claim) {
      fill.variedBy = claim.variedBy;
      return undefined;
    }
    fill.take(claim);
    return claim;
  }

  /**
   * Ends everything that carries one of `tags`, fills in flight included. Rejects with `CacheStoreError`, unless the
   * store does it again until it succeeds and that was asked for.
   *
   * @param soft makes it stale instead; a store that has no such thing ends it
   */
  evict(tags: readonly string[], soft = false): MaybePromise<Eviction> {
    const since = this.#events.active ? elapsed(this.#clock) : undefined;
    const isSoft = soft && this.#store.softens === true;
    const tell = (position: StampPosition, acknowledged: boolean): Eviction => {
      if (since !== undefined)
        this.#events.emit({
          type: 'evicted',
          at: this.#clock.now(),
          cause: 'tags',
          tags: tags.length,
          soft: isSoft,
          acknowledged,
          evictMs: elapsed(this.#clock) - since,
        });
      return { position, acknowledged };
    };
    const evicting = this.#guard.insist('evict', () => this.#store.evict(isSoft ? tags.map(softTag) : tags));
    if (!isPromiseLike(evicting)) return tell(evicting, true);
    return evicting.then(
      (position) => tell(position, true),
      (error: unknown) => {
        if (!this.#queues) throw error;
        const { position } = this.#store;
        return tell(position.shared ?? position, false);
      },
    );
  }

  /** Once no request comes any more: what they left to be stored is stored, and the store is closed. */
  async close(): Promise<void> {
    // One operation to store, and one to give a lease back.
    await this.#background.done(2 * this.#storeTimeout);
    this.#leases.close();
    await this.#store.close?.();
  }

  #begin(view: ViewKey, start: StampPosition, tags: string[], leads: boolean): Fill {
    tags.push(view.key);
    if (view.primary !== undefined) tags.push(view.primary);
    const flight = leads ? this.#flights.lead(view.key, start, tags) : undefined;
    return new Fill(view, start, ++this.#fills, tags, flight, this.#host);
  }

  #save(
    { view, trace = this.#events.begin(view.route), isRenewal }: Fill,
    entry: Entry,
    lease: string | undefined,
    variants: Entry | undefined,
  ): MaybePromise<boolean> {
    const since = trace?.elapsed() ?? 0;
    this.#hitForMiss.delete(view.key);
    const found = variants === undefined ? true : this.#set(variants);
    const kept = this.#set(entry);
    const told = chain(isPromiseLike(found) ? found.then(() => kept) : kept, (isKept) => {
      // Not before: whoever has the lease next looks for the entry.
      if (lease !== undefined) this.#leases.release(view.key, lease);
      if (isKept) trace?.stored(entry, since, isRenewal);
      if (isKept) this.#onFilled?.(entry.key, 'stored');
      return isKept;
    });
    this.#background.add(told);
    return told;
  }

  /** Off the response path: nobody waits for this, and its failure is an event. */
  #set(entry: Entry): MaybePromise<boolean> {
    return this.#guard.tolerate(
      'set',
      () => this.#store.set(entry),
      () => false,
    );
  }
}

/** Without the entry: what is kept of a fill must not keep all that was stored before it. */
function startOf(missed: Missed): StampPosition {
  if (missed.stale === undefined && missed.vary === undefined) return missed;
  const { epoch, n, shared, joinsAfter } = missed;
  return { epoch, n, ...(shared && { shared }), ...(joinsAfter !== undefined && { joinsAfter }) };
}

import type { Clock } from '../cache/clock.js';
import { encodeEntry } from '../cache/entry-codec.js';
import { type Entry, isEntry, isFresh } from '../cache/entry.js';
import type { EntryFacts } from '../cache/entry-facts.js';
import type { StampPosition } from '../cache/stamps.js';
import type { KeyDigest } from './digest.js';
import type { MemoryStore } from './memory.store.js';
import { lateValues } from './late-values.js';
import { prefixedItems } from './prefixed-items.js';
import { RecentFills } from './recent-fills.js';
import { SharedReads } from './shared-reads.js';
import { SharedSequence } from './shared-sequence.js';
import type { ItemStorage, Lease, SharedTier, ValueStorage } from './shared-tier.js';
import type { CacheStore } from './store.js';
import type { TierObserver } from './tier-observer.js';

/**
 * What a hit in process relies on. `bus`: on what was heard from others, so after an eviction elsewhere it may be
 * served for as long as a message takes, and for `heartbeat + storeTimeout` if that message was lost. `strict`: on a
 * question to the shared store for each hit.
 */
export type Coherence = 'bus' | 'strict';

export interface TieredStoreOptions {
  readonly tier: SharedTier;
  /** The tier in process. One without room for anything still knows what was evicted. */
  readonly local: MemoryStore;
  readonly clock: Clock;
  readonly namespace: string;
  readonly coherence: Coherence;
  /** Milliseconds between two looks at where the shared sequence stands. */
  readonly heartbeat: number;
  /** Milliseconds after which an operation of the tier has failed. */
  readonly timeout: number;
  /** The longest life of this application's entries, in milliseconds: asked when it is needed. */
  readonly longestLife: () => number;
  /** The largest body that any route stores, in bytes: asked for each frame, as routes are found after the store. */
  readonly maxEntryBytes: () => number;
  /** What keys go by in the tier. */
  readonly digest?: KeyDigest | undefined;
  /** A tag that every entry carries. */
  readonly everything: string;
  readonly onError: (operation: string, error: unknown) => void;
  /** Others evicted these. */
  readonly onHeard?: (tags: readonly string[]) => void;
  /** The tier turned out not to guarantee something. */
  readonly onCaveat: (caveat: string) => void;
  readonly observer?: TierObserver;
}

/**
 * A tier in process in front of one that is shared: hits at the speed of the first, for all who share the second.
 *
 * Two sequences of evictions meet here. The local one rules this process: entries in memory and fills in flight. It
 * hears of an eviction before the network does. The shared one rules what lies in the shared tier: this process keeps
 * a copy of it, compares it with the original on every question, and reads what it missed before it trusts anything.
 */
export class TieredStore implements CacheStore {
  readonly name: string;
  readonly replaysEvictions = true;
  readonly softens = true;
  readonly renew?: (key: string, token: string, life: number) => Promise<void>;
  readonly #options: TieredStoreOptions;
  readonly #local: MemoryStore;
  readonly #tier: SharedTier;
  readonly #clock: Clock;
  readonly #shared: SharedSequence;
  readonly #unkept: RecentFills;
  readonly #reads: SharedReads;
  #position: StampPosition;
  /** There was an `open` or a `close`. */
  #isBegun = false;
  #openBreakers = 0;
  /** Of entries that were stored or found here, in milliseconds. */
  #longestSeen = 0;

  constructor(options: TieredStoreOptions) {
    const { tier, local, clock } = options;
    this.name = tier.name;
    this.#options = options;
    if (tier.renew !== undefined) this.renew = tier.renew.bind(tier);
    this.#local = local;
    this.#tier = tier;
    this.#clock = clock;
    this.#position = local.position;
    this.#unkept = new RecentFills(local, clock);
    this.#shared = new SharedSequence({
      tier,
      clock,
      heartbeat: options.heartbeat,
      timeout: options.timeout,
      everything: options.everything,
      onEvicted: (tags, isFirst) => {
        // The first answer ends what was stored before it: where that is nothing, nobody evicted anything.
        const isNews = !isFirst || local.entries > 0;
        local.evict(tags);
        if (isNews) options.onHeard?.(tags);
      },
      onError: options.onError,
      observer: options.observer,
    });
    this.#reads = new SharedReads({
      tier,
      local,
      clock,
      shared: this.#shared,
      maxEntryBytes: options.maxEntryBytes,
      position: () => this.position,
      onFound: (entry) => this.#expectLife(entry),
    });
  }

  /**
   * Begins to connect. Once, by the application as it starts, or by whoever needs the tier before that: an application
   * that fails to be built has nobody who could close what was opened for it.
   */
  open(): void {
    if (this.#isBegun) return;
    const options = this.#options;
    this.#tier.open({
      namespace: options.namespace,
      clock: options.clock,
      timeout: options.timeout,
      digest: options.digest,
      longestLife: () => Math.max(options.longestLife(), this.#longestSeen),
      onEviction: (position, tags) => this.#shared.hear(position, tags),
      onHearing: (hears) => this.#shared.setHearing(hears),
      onReachable: () => this.#shared.catchUp(),
      onError: options.onError,
      onBreaker: (state) => {
        this.#openBreakers += state === 'open' ? 1 : -1;
        options.observer?.breaker(state, this.#openBreakers);
      },
      onCaveat: options.onCaveat,
    });
    this.#isBegun = true;
    this.#shared.start();
  }

  /** The local position, with the shared one as far as it is known: what a fill that starts now starts from. */
  get position(): StampPosition {
    const { position: local } = this.#local;
    const { position: shared } = this.#shared;
    const known = this.#position;
    if (known.n !== local.n || known.epoch !== local.epoch || known.shared !== shared)
      this.#position = shared === undefined ? local : { ...local, shared };
    return this.#position;
  }

  /** No longer than what others evict may go unnoticed. */
  get joinsUnasked(): number {
    const { coherence, heartbeat, timeout } = this.#options;
    return coherence === 'strict' ? 0 : heartbeat + timeout;
  }

  /** Plain values, which are in the shared tier only: they are overwritten, and nobody would hear of that. */
  get values(): ValueStorage {
    return lateValues(() => {
      this.open();
      return this.#tier.values;
    });
  }

  /** What `CacheValues` keeps. Whoever asks for it needs it: it is opened. */
  get items(): ItemStorage {
    this.open();
    return this.#tier.items ?? prefixedItems(this.#tier.values);
  }

  /** Whether nothing among `tags` was evicted after `start`, a place in the shared sequence, by anybody. */
  async isCurrentEverywhere(start: StampPosition, tags: readonly string[]): Promise<boolean> {
    this.open();
    const asked = this.#shared.ask();
    await this.#shared.reach(await this.#tier.position(), asked);
    if (!this.#shared.covers(start)) await this.#shared.synchronize();
    return this.#shared.isCurrent(start, tags);
  }

  lookup(key: string): Entry | Promise<Entry | StampPosition> {
    const found = this.#local.lookup(key);
    // One that is only kept to be served stale: another instance may have filled the key since.
    if (!isEntry(found) || !(isFresh(found, this.#clock.now()) || found.vary !== undefined))
      return this.#read(key);
    return this.#options.coherence === 'bus' && this.#shared.isProven ? found : this.#verify(key);
  }

  newest(key: string): Promise<Entry | StampPosition> {
    return this.#read(key, true);
  }

  set(entry: Entry): boolean | Promise<boolean> {
    const kept = this.#local.set(entry);
    const { shared } = entry.start;
    const life = entry.expiresAt - this.#clock.now();
    if (life <= 0 || shared === undefined || !this.#shared.isCurrent(shared, entry.tags)) return kept;
    if (!kept && !this.#unkept.isNewest(entry)) return false;
    const frame = encodeEntry(entry, shared);
    if (frame === undefined) return kept;
    this.#expectLife(entry);
    this.open();
    return this.#tier.set(entry.key, frame, life).then(() => true);
  }

  /**
   * Here at once; resolves when the shared tier has acknowledged it. Until then nothing that carries one of `tags` is
   * taken from there. Where that fails it is done again, until it succeeds.
   */
  evict(tags: readonly string[]): Promise<StampPosition> {
    this.#local.evict(tags);
    this.open();
    return this.#shared.evict(tags);
  }

  isCurrent(start: StampPosition, tags: Iterable<string>): boolean {
    return this.#local.isCurrent(start, tags);
  }

  stampOf(tag: string): number | undefined {
    return this.#local.stampOf(tag);
  }

  peek(key: string): EntryFacts | undefined {
    return this.#local.peek(key);
  }

  each(visit: (entry: EntryFacts) => boolean): void {
    this.#local.each(visit);
  }

  /** What is held in process. */
  get local(): MemoryStore {
    return this.#local;
  }

  async lease(key: string, token: string, life: number): Promise<Lease> {
    return (await this.#tier.lease?.(key, token, life)) ?? 'ours';
  }

  async release(key: string, token: string, uncacheableFor?: number): Promise<void> {
    await this.#tier.release?.(key, token, uncacheableFor);
  }

  async ping(): Promise<void> {
    await this.#tier.position();
  }

  async close(): Promise<void> {
    const isOpen = this.#isBegun;
    this.#isBegun = true;
    this.#local.close();
    if (!isOpen) return;
    await this.#shared.close();
    await this.#tier.close();
  }

  async #verify(key: string): Promise<Entry | StampPosition> {
    const asked = this.#shared.ask();
    await this.#shared.reach(await this.#tier.position(), asked);
    const found = this.#local.lookup(key);
    return isEntry(found) ? found : this.#read(key);
  }

  #read(key: string, replaces = false): Promise<Entry | StampPosition> {
    this.open();
    return this.#reads.read(key, replaces);
  }

  #expectLife({ expiresAt, storedAt }: Entry): void {
    this.#longestSeen = Math.max(this.#longestSeen, expiresAt - storedAt);
  }
}

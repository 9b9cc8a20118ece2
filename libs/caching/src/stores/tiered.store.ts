import type { Clock } from '../cache/clock.js';
import { decodeEntry, encodeEntry } from '../cache/entry-codec.js';
import { type Entry, isEntry } from '../cache/entry.js';
import { SharedLog } from '../cache/shared-log.js';
import type { StampPosition } from '../cache/stamps.js';
import type { MemoryStore } from './memory.store.js';
import { RecentFills } from './recent-fills.js';
import type { Lease, SharedTier } from './shared-tier.js';
import type { CacheStore } from './store.js';

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
  readonly longestLife: number;
  /** The largest body that any route stores, in bytes: asked for each frame, as routes are found after the store. */
  readonly maxEntryBytes: () => number;
  /** A tag that every entry carries. */
  readonly everything: string;
  readonly onError: (operation: string, error: unknown) => void;
}

/** A question to the shared tier: when it was sent, and what was known then. */
interface Asked {
  readonly at: number;
  readonly known: StampPosition | undefined;
}

/** Tags of evictions that wait to be replayed; with more, everything is evicted instead. */
const MAX_QUEUED_TAGS = 10_000;

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
  readonly #options: TieredStoreOptions;
  readonly #local: MemoryStore;
  readonly #tier: SharedTier;
  readonly #clock: Clock;
  readonly #shared: SharedLog;
  readonly #queued = new Set<string>();
  readonly #unkept = new RecentFills();
  #replaying = false;
  #position: StampPosition;
  #syncing: Promise<void> | undefined;
  #hears = false;
  /** When it was last known that nothing was missed: a question that was asked then was answered so. */
  #provenAt = Number.NEGATIVE_INFINITY;
  #cancelHeartbeat: (() => void) | undefined;
  #closed = false;

  constructor(options: TieredStoreOptions) {
    const { tier, local, clock } = options;
    this.name = tier.name;
    this.#options = options;
    this.#local = local;
    this.#tier = tier;
    this.#clock = clock;
    this.#shared = new SharedLog(clock);
    this.#position = local.position;
    tier.open({
      namespace: options.namespace,
      clock,
      timeout: options.timeout,
      longestLife: options.longestLife,
      onEviction: (position, tags) => this.#hear(position, tags),
      onHearing: (hears) => this.#setHearing(hears),
      onReachable: () => this.#inBackground('sync', () => this.#replayAndSynchronize()),
      onError: options.onError,
    });
    this.#beat();
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
  get values(): SharedTier['values'] {
    return this.#tier.values;
  }

  lookup(key: string): Entry | Promise<Entry | StampPosition> {
    const found = this.#local.lookup(key);
    if (!isEntry(found)) return this.#ask(key);
    return this.#isProven() ? found : this.#verify(key);
  }

  set(entry: Entry): boolean | Promise<boolean> {
    const kept = this.#local.set(entry);
    const { shared } = entry.start;
    const life = entry.expiresAt - this.#clock.now();
    if (life <= 0 || shared === undefined || !this.#shared.isCurrent(shared, entry.tags)) return kept;
    if (!kept && !this.#isNewest(entry)) return false;
    const frame = encodeEntry(entry, shared);
    if (frame === undefined) return kept;
    return this.#tier.set(entry.key, frame, life).then(() => true);
  }

  async delete(key: string): Promise<void> {
    this.#local.delete(key);
    this.#unkept.forget(key);
    await this.#tier.delete(key);
  }

  /**
   * Here at once; resolves when the shared tier has acknowledged it. Until then nothing that carries one of `tags` is
   * taken from there. Where that fails it is done again, until it succeeds.
   */
  async evict(tags: readonly string[]): Promise<StampPosition> {
    this.#local.evict(tags);
    this.#shared.hold(tags);
    try {
      const position = await this.#tier.evict(tags, this.#shared.position);
      this.#acknowledge(position, tags);
      return position;
    } catch (error) {
      this.#queue(tags);
      throw error;
    }
  }

  isCurrent(start: StampPosition, tags: Iterable<string>): boolean {
    return this.#local.isCurrent(start, tags);
  }

  async lease(key: string, token: string, life: number): Promise<Lease> {
    return (await this.#tier.lease?.(key, token, life)) ?? 'ours';
  }

  async release(key: string, token: string, uncacheableFor?: number): Promise<void> {
    await this.#tier.release?.(key, token, uncacheableFor);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelHeartbeat?.();
    this.#local.close();
    await this.#tier.close();
  }

  /** Whether a hit in process may be served without a question. */
  #isProven(): boolean {
    const { coherence, heartbeat, timeout } = this.#options;
    if (coherence === 'strict' || !this.#hears) return false;
    const age = this.#clock.now() - this.#provenAt;
    // Below zero the clock was set back: since when is not known.
    return age >= 0 && age <= heartbeat + timeout;
  }

  async #verify(key: string): Promise<Entry | StampPosition> {
    const before = this.#question();
    await this.#reach(await this.#tier.position(), before);
    const found = this.#local.lookup(key);
    return isEntry(found) ? found : this.#ask(key);
  }

  async #ask(key: string): Promise<Entry | StampPosition> {
    const before = this.#question();
    const { position, frame } = await this.#tier.lookup(key);
    await this.#reach(position, before);
    if (frame === undefined) return this.position;
    const now = this.#clock.now();
    const entry = decodeEntry(frame, { key, now, maxBodyBytes: this.#options.maxEntryBytes() });
    if (typeof entry === 'string') return this.position;
    // Filled by another instance after an eviction that this one has not heard of.
    if (!this.#shared.covers(entry.start)) await this.#synchronize();
    if (!this.#shared.isCurrent(entry.start, entry.tags)) return this.position;
    const taken = { ...entry, start: this.position };
    // In memory of its own: the frame is a part of what came from the socket, all of which it would keep alive.
    const { body } = entry.response;
    this.#local.set(
      body === undefined ? taken : { ...taken, response: { ...entry.response, body: copyOf(body) } },
    );
    return taken;
  }

  #question(): Asked {
    return { at: this.#clock.now(), known: this.#shared.position };
  }

  /** Makes sure that everything up to `position` is known here, which is the answer to a question that was `asked`. */
  async #reach(position: StampPosition | undefined, asked: Asked): Promise<void> {
    if (!this.#isKnown(position, asked)) {
      await this.#synchronize();
      // One that was under way may have been answered before the position was read.
      if (position !== undefined && !this.#isKnown(position, asked)) await this.#synchronize();
      return;
    }
    if (asked.at > this.#provenAt) this.#provenAt = asked.at;
  }

  #isKnown(position: StampPosition | undefined, { known }: Asked): boolean {
    if (position === undefined || !this.#shared.covers(position)) return false;
    // Behind what was known before the question, it was rolled back: what it counts now are other evictions.
    return known === undefined || known.epoch !== position.epoch || known.n <= position.n;
  }

  /** Whether no later fill is stored, of one that memory did not keep. */
  #isNewest(entry: Entry): boolean {
    const present = this.#local.lookup(entry.key);
    if (isEntry(present) && present.order > entry.order) return false;
    const now = this.#clock.now();
    return this.#unkept.isNewest(
      entry,
      ({ start, tags, expiresAt }) => expiresAt > now && this.#local.isCurrent(start, tags),
    );
  }

  #synchronize(): Promise<void> {
    this.#syncing ??= this.#catchUp().finally(() => (this.#syncing = undefined));
    return this.#syncing;
  }

  async #catchUp(): Promise<void> {
    const askedAt = this.#clock.now();
    const delta = await this.#tier.sync(this.#shared.position);
    const missed = this.#shared.catchUp(delta);
    if (missed === 'everything') this.#local.evict([this.#options.everything]);
    else if (missed.length > 0) this.#local.evict(missed);
    this.#provenAt = askedAt;
  }

  #hear(position: StampPosition, tags: readonly string[] | undefined): void {
    const heard = this.#shared.hear(position, tags);
    if (heard === 'next' && tags !== undefined) this.#local.evict(tags);
    else if (heard === 'gap') this.#inBackground('sync', () => this.#synchronize());
  }

  #setHearing(hears: boolean): void {
    this.#hears = hears;
    // What was said before is heard by nobody: it is asked for before anything is trusted.
    this.#provenAt = Number.NEGATIVE_INFINITY;
    if (hears) this.#inBackground('sync', () => this.#replayAndSynchronize());
  }

  /** The last message has no successor that would show a gap: somebody has to ask. */
  #beat(): void {
    this.#cancelHeartbeat = this.#clock.after(this.#options.heartbeat, () => {
      if (this.#closed) return;
      this.#inBackground('sync', () => this.#replayAndSynchronize());
      this.#beat();
    });
  }

  async #replayAndSynchronize(): Promise<void> {
    try {
      await this.#replay();
    } finally {
      // Whatever keeps an eviction from being acknowledged: what others have evicted is to be known all the same.
      await this.#synchronize();
    }
  }

  #queue(tags: readonly string[]): void {
    const { everything } = this.#options;
    for (const tag of tags) {
      if (this.#queued.has(tag)) this.#shared.release([tag]);
      else this.#queued.add(tag);
    }
    if (this.#queued.size <= MAX_QUEUED_TAGS || this.#queued.has(everything)) return;
    this.#shared.hold([everything]);
    this.#shared.release([...this.#queued]);
    this.#queued.clear();
    this.#queued.add(everything);
  }

  /** Does again what could not be acknowledged. One that was, its answer lost, evicts once more: that only misses. */
  async #replay(): Promise<void> {
    if (this.#queued.size === 0 || this.#replaying) return;
    const tags = [...this.#queued];
    this.#queued.clear();
    this.#replaying = true;
    try {
      this.#acknowledge(await this.#tier.evict(tags, this.#shared.position), tags);
    } catch (error) {
      this.#queue(tags);
      throw error;
    } finally {
      this.#replaying = false;
    }
  }

  #acknowledge(position: StampPosition, tags: readonly string[]): void {
    const heard = this.#shared.acknowledge(position, tags);
    if (heard === 'gap') this.#inBackground('sync', () => this.#synchronize());
  }

  #inBackground(operation: string, task: () => Promise<void>): void {
    void task().catch((error: unknown) => {
      if (!this.#closed) this.#options.onError(operation, error);
    });
  }
}

function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}

import type { Clock } from '../cache/clock.js';
import { decodeEntry } from '../cache/entry-codec.js';
import { type Entry, isEntry, isFresh, softened } from '../cache/entry.js';
import { KnownHeads } from '../cache/known-heads.js';
import type { StampPosition } from '../cache/stamps.js';
import type { MemoryStore } from './memory.store.js';
import { ownBytes } from './own-bytes.js';
import type { SharedSequence } from './shared-sequence.js';
import type { SharedTier } from './shared-tier.js';

export interface SharedReadsHost {
  readonly tier: SharedTier;
  /** Where what was read is kept for the next time. */
  readonly local: MemoryStore;
  readonly shared: SharedSequence;
  readonly clock: Clock;
  /** The largest body that is taken, in bytes. */
  readonly maxEntryBytes: () => number;
  /** What a fill that starts now starts from. */
  readonly position: () => StampPosition;
  /** Told of each entry that was found: stamps are kept for as long as one may live. */
  readonly onFound: (entry: Entry) => void;
}

/**
 * Look-ups that memory could not answer. What the tier holds is taken once everything is known that was evicted before
 * the tier was asked, and nothing of that ends it.
 */
export class SharedReads {
  /** Of entries that memory has no room for. */
  readonly #heads = new KnownHeads();

  constructor(private readonly host: SharedReadsHost) {}

  /** @param replaces whether it takes the place in memory of what is older there, and fresh */
  async read(key: string, replaces = false): Promise<Entry | StampPosition> {
    const { tier, shared, clock, local, maxEntryBytes, position: here, onFound } = this.host;
    const asked = shared.ask();
    const { position, frame } = await tier.lookup(key);
    const reaching = shared.reach(position, asked);
    // Each hit comes this way: a turn more would be felt.
    if (reaching !== undefined) await reaching;
    if (frame === undefined) return this.#kept(key);
    const now = clock.now();
    const heads = frame.length > local.largestBody ? this.#heads : undefined;
    const entry = decodeEntry(frame, { key, now, maxBodyBytes: maxEntryBytes() }, heads);
    if (typeof entry === 'string') return this.#kept(key);
    // Filled by another instance after an eviction that this one has not heard of.
    if (!shared.covers(entry.start)) await shared.synchronize();
    if (!shared.isCurrent(entry.start, entry.tags)) return here();
    onFound(entry);
    const at = shared.softenedAt(entry.start, entry.tags);
    // Just made, and nobody else's: what it is here is written into it rather than into another copy.
    const taken: { -readonly [P in keyof Entry]: Entry[P] } = entry;
    if (at !== undefined) taken.freshness = softened(entry, at);
    else if (isFresh(entry, now))
      taken.order = this.#orderOfOlder(key, replaces ? entry.storedAt : undefined, now);
    taken.start = here();
    taken.tier = 'shared';
    this.#keep(taken);
    return taken;
  }

  /** Where the tier has nothing: what is kept here to be served stale, now that evictions are known. */
  #kept(key: string): Entry | StampPosition {
    const found = this.host.local.lookup(key);
    return isEntry(found) ? found : this.host.position();
  }

  /**
   * The place of what is kept here though it is stale, or from before `since`, which what others have filled since is to
   * take; 0, before all fills of this process, where there is nothing or something else.
   */
  #orderOfOlder(key: string, since: number | undefined, now: number): number {
    const present = this.host.local.lookup(key);
    if (!isEntry(present) || present.vary !== undefined) return 0;
    const isOlder = since !== undefined && present.storedAt < since;
    return isOlder || !isFresh(present, now) ? present.order : 0;
  }

  /** In memory of its own: the frame is a part of what came from the socket, all of which it would keep alive. */
  #keep(taken: Entry): void {
    const { local } = this.host;
    const { response } = taken;
    const { body, heldBytes } = response;
    if (body === undefined || heldBytes !== undefined || local.copies(response)) local.set(taken);
    // A copy that memory would refuse costs more than the rest of the look-up.
    else if (body.length <= local.largestBody)
      local.set({ ...taken, response: { ...response, body: ownBytes(body) } });
  }
}

import type { Entry } from '../cache/entry.js';
import type { EntryFacts } from '../cache/entry-facts.js';
import type { MaybePromise } from '../cache/maybe-promise.js';
import type { StampPosition } from '../cache/stamps.js';
import type { Lease } from './shared-tier.js';

/**
 * Where entries and eviction stamps live. A store in process answers at once, any other with promises.
 *
 * A store may fail or be slow: the engine turns that into a miss and an event. It must not return an entry that
 * was evicted, expired, or stored under another key.
 */
export interface CacheStore {
  /** Shown in events and errors. */
  readonly name: string;
  /** The largest body that it has room for, in bytes; a larger one is not offered to it. Default: any. */
  readonly largestBody?: number;
  /**
   * The current entry of `key`, or, where there is none, the position of the eviction sequence from which a
   * fill may start. One question, as a fill's start must be known before its handler runs.
   */
  lookup(key: string): MaybePromise<Entry | StampPosition>;
  /**
   * As `lookup`, but what others have stored since counts more than what this process holds, fresh as that may be.
   * Default: `lookup`, as for a store in which there is one of each.
   */
  newest?(key: string): MaybePromise<Entry | StampPosition>;
  /**
   * Stores an entry until it expires, unless what is there came from a later fill or the entry was evicted. Tells
   * whether it did.
   */
  set(entry: Entry): MaybePromise<boolean>;
  /**
   * Removes one entry; nothing happens where there is none. For plain values (`CACHE_MANAGER`), which are evicted by a
   * tag of their own where a store can't; views are never removed one by one.
   */
  delete?(key: string): MaybePromise<void>;
  /** Evicts, atomically, all entries and fills in flight that carry one of `tags`. */
  evict(tags: readonly string[]): MaybePromise<StampPosition>;
  /**
   * Evicting `~tag` makes what carries `tag` stale: `lookup` gives it with a `freshness` that was over at that moment.
   * Default: false, it is evicted instead.
   */
  readonly softens?: boolean;
  /** Whether nothing among `tags` was evicted after `start`, as far as this process knows. Never waits. */
  isCurrent(start: StampPosition, tags: Iterable<string>): boolean;
  /** Where the sequence stands, as far as this process knows. Never waits. */
  readonly position: StampPosition;
  /** When in the sequence a tag was last evicted, as far as this process knows; for explanations. */
  stampOf?(tag: string): number | undefined;
  /** What is known of the current entry of a key in this process, as if nobody had looked; for explanations. */
  peek?(key: string): EntryFacts | undefined;
  /** Calls `visit` with the entries in this process, newest last, until it returns false; for explanations. */
  each?(visit: (entry: EntryFacts) => boolean): void;
  /**
   * An eviction that failed was applied in this process all the same and is done again until it succeeds. Default:
   * false, it is the caller's to repeat.
   */
  readonly replaysEvictions?: boolean;
  /**
   * How old, in milliseconds, a fill may be for a request to join it whose look-up failed: what others evicted since is
   * not known here then. Default: any age, as for a store that only this process evicts from.
   */
  readonly joinsUnasked?: number;
  /** Asks for the right to fill `key` for all instances, for `life` milliseconds at the most. */
  lease?(key: string, token: string, life: number): MaybePromise<Lease>;
  /** Whoever holds the right keeps it for another `life` milliseconds. Default: it is asked for as long as a fill may take. */
  renew?(key: string, token: string, life: number): MaybePromise<void>;
  /** Gives it back, or says for `uncacheableFor` milliseconds that the response of `key` can't be shared. */
  release?(key: string, token: string, uncacheableFor?: number): MaybePromise<void>;
  /** Resolves when the store has answered. Default: it always does. */
  ping?(): MaybePromise<void>;
  /** Called once, when the application shuts down. */
  close?(): MaybePromise<void>;
}

import type { Clock } from '../cache/clock.js';
import type { StampDelta } from '../cache/shared-log.js';
import type { StampPosition } from '../cache/stamps.js';
import type { KeyDigest } from './digest.js';

export type { StampDelta };

/** What one question to the shared tier answers. */
export interface SharedLookup {
  /** Where the sequence stood before the frame was read; nothing where that can't be told. */
  readonly position: StampPosition | undefined;
  /** The bytes that are stored under the key. They may be anybody's: whoever reads them has to check them. */
  readonly frame: Buffer | undefined;
}

/** Who was given the right to fill a key: the asker, somebody else, or nobody as its response can't be shared. */
export type Lease = 'ours' | 'theirs' | 'uncacheable';

/** What a tier is opened with. */
export interface SharedTierHost {
  readonly namespace: string;
  readonly clock: Clock;
  /** Milliseconds after which an operation has failed. */
  readonly timeout: number;
  /** What keys go by in the store. Default: their SHA-256, in base64url. */
  readonly digest?: KeyDigest | undefined;
  /** The longest time that an entry of this application lives, as known now, in milliseconds: stamps are kept for longer. */
  longestLife(): number;
  /** Somebody evicted: `tags` at `position`. Without `tags`, what it was has to be asked (`sync`). */
  onEviction(position: StampPosition, tags: readonly string[] | undefined): void;
  /** Whether evictions by others are heard of now. Called for each change. */
  onHearing(hears: boolean): void;
  /** The store can be asked again, after it could not. */
  onReachable(): void;
  /** Something failed that no caller waits for. */
  onError(operation: string, error: unknown): void;
  /**
   * A circuit breaker has opened, so that operations fail at once, or closed again. A tier has as many as it has
   * servers; whoever doesn't listen to this may leave it out.
   */
  onBreaker?(state: 'open' | 'closed'): void;
  /** The store turned out not to guarantee something. Said once for each `open`, for a person to read. */
  onCaveat(caveat: string): void;
}

/**
 * A store that several processes, or several lives of one, have in common: bytes with an expiry, and the sequence of
 * evictions. It decides nothing: whether an entry is current is decided by those who read it, from the sequence.
 *
 * Every operation may fail, at any time, with any error.
 */
export interface SharedTier {
  /** Shown in events and errors. */
  readonly name: string;
  /** What the store can't guarantee, said once when the application starts. */
  readonly caveat?: string;
  /** Begins to connect. Never waits, never throws. */
  open(host: SharedTierHost): void;
  /** The bytes under `key`, and where the sequence stands: one round trip where the store can. */
  lookup(key: string): Promise<SharedLookup>;
  /** Where the sequence stands. */
  position(): Promise<StampPosition | undefined>;
  /** What happened since `known`, or everything that is known where it is another epoch or nothing. */
  sync(known: StampPosition | undefined): Promise<StampDelta>;
  /** Stores bytes for `life` milliseconds. */
  set(key: string, frame: Buffer, life: number): Promise<void>;
  /**
   * Evicts, atomically, all that carries one of `tags`. Resolves once that can't be lost any more. `known` is where the
   * asker has seen the sequence: one that is behind it was rolled back, and another epoch begins. A tier with `confirm`
   * may reject with an `UnconfirmedEvictionError`.
   */
  evict(tags: readonly string[], known?: StampPosition): Promise<StampPosition>;
  /** Resolves once everything that was executed up to `position` can't be lost any more; else rejects like `evict`. */
  confirm?(position: StampPosition): Promise<void>;
  /** Asks for the right to fill `key`, for `life` milliseconds at the most. `token` names the asker. */
  lease?(key: string, token: string, life: number): Promise<Lease>;
  /** Keeps the right for another `life` milliseconds, where `token` holds it still. */
  renew?(key: string, token: string, life: number): Promise<void>;
  /** Gives the right back, or says for `life` milliseconds that the response of `key` can't be shared. */
  release?(key: string, token: string, uncacheableFor?: number): Promise<void>;
  /** Plain values, for `CACHE_MANAGER`. */
  readonly values: ValueStorage;
  /** The same for `CacheValues`, apart from those. Default: they lie among `values`. */
  readonly items?: ItemStorage;
  /** Ends what `open` began. Rejects nothing. */
  close(): Promise<void>;
}

/** Whether it is a tier to put memory in front of, rather than a store that is complete by itself. */
export function isSharedTier(store: object): store is SharedTier {
  const { open, sync } = store as Partial<SharedTier>;
  return typeof open === 'function' && typeof sync === 'function';
}

/** Text values with an expiry, apart from entries. */
export interface ValueStorage {
  get(key: string): Promise<string | undefined>;
  /** `life` in milliseconds. */
  set(key: string, value: string, life: number): Promise<void>;
  /** Tells whether there was one. */
  delete(key: string): Promise<boolean>;
  has(key: string): Promise<boolean>;
  /** Removes all values of this namespace, and nothing else. */
  clear(): Promise<void>;
}

/** What more `CacheValues` asks of a store, where it can: what can't is done under a lock of this process. */
export interface ItemStorage extends ValueStorage {
  /** Where `clear` is an eviction: the tag that each value has to carry. */
  readonly clearedBy?: string;
  /** Stores a value where none is, or, atomically in its place, where `seen` still is. Tells whether it did. */
  add?(key: string, value: string, life: number, seen?: string): Promise<boolean>;
  /**
   * Adds to the whole number that is there as decimal text, or to 0 that then lives for `life` milliseconds. Nothing
   * where something else is there; `NaN` where no safe integer would come of it, and it is left as it is.
   */
  increment?(key: string, by: number, life: number): Promise<number | undefined>;
}

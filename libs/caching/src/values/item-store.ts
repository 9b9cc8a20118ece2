import type { Clock } from '../cache/clock.js';
import { type Entry, isFresh } from '../cache/entry.js';
import type { HeldValue } from '../cache/held-value.js';
import type { MaybePromise } from '../cache/maybe-promise.js';
import { EvictionLog, type StampPosition } from '../cache/stamps.js';
import type { ItemStorage } from '../stores/shared-tier.js';
import type { CacheStore } from '../stores/store.js';
import { decodeItem, encodeItem } from './item-text.js';

/** What every value is ended by; carried in memory, and written where a store clears by it. */
export const ALL_ITEMS = '*items';

export interface ItemStoreOptions {
  /** The texts. */
  readonly storage: ItemStorage;
  /** The store of the views, whose sequence of evictions counts for values, too. */
  readonly views: CacheStore & {
    /** In a sequence that is shared: whether nothing among `tags` was evicted after `start`, by anybody. */
    isCurrentEverywhere?(start: StampPosition, tags: readonly string[]): Promise<boolean>;
  };
  readonly clock: Clock;
  /** What stands before the key of each entry. */
  readonly prefix: string;
  readonly maxBytes: number;
}

/** What was found of a value: itself, if it counts, and the text that is there in any case. */
export interface FoundItem {
  readonly entry: Entry | undefined;
  readonly text: string | undefined;
}

/**
 * Values as entries for the engine, which so coalesces, tags and serves stale for them as for views. Nothing of them is
 * kept in this process, as they are overwritten, and nobody would hear of that.
 *
 * A sequence of its own notes what this process writes: a factory that was under way then has lost.
 */
export class ItemStore implements CacheStore {
  readonly name = 'values';
  readonly #options: ItemStoreOptions;
  readonly #log: EvictionLog;

  constructor(options: ItemStoreOptions) {
    this.#options = options;
    this.#log = new EvictionLog({ clock: options.clock });
  }

  /** In the own sequence, and beside it that of the views. */
  get position(): StampPosition {
    return { ...this.#log.position, shared: this.#options.views.position };
  }

  async lookup(key: string): Promise<Entry | StampPosition> {
    await this.ready();
    const { position } = this;
    const { entry } = await this.find(key);
    return entry ?? position;
  }

  /** Where a sequence is shared, a value is written with its place in it: it has to be known. */
  async ready(): Promise<void> {
    const { views } = this.#options;
    if (views.position.shared === undefined) await views.isCurrentEverywhere?.(views.position, []);
  }

  /** @param key as the engine has it */
  async find(key: string): Promise<FoundItem> {
    const { storage, clock, maxBytes } = this.#options;
    const { position } = this;
    const text = await storage.get(this.#nameOf(key));
    const entry = text === undefined ? undefined : decodeItem(text, key, clock.now(), maxBytes);
    const isThere = entry !== undefined && (await this.#isCurrentEntry(entry));
    return { entry: isThere ? { ...entry, start: position } : undefined, text };
  }

  /** Of a value that is kept only for where no new one can be made, no more than its text. */
  async findFresh(key: string): Promise<FoundItem> {
    const { entry, text } = await this.find(key);
    const isThere = entry !== undefined && isFresh(entry, this.#options.clock.now());
    return { entry: isThere ? entry : undefined, text };
  }

  async set(entry: Entry): Promise<boolean> {
    const life = entry.expiresAt - this.#options.clock.now();
    if (life <= 0 || !this.isCurrent(entry.start, entry.tags)) return false;
    await this.#options.storage.set(this.#nameOf(entry.key), this.encode(entry), life);
    return true;
  }

  /** As it is written. */
  encode(entry: Entry): string {
    const { storage } = this.#options;
    const tags = entry.tags.filter((tag) => tag !== ALL_ITEMS || storage.clearedBy === ALL_ITEMS);
    if (storage.increment !== undefined && tags.length === 1 && entry.freshness === undefined) {
      const value = (entry.response as HeldValue).take();
      if (Number.isSafeInteger(value) && !Object.is(value, -0)) return String(value);
    }
    const { shared: views = entry.start } = entry.start;
    return encodeItem(entry, tags, views.shared ?? views);
  }

  isCurrent(start: StampPosition, tags: Iterable<string>): boolean {
    const { views } = this.#options;
    return (
      this.#log.isCurrent(start, tags) && (start.shared === undefined || views.isCurrent(start.shared, tags))
    );
  }

  /** This process writes the value: factories that run for it have lost, and nobody waits for them any more. */
  touch(key: string): void {
    this.#log.evict([key]);
  }

  evict(tags: readonly string[]): MaybePromise<StampPosition> {
    return this.#options.views.evict(tags);
  }

  /** All values of the namespace. */
  async clear(): Promise<void> {
    const { storage, views } = this.#options;
    this.#log.evict([ALL_ITEMS]);
    if (storage.clearedBy === undefined) await storage.clear();
    else await views.evict([storage.clearedBy]);
  }

  async #isCurrentEntry({ start, tags }: Entry): Promise<boolean> {
    // Most have no tags, and nothing to ask for.
    if (tags.length === 1) return true;
    const { views } = this.#options;
    return views.isCurrentEverywhere?.(start, tags) ?? views.isCurrent(start, tags);
  }

  #nameOf(key: string): string {
    return key.slice(this.#options.prefix.length);
  }
}

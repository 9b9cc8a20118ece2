import { LRUCache } from 'lru-cache';
import { CachingConfigError } from '../caching.errors.js';
import { type Clock, systemClock } from '../cache/clock.js';
import { bytesOf, type Entry, sizeOf, type StoredResponse } from '../cache/entry.js';
import { EntryFacts } from '../cache/entry-facts.js';
import { EvictionLog, type StampPosition } from '../cache/stamps.js';
import { VariantIndex } from '../cache/variants.js';
import { BodyMemory } from './body-memory.js';
import { EvictionSweep } from './eviction-sweep.js';
import { HeldEntry } from './held-entry.js';
import type { CacheStore } from './store.js';

export interface MemoryStoreOptions {
  /** What all entries may take together, in bytes, overhead included. Default 64 MiB. */
  readonly maxBytes?: number;
  /** How many entries there may be. Default 100,000. */
  readonly maxEntries?: number;
  readonly clock?: Clock;
}

export const MEMORY_DEFAULTS = { maxBytes: 64 * 1024 * 1024, maxEntries: 100_000 } as const;

/** What may wait for bodies to be stored, beside what is held: so much of `maxBytes`, and no more than so many bytes. */
const IDLE = { share: 1 / 16, atMost: 1024 * 1024 } as const;

/**
 * The default store: `lru-cache` in this process, bounded by bytes and by entries.
 *
 * @example
 * CachingModule.forRoot({ store: memory({ maxBytes: 256 * 1024 * 1024 }) })
 */
export class MemoryStore implements CacheStore {
  readonly name = 'memory';
  readonly softens = true;
  readonly largestBody: number;
  /**
   * Told the bytes of each response that could have gone on to be served, had there been room for it.
   *
   * @internal
   */
  onDropped: ((bytes: number) => void) | undefined;
  readonly #clock: Clock;
  readonly #log: EvictionLog;
  readonly #entries: LRUCache<string, HeldEntry>;
  /**
   * Their keys in the order they came: a set can be walked in slices while it changes, the LRU can't. Not the entries,
   * as V8 keeps a set's outgrown tables, and all they refer to, until its next full collection.
   */
  readonly #keys = new Set<string>();
  readonly #variants = new VariantIndex();
  readonly #bodies: BodyMemory;
  /** Bytes of what had to go for the entry that is being set: told of once the LRU can be asked again. */
  #dropped: number[] = [];
  readonly #sweep: EvictionSweep;

  /** @throws CachingConfigError for bounds that are no whole numbers of at least 1 */
  constructor({
    maxBytes = MEMORY_DEFAULTS.maxBytes,
    maxEntries = MEMORY_DEFAULTS.maxEntries,
    clock = systemClock,
  }: MemoryStoreOptions = {}) {
    for (const [field, value] of Object.entries({ maxBytes, maxEntries })) {
      if (Number.isSafeInteger(value) && value >= 1) continue;
      throw new CachingConfigError(field, value, 'a whole number of at least 1', 'memory()');
    }
    this.#clock = clock;
    // What is left is for headers, tags and the rest of an entry.
    this.largestBody = Math.floor(maxBytes * 0.9);
    this.#log = new EvictionLog({ clock });
    this.#bodies = new BodyMemory(Math.min(maxBytes * IDLE.share, IDLE.atMost));
    this.#entries = new LRUCache({
      max: maxEntries,
      maxSize: maxBytes,
      sizeCalculation: (entry) => sizeOf(entry) + entry.spare,
      dispose: (entry, key, reason) => {
        this.#keys.delete(key);
        this.#variants.remove(entry);
        if (reason === 'evict') this.#noteDropped(entry);
        this.#reuse(entry);
      },
    });
    this.#sweep = new EvictionSweep(clock, this.#keys, (key, now) => this.#free(key, now));
  }

  get position(): StampPosition {
    return this.#log.position;
  }

  /** How many entries are held, evicted ones that are not freed yet included. */
  get entries(): number {
    return this.#entries.size;
  }

  /** Bytes held, as `maxBytes` counts them. */
  get bytes(): number {
    return this.#entries.calculatedSize;
  }

  lookup(key: string): Entry | StampPosition {
    const entry = this.#entries.get(key);
    if (entry === undefined) return this.#log.position;
    const now = this.#clock.now();
    // An entry from the future was stored under another clock: how old it is can't be known.
    if (entry.expiresAt <= now || entry.storedAt > now || !entry.isCurrent(this.#log)) {
      this.#entries.delete(key);
      return this.#log.position;
    }
    return entry.seen();
  }

  set(entry: Entry): boolean {
    if (entry.expiresAt <= this.#clock.now() || !this.#log.isCurrent(entry.start, entry.tags)) return false;
    this.#log.expectLife(entry.expiresAt - entry.storedAt);
    const present = this.#entries.peek(entry.key);
    if (present !== undefined && present.order > entry.order && present.isCurrent(this.#log)) return false;
    const { response } = entry;
    const { body } = response;
    const copy = body !== undefined && this.copies(response) ? this.#bodies.copyOf(body) : undefined;
    const held = new HeldEntry(entry, this.#log.position, copy);
    // Its fill may have begun before a soft eviction.
    held.soften(this.#log);
    this.#entries.set(entry.key, held);
    // An entry above `maxBytes` is refused by the LRU without a word.
    const isKept = this.#entries.has(entry.key);
    if (isKept) {
      this.#keys.add(entry.key);
      const displaced = this.#variants.add(entry);
      if (displaced !== undefined) this.#entries.delete(displaced);
    } else this.#reuse(held);
    if (this.#dropped.length > 0) this.#tellDropped();
    return isKept;
  }

  /**
   * Whether what is set of a response is a copy of its body, whose own memory is not needed any more.
   *
   * @internal
   */
  copies({ body, delivery }: StoredResponse): boolean {
    return body !== undefined && delivery !== 'value' && this.#bodies.copies(body.length);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  isCurrent(start: StampPosition, tags: Iterable<string>): boolean {
    return this.#log.isCurrent(start, tags);
  }

  stampOf(tag: string): number | undefined {
    return this.#log.stampOf(tag);
  }

  peek(key: string): EntryFacts | undefined {
    const entry = this.#entries.peek(key);
    if (entry === undefined || entry.expiresAt <= this.#clock.now()) return undefined;
    return entry.isCurrent(this.#log) ? new EntryFacts(entry) : undefined;
  }

  each(visit: (entry: EntryFacts) => boolean): void {
    for (const key of this.#keys) {
      const entry = this.peek(key);
      if (entry !== undefined && !visit(entry)) return;
    }
  }

  evict(tags: readonly string[]): StampPosition {
    const position = this.#log.evict(tags);
    this.#sweep.request();
    return position;
  }

  close(): void {
    this.#entries.clear();
    this.#bodies.clear();
    this.#sweep.stop();
  }

  #free(key: string, now: number): void {
    const entry = this.#entries.peek(key);
    if (entry === undefined || entry.expiresAt <= now || !entry.isCurrent(this.#log))
      this.#entries.delete(key);
  }

  #noteDropped(entry: HeldEntry): void {
    if (this.onDropped === undefined || entry.expiresAt <= this.#clock.now()) return;
    if (entry.isCurrent(this.#log)) this.#dropped.push(bytesOf(entry.response));
  }

  /**
   * Whoever hears of it may look up, store and evict in turn. While the LRU makes room it must not be touched: a key that
   * it removes twice leaves its place to two others, one of which then gives the other's response.
   */
  #tellDropped(): void {
    const dropped = this.#dropped;
    this.#dropped = [];
    for (const bytes of dropped) this.onDropped?.(bytes);
  }

  #reuse(dropped: HeldEntry): void {
    const copy = dropped.release();
    if (copy !== undefined) this.#bodies.reuse(copy);
  }
}

/** Entries in this process: the default. */
export function memory(options: MemoryStoreOptions = {}): MemoryStore {
  return new MemoryStore(options);
}

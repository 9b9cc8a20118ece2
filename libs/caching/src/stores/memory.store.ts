import { LRUCache } from 'lru-cache';
import { CachingConfigError } from '../caching.errors.js';
import { type Clock, elapsed, systemClock } from '../cache/clock.js';
import {
  bytesOf,
  type Entry,
  type EntryLife,
  sizeOf,
  softened,
  type StoredResponse,
} from '../cache/entry.js';
import { EvictionLog, type StampPosition } from '../cache/stamps.js';
import { VariantIndex } from '../cache/variants.js';
import { BodyMemory } from './body-memory.js';
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

/** Entries looked at in one turn of the event loop to free evicted ones: below a millisecond, if all of them are. */
const SWEEP_SLICE = 100;

/** After a walk, rest for nine times what it took, and a second at least: freeing takes a tenth of a core at most. */
const SWEEP_REST = { factor: 9, atLeast: 1_000 };

/** Every field of an entry that is kept with it, so that none is forgotten below. */
type Held = { readonly [P in Exclude<keyof Entry, 'tier'>]-?: Entry[P] | undefined };

/**
 * An entry as it is held, with the last position at which it was found current: most hits then compare one reference.
 * One object, all of one shape, as among a million entries each object more to look into is a wait for memory.
 */
class HeldEntry implements Held {
  readonly key: string;
  readonly variantOf: string | undefined;
  readonly response: StoredResponse;
  readonly tags: readonly string[];
  readonly start: StampPosition;
  readonly order: number;
  readonly storedAt: number;
  readonly expiresAt: number;
  freshness: EntryLife | undefined;
  readonly handlerTime: number | undefined;
  readonly validator: string | undefined;
  readonly vary: readonly string[] | undefined;
  #checkedAt: StampPosition;
  /** Its body, where it is a copy that nobody outside of the store has seen yet. */
  #unseen: Buffer | undefined;

  /** @param copy of its body, which only this entry has */
  constructor(entry: Entry, checkedAt: StampPosition, copy: Buffer | undefined) {
    this.key = entry.key;
    this.variantOf = entry.variantOf;
    this.response = copy === undefined ? entry.response : { ...entry.response, body: copy };
    this.tags = entry.tags;
    this.start = entry.start;
    this.order = entry.order;
    this.storedAt = entry.storedAt;
    this.expiresAt = entry.expiresAt;
    this.freshness = entry.freshness;
    this.handlerTime = entry.handlerTime;
    this.validator = entry.validator;
    this.vary = entry.vary;
    this.#checkedAt = checkedAt;
    this.#unseen = copy;
  }

  /** To be handed out: from now on somebody may be sending its body, for however long. */
  seen(): this {
    this.#unseen = undefined;
    return this;
  }

  /** What its copy of the body takes beside the body's length, in bytes. */
  get spare(): number {
    return this.#unseen === undefined ? 0 : BodyMemory.spareOf(this.#unseen);
  }

  /** It is not held any more: the memory of its body, where that can be used again. Given once. */
  release(): Buffer | undefined {
    const copy = this.#unseen;
    this.#unseen = undefined;
    return copy;
  }

  isCurrent(log: EvictionLog): boolean {
    const { position } = log;
    if (this.#checkedAt === position) return true;
    if (!log.isCurrent(this.start, this.tags)) return false;
    this.soften(log);
    this.#checkedAt = position;
    return true;
  }

  /** It may have been softly evicted: then its time is over. */
  soften(log: EvictionLog): void {
    const at = log.softenedAt(this.start, this.tags);
    if (at !== undefined) this.freshness = softened(this, at);
  }
}

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
  #sweep: { readonly rest: Iterator<string>; readonly startedAt: number } | undefined;
  #sweepPending = false;
  #restUntil = 0;

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

  peek(key: string): Entry | undefined {
    const entry = this.#entries.peek(key);
    if (entry === undefined || entry.expiresAt <= this.#clock.now()) return undefined;
    return entry.isCurrent(this.#log) ? entry.seen() : undefined;
  }

  each(visit: (entry: Entry) => boolean): void {
    for (const key of this.#keys) {
      const entry = this.peek(key);
      if (entry !== undefined && !visit(entry)) return;
    }
  }

  evict(tags: readonly string[]): StampPosition {
    const position = this.#log.evict(tags);
    if (this.#keys.size > 0) this.#requestSweep();
    return position;
  }

  close(): void {
    this.#entries.clear();
    this.#bodies.clear();
    this.#sweep = undefined;
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

  /** The stamp has hidden the entries already; their bytes are freed here, a slice at a time. */
  #requestSweep(): void {
    if (this.#sweepPending) return;
    this.#sweepPending = true;
    if (this.#sweep === undefined) this.#scheduleSweep();
  }

  #scheduleSweep(): void {
    const rest = this.#restUntil - elapsed(this.#clock);
    if (rest > 0) this.#clock.after(rest, () => this.#startSweep());
    else this.#startSweep();
  }

  #startSweep(): void {
    this.#sweepPending = false;
    this.#sweep = { rest: this.#keys.values(), startedAt: elapsed(this.#clock) };
    setImmediate(() => this.#sweepSlice());
  }

  #sweepSlice(): void {
    if (this.#sweep === undefined) return;
    const now = this.#clock.now();
    for (let looked = 0; looked < SWEEP_SLICE; looked++) {
      const { value: key, done } = this.#sweep.rest.next();
      if (done === true) {
        const ended = elapsed(this.#clock);
        this.#restUntil =
          ended + Math.max(SWEEP_REST.atLeast, SWEEP_REST.factor * (ended - this.#sweep.startedAt));
        this.#sweep = undefined;
        // Evictions that came while this walk was under way may concern entries that it had passed.
        if (this.#sweepPending) this.#scheduleSweep();
        return;
      }
      const entry = this.#entries.peek(key);
      if (entry === undefined || entry.expiresAt <= now || !entry.isCurrent(this.#log))
        this.#entries.delete(key);
    }
    setImmediate(() => this.#sweepSlice());
  }
}

/** Entries in this process: the default. */
export function memory(options: MemoryStoreOptions = {}): MemoryStore {
  return new MemoryStore(options);
}

import type { Clock } from '../cache/clock.js';
import type { Entry } from '../cache/entry.js';
import { HeldValue } from '../cache/held-value.js';
import type { ResultLimits } from '../memoize/call.js';
import { taken } from '../memoize/call-server.js';
import type { ItemStorage } from '../stores/shared-tier.js';
import { ALL_ITEMS, type ItemStore } from './item-store.js';
import { KeyLocks } from './key-locks.js';

export interface ItemWriterParts {
  readonly items: ItemStore;
  readonly storage: ItemStorage;
  readonly clock: Clock;
  readonly maxBytes: number;
  readonly limits: ResultLimits;
}

/**
 * What changes values, each time in one step: the store's own, or under a lock of this process where it has none. `key`
 * is as the application has it, `name` as the engine.
 */
export class ItemWriter {
  readonly #locks = new KeyLocks();

  constructor(private readonly parts: ItemWriterParts) {}

  /** After all others of this key, where the store can't do by itself what has to be one step. */
  alone<T>(name: string, operation: () => Promise<T>): Promise<T> {
    const canCount = this.parts.storage.increment !== undefined;
    return canCount ? operation() : this.#locks.run(name, operation);
  }

  /** A value as it is stored. `life` in milliseconds. */
  entry(name: string, held: HeldValue, life: number, tags: readonly string[]): Entry {
    const { clock, items, limits } = this.parts;
    if (tags.length > 0) limits.longestLife = Math.max(limits.longestLife, life);
    const storedAt = clock.now();
    return {
      key: name,
      response: held,
      tags: [ALL_ITEMS, ...tags, name],
      start: items.position,
      order: 0,
      storedAt,
      expiresAt: storedAt + life,
    };
  }

  /** Tells whether it is kept. */
  async set(entry: Entry): Promise<boolean> {
    return this.parts.items.set(await this.#begin(entry));
  }

  /** Tells whether there was none. */
  async add(key: string, entry: Entry): Promise<boolean> {
    const { items, storage } = this.parts;
    if (storage.add !== undefined) return this.#addInStore(key, await this.#begin(entry));
    const { entry: present } = await items.findFresh(entry.key);
    return present === undefined && this.set(entry);
  }

  /** Tells whether there was one. */
  async delete(key: string, name: string): Promise<boolean> {
    const { items, storage } = this.parts;
    items.touch(name);
    const { entry } = await items.findFresh(name);
    const removed = await storage.delete(key);
    return removed && entry !== undefined;
  }

  /** The new number; nothing where something else is there, `NaN` where it would not be exact, and is left as it is. */
  async count(key: string, name: string, by: number, life: number): Promise<number | undefined> {
    const { storage, items } = this.parts;
    items.touch(name);
    if (storage.increment === undefined) return this.#countHere(name, by, life);
    const counted = await storage.increment(key, by, life);
    if (counted !== undefined) return counted;
    const { entry, text } = await items.findFresh(name);
    // What is there was evicted, is over, or is nobody's: whoever takes its place first begins.
    const isFree = entry === undefined && text !== undefined;
    if (isFree && (await storage.add?.(key, String(by), life, text)) === true) return by;
    return entry === undefined ? storage.increment(key, by, life) : undefined;
  }

  async #addInStore(key: string, entry: Entry): Promise<boolean> {
    const { storage, items, clock } = this.parts;
    const text = items.encode(entry);
    const life = entry.expiresAt - clock.now();
    if (await storage.add?.(key, text, life)) return true;
    // It may be one that was evicted, or is over: whoever takes its place first has it.
    const found = await items.findFresh(entry.key);
    if (found.entry !== undefined) return false;
    return (await storage.add?.(key, text, life, found.text)) ?? false;
  }

  /** Under the lock of its key. */
  async #countHere(name: string, by: number, life: number): Promise<number | undefined> {
    const { items } = this.parts;
    const { entry } = await items.findFresh(name);
    const isTagged = entry?.tags.some((tag) => tag !== name && tag !== ALL_ITEMS) ?? false;
    const present = entry === undefined ? 0 : taken(entry.response);
    if (isTagged || !Number.isSafeInteger(present)) return undefined;
    const count = (present as number) + by;
    if (!Number.isSafeInteger(count)) return Number.NaN;
    const next = await this.#begin(this.entry(name, HeldValue.of(count, this.parts.maxBytes), life, []));
    const isKept = await items.set(entry === undefined ? next : { ...next, expiresAt: entry.expiresAt });
    if (!isKept) throw new Error('the count was not kept');
    return count;
  }

  /** What this process writes wins against factories that are under way. */
  async #begin(entry: Entry): Promise<Entry> {
    const { items } = this.parts;
    await items.ready();
    items.touch(entry.key);
    return { ...entry, start: items.position };
  }
}

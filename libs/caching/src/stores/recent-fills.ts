import { LRUCache } from 'lru-cache';
import type { Clock } from '../cache/clock.js';
import { type Entry, isEntry } from '../cache/entry.js';
import type { MemoryStore } from './memory.store.js';

/** Fills of one key that overlap are seconds apart: more than these are not told apart. */
const MAX_FILLS = 1_000;

type Fill = Pick<Entry, 'order' | 'start' | 'tags' | 'expiresAt'>;

/** Which fill of this process stored a key last, of entries that memory has no room for: bodies are not kept. */
export class RecentFills {
  readonly #fills = new LRUCache<string, Fill>({ max: MAX_FILLS });

  constructor(
    private readonly local: MemoryStore,
    private readonly clock: Clock,
  ) {}

  /**
   * Whether no later fill of its key is stored.
   *
   * @param entry one that memory did not keep
   */
  isNewest(entry: Entry): boolean {
    const present = this.local.lookup(entry.key);
    if (isEntry(present) && present.order > entry.order) return false;
    const before = this.#fills.get(entry.key);
    if (before !== undefined && before.order > entry.order && this.#isCurrent(before)) return false;
    const { order, start, tags, expiresAt } = entry;
    this.#fills.set(entry.key, { order, start, tags, expiresAt });
    return true;
  }

  #isCurrent({ start, tags, expiresAt }: Fill): boolean {
    return expiresAt > this.clock.now() && this.local.isCurrent(start, tags);
  }
}

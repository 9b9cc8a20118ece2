import { LRUCache } from 'lru-cache';
import type { Entry } from '../cache/entry.js';

/** Fills of one key that overlap are seconds apart: more than these are not told apart. */
const MAX_FILLS = 1_000;

type Fill = Pick<Entry, 'order' | 'start' | 'tags' | 'expiresAt'>;

/** Which fill of this process stored a key last, of entries that memory has no room for: bodies are not kept. */
export class RecentFills {
  readonly #fills = new LRUCache<string, Fill>({ max: MAX_FILLS });

  /** @param isOf whether what a fill stored is still there to be preferred */
  isNewest(entry: Entry, isOf: (fill: Fill) => boolean): boolean {
    const before = this.#fills.get(entry.key);
    if (before !== undefined && before.order > entry.order && isOf(before)) return false;
    const { order, start, tags, expiresAt } = entry;
    this.#fills.set(entry.key, { order, start, tags, expiresAt });
    return true;
  }
}

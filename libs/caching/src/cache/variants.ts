import type { Entry } from './entry.js';

/** How many responses that differ by header values only are kept for one URL. */
export const MAX_VARIANTS = 64;

/**
 * Which stored entries are variants of one URL. It caps them, so that a client that sends thousands of values of a
 * `vary` header pushes out only variants of the same URL, oldest first, never what is stored for others.
 */
export class VariantIndex {
  readonly #keysByUrl = new Map<string, Set<string>>();

  /** Notes a stored entry; returns the key of the one that has to go for it, if any. */
  add({ key, variantOf }: Entry): string | undefined {
    if (variantOf === undefined) return undefined;
    let keys = this.#keysByUrl.get(variantOf);
    if (keys === undefined) this.#keysByUrl.set(variantOf, (keys = new Set()));
    keys.add(key);
    if (keys.size <= MAX_VARIANTS) return undefined;
    const [oldest] = keys;
    return oldest;
  }

  /** Forgets an entry that is no longer stored. */
  remove({ key, variantOf }: Entry): void {
    if (variantOf === undefined) return;
    const keys = this.#keysByUrl.get(variantOf);
    keys?.delete(key);
    if (keys?.size === 0) this.#keysByUrl.delete(variantOf);
  }
}

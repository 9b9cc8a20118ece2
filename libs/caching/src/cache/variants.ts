import { LRUCache } from 'lru-cache';

/** How many responses that differ by header values only are kept for one URL. */
export const MAX_VARIANTS = 64;
const MAX_URLS = 10_000;

/**
 * Caps the variants of a URL, so that a client that sends thousands of values of a `vary` header can push out
 * only variants of the same URL, oldest first, never what is stored for others.
 */
export class VariantLimit {
  readonly #keysByUrl = new LRUCache<string, Set<string>>({ max: MAX_URLS });

  /** Notes that `key` is a variant of `url`; returns the key that has to go for it, if any. */
  admit(url: string, key: string): string | undefined {
    let keys = this.#keysByUrl.get(url);
    if (keys === undefined) this.#keysByUrl.set(url, (keys = new Set()));
    keys.delete(key);
    keys.add(key);
    if (keys.size <= MAX_VARIANTS) return undefined;
    const [oldest] = keys;
    if (oldest !== undefined) keys.delete(oldest);
    return oldest;
  }
}

import { type Cache, createCache } from 'cache-manager';
import { Keyv } from 'keyv';
import type { Clock } from './cache/clock.js';
import { isEntry } from './cache/entry.js';
import { MAX_DURATION } from './duration.js';
import type { CacheStore } from './stores/store.js';

/**
 * `CACHE_MANAGER` on the store and namespace of the views, within the same bounds. Values and views don't meet:
 * `del('/books')` and `clear()` concern values only, and `CacheEvictionService.all()` views only.
 */
export function createCacheManager(store: CacheStore, clock: Clock, namespace: string, ttl: number): Cache {
  return createCache({
    ttl,
    stores: [new Keyv({ store: new ValueStore(store, clock, namespace), useKeyPrefix: false })],
  });
}

/** A Keyv adapter: values as Keyv serialises them are bodies of entries that no view's key can name. */
class ValueStore {
  readonly opts = {};
  /** Carried by every value of this namespace: what `clear()` evicts. No key starts like it. */
  readonly #all: string;
  readonly #prefix: string;
  #order = 0;

  // Nothing of it is a property named `namespace`: Keyv writes its own there.
  constructor(
    private readonly store: CacheStore,
    private readonly clock: Clock,
    namespace: string,
  ) {
    this.#all = `*v:${namespace}`;
    this.#prefix = `${namespace}:value:`;
  }

  async get(key: string): Promise<string | undefined> {
    const found = await this.store.lookup(this.#key(key));
    return isEntry(found) ? found.response.body?.toString() : undefined;
  }

  async set(key: string, value: string, ttl?: number): Promise<boolean> {
    const now = this.clock.now();
    await this.store.set({
      key: this.#key(key),
      response: {
        status: 200,
        headers: [],
        removed: [],
        body: bytesOf(value),
        delivery: 'framework',
      },
      tags: [this.#all, this.#key(key)],
      start: this.store.position,
      order: ++this.#order,
      storedAt: now,
      // Nothing is stored without an expiry: what cache-manager calls "never" is a year.
      expiresAt: now + Math.min(ttl && ttl > 0 ? ttl : MAX_DURATION, MAX_DURATION),
    });
    return true;
  }

  async delete(key: string): Promise<boolean> {
    const present = await this.has(key);
    await this.store.delete(this.#key(key));
    return present;
  }

  async has(key: string): Promise<boolean> {
    return isEntry(await this.store.lookup(this.#key(key)));
  }

  async clear(): Promise<void> {
    await this.store.evict([this.#all]);
  }

  on(): this {
    return this;
  }

  #key(key: string): string {
    return this.#prefix + key;
  }
}

/** In memory of their own: a slice of Buffer's pool would keep 8 KB alive for each small value. */
function bytesOf(text: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text));
  bytes.write(text);
  return bytes;
}

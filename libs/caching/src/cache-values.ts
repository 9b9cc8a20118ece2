import { type Cache, createCache } from 'cache-manager';
import { Keyv } from 'keyv';
import type { StoreGuard } from './cache/guard.js';
import { MAX_DURATION } from './duration.js';
import type { ValueStorage } from './stores/shared-tier.js';

/**
 * `CACHE_MANAGER` on the store and namespace of the views. Values and views don't meet: `del('/books')` and `clear()`
 * concern values only, and `CacheEvictionService.all()` views only.
 *
 * While the store fails, reading finds nothing and writing keeps nothing, each with an event, as a value that is not
 * cached is no error; `del` and `clear` reject, as what they should have removed may still be read.
 */
export function createCacheManager(values: ValueStorage, guard: StoreGuard, ttl: number): Cache {
  const keyv = new Keyv({ store: new ValueStore(values, guard), useKeyPrefix: false, throwOnErrors: true });
  // An error that nobody listens to would end the process; whoever called has been told.
  keyv.on('error', () => undefined);
  return createCache({ ttl, stores: [keyv] });
}

/** A Keyv adapter over the values of a store. */
class ValueStore {
  readonly opts = {};

  // Nothing of it is a property named `namespace`: Keyv writes its own there.
  constructor(
    private readonly values: ValueStorage,
    private readonly guard: StoreGuard,
  ) {}

  async get(key: string): Promise<string | undefined> {
    return this.guard.tolerate(
      'get',
      () => this.values.get(key),
      () => undefined,
    );
  }

  async set(key: string, value: string, ttl?: number): Promise<boolean> {
    // Nothing is stored without an expiry: what cache-manager calls "never" is a year.
    const life = Math.min(ttl && ttl > 0 ? ttl : MAX_DURATION, MAX_DURATION);
    return this.guard.tolerate(
      'set',
      () => this.values.set(key, value, life).then(() => true),
      () => false,
    );
  }

  async delete(key: string): Promise<boolean> {
    return this.guard.insist('delete', () => this.values.delete(key));
  }

  async has(key: string): Promise<boolean> {
    return this.guard.tolerate(
      'has',
      () => this.values.has(key),
      () => false,
    );
  }

  async clear(): Promise<void> {
    // Not under the deadline of one operation: it may be many.
    await this.values.clear();
  }

  on(): this {
    return this;
  }
}

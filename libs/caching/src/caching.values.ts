import type { Cache } from 'cache-manager';
import type { Clock } from './cache/clock.js';
import { StoreGuard } from './cache/guard.js';
import type { StoreTrouble } from './cache/store-trouble.js';
import { ViewCache } from './cache/view-cache.js';
import { createCacheManager } from './cache-values.js';
import type { ResolvedOptions } from './caching.options.js';
import type { ResultLimits } from './memoize/call.js';
import type { CacheEvents } from './observe/events.js';
import { EntryValues } from './stores/entry-values.js';
import type { ItemStorage } from './stores/shared-tier.js';
import type { CacheStore } from './stores/store.js';
import { TieredStore } from './stores/tiered.store.js';
import { CacheValues, type CacheValuesParts } from './values/cache-values.service.js';
import { ItemStore } from './values/item-store.js';

/** What values are kept with. */
export interface ValueParts {
  readonly options: ResolvedOptions;
  readonly clock: Clock;
  readonly events: CacheEvents;
  readonly store: CacheStore;
  readonly trouble: StoreTrouble;
  /** Told of what their results need of the store. */
  readonly limits: ResultLimits;
}

/** What an application keeps of its own in the store of the views, made when it is asked for. */
export class ApplicationValues {
  /** `CacheValues`. One, as it locks where the store can't count by itself. */
  readonly items = new CacheValues(() => this.#itemParts());
  #itemCache: ViewCache | undefined;
  #manager: Cache | undefined;

  constructor(private readonly parts: ValueParts) {}

  /** What `CACHE_MANAGER` is: one, as of two each would take its own last value for the newest. */
  get manager(): Cache {
    return (this.#manager ??= this.#createManager());
  }

  async close(): Promise<void> {
    await this.#itemCache?.close();
  }

  #createManager(): Cache {
    const { store, clock, options } = this.parts;
    const values =
      store instanceof TieredStore ? store.values : new EntryValues(store, clock, options.namespace);
    return createCacheManager(values, this.#guard(), options.ttl);
  }

  #itemParts(): CacheValuesParts {
    const { store, clock, events, trouble, limits, options } = this.parts;
    const { namespace, storeTimeout, coalesceTimeout, maxEntryBytes: maxBytes, ttl, enabled } = options;
    const storage: ItemStorage =
      store instanceof TieredStore ? store.items : new EntryValues(store, clock, `${namespace}:item`);
    const prefix = `${namespace}:item:`;
    const items = new ItemStore({ storage, views: store, clock, prefix, maxBytes });
    const cache = new ViewCache({ store: items, clock, events, storeTimeout, coalesceTimeout, trouble });
    this.#itemCache = cache;
    const guard = this.#guard();
    return { items, storage, cache, guard, clock, events, prefix, ttl, maxBytes, enabled, limits };
  }

  #guard(): StoreGuard {
    const { clock, events, options, trouble } = this.parts;
    return new StoreGuard(clock, events, options.storeTimeout, trouble);
  }
}

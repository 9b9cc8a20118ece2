import { CacheEvents, type CacheEvent, type CacheStore, memory } from 'nestjs-caching';
import type { Entry, StoredResponse } from '../../libs/caching/src/cache/entry.js';
import type { StampPosition } from '../../libs/caching/src/cache/stamps.js';
import { ViewCache, type ViewCacheOptions } from '../../libs/caching/src/cache/view-cache.js';
import { FakeClock } from './fake-clock.js';

export interface Engine {
  readonly cache: ViewCache;
  readonly store: CacheStore;
  readonly clock: FakeClock;
  readonly events: CacheEvent[];
}

/** The engine as the module builds it, with no HTTP around it. */
export function startEngine(
  options: Partial<ViewCacheOptions> = {},
  clock: FakeClock = new FakeClock(),
): Engine {
  const store = options.store ?? memory({ clock, maxEntries: 100 });
  const told = new CacheEvents((error) => {
    throw error;
  }, clock);
  const events: CacheEvent[] = [];
  told.on((event) => events.push(event));
  const cache = new ViewCache({
    clock,
    events: told,
    storeTimeout: 100,
    coalesceTimeout: 30_000,
    ...options,
    store,
  });
  return { cache, store, clock, events };
}

export function response(text: string): StoredResponse {
  return {
    status: 200,
    headers: [],
    removed: [],
    body: Buffer.from(text),
    delivery: 'framework',
  };
}

/** An entry as the engine makes it, its own key among its tags. */
export function entry(
  key: string,
  given: { start: StampPosition; storedAt: number } & Partial<Entry> & { life?: number; text?: string },
): Entry {
  const { life = 60_000, text = key, tags = [], ...rest } = given;
  return {
    key,
    response: response(text),
    order: 1,
    expiresAt: given.storedAt + life,
    ...rest,
    tags: [...tags, key],
  };
}

import type { Logger } from '@nestjs/common';
import type { Clock } from './cache/clock.js';
import type { History } from './cache/history.js';
import type { StoreTrouble } from './cache/store-trouble.js';
import { CacheStoreError } from './caching.errors.js';
import type { ResolvedOptions } from './caching.options.js';
import { ALL_VIEWS } from './http/route-tags.js';
import type { CacheEvents } from './observe/events.js';
import { tellDropped, tellTier } from './observe/tell-store.js';
import { MemoryStore } from './stores/memory.store.js';
import { isSharedTier, type SharedTier } from './stores/shared-tier.js';
import type { CacheStore } from './stores/store.js';
import { TieredStore } from './stores/tiered.store.js';

/** What the store of an application is made with. */
export interface StoreParts {
  readonly options: ResolvedOptions;
  readonly clock: Clock;
  readonly events: CacheEvents;
  readonly history: History;
  readonly trouble: StoreTrouble;
  readonly logger: Logger;
  /** The longest life of any route's and function's results, in milliseconds: asked when it is needed. */
  readonly longestLife: () => number;
  /** The largest of them, in bytes. */
  readonly largestEntry: () => number;
}

export interface BuiltStore {
  readonly store: CacheStore;
  /** The memory store, or the tier in front of a shared one; nothing where the store is the application's own. */
  readonly local: MemoryStore | undefined;
}

/** The store that the options ask for: memory, a shared one with memory in front, or the application's own. */
export function buildStore(parts: StoreParts): BuiltStore {
  const { store } = parts.options;
  if (store !== undefined && !isSharedTier(store)) {
    const local = store instanceof MemoryStore ? store : undefined;
    if (local !== undefined) local.onDropped = tellDropped(parts.events, parts.clock);
    return { store, local };
  }
  const local = memoryOf(parts);
  return { local, store: store === undefined ? local : tieredOf(parts, store, local) };
}

function memoryOf({ options: { memory }, clock, events }: StoreParts): MemoryStore {
  // Without room for an entry it still knows what was evicted, which fills in flight are checked against.
  const bounds = memory === false ? { maxBytes: 1, maxEntries: 1 } : memory;
  const store = new MemoryStore({ ...bounds, clock });
  store.onDropped = tellDropped(events, clock);
  return store;
}

function tieredOf(parts: StoreParts, tier: SharedTier, local: MemoryStore): TieredStore {
  const { options, clock, events, history, trouble, logger } = parts;
  const { namespace, coherence, heartbeat, storeTimeout, keyHash } = options;
  if (tier.caveat !== undefined) logger.warn(`Store "${tier.name}": ${tier.caveat}`);
  return new TieredStore({
    tier,
    local,
    clock,
    namespace,
    coherence,
    heartbeat,
    timeout: storeTimeout,
    digest: keyHash,
    longestLife: parts.longestLife,
    maxEntryBytes: parts.largestEntry,
    everything: ALL_VIEWS,
    onHeard: (tags) => history.evicted(tags, { via: 'elsewhere' }),
    onCaveat: (caveat) => logger.warn(caveat),
    onError: (operation, cause) => {
      const error = CacheStoreError.from(operation, cause);
      trouble.failed(error);
      if (events.active) events.emit({ type: 'storeError', at: clock.now(), operation, error });
    },
    observer: tellTier(events, clock, tier.name),
  });
}

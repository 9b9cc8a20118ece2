import { randomUUID } from 'node:crypto';
import { systemClock } from '../../../libs/caching/src/cache/clock.js';
import { isEntry } from '../../../libs/caching/src/cache/entry.js';
import { ALL_VIEWS } from '../../../libs/caching/src/http/route-tags.js';
import { MemoryStore } from '../../../libs/caching/src/stores/memory.store.js';
import { redis, type RedisStoreOptions } from '../../../libs/caching/src/stores/redis/redis.store.js';
import { type Coherence, TieredStore } from '../../../libs/caching/src/stores/tiered.store.js';
import { FakeClock, sampleEntry, type SampleEntry } from '../../../libs/caching/src/testing.js';
import { poll } from './poll.js';

/** Milliseconds. The time-out is long, as the machine may be busy. */
export const TIMES = { heartbeat: 500, timeout: 5_000 } as const;

export interface TieredOptions {
  /** As an application would give it to `redis()`. */
  readonly connection: RedisStoreOptions;
  readonly coherence: Coherence;
  /** Whether it keeps anything in process. */
  readonly memory: boolean;
  /** Default: one of its own. */
  readonly namespace?: string;
  /** Default: one of its own. */
  readonly clock?: FakeClock;
  /** Milliseconds after which an operation of Redis has failed. Default: `TIMES.timeout`. */
  readonly timeout?: number;
  /** Messages about evictions get lost on their way here, which nobody notices. */
  readonly isDeaf?: boolean;
}

export interface OpenedTiered {
  readonly store: TieredStore;
  readonly clock: FakeClock;
  readonly namespace: string;
  readonly local: MemoryStore;
  /** What failed that nobody waited for. */
  readonly errors: readonly string[];
  /** As if the subscription ended, or began. */
  readonly setHearing: (hears: boolean) => void;
  /** The body that is found under a key, as text. */
  readonly read: (key: string) => Promise<string | undefined>;
  /** Stores a response that was made at once. */
  readonly put: (key: string, given?: Partial<SampleEntry>) => Promise<boolean>;
}

/**
 * A store with Redis behind it as the module makes it, ready and hearing. Its own time is the fake clock's, that of its
 * connections the system's: those are real.
 */
export async function openTiered(options: TieredOptions): Promise<OpenedTiered> {
  const { connection, coherence, memory, namespace = `test-${randomUUID().slice(0, 13)}` } = options;
  const { clock = new FakeClock(), isDeaf = false, timeout = TIMES.timeout } = options;
  const tier = redis(connection);
  const open = tier.open.bind(tier);
  let hears = false;
  let setHearing: (hears: boolean) => void = () => undefined;
  tier.open = (host) => {
    setHearing = (now) => {
      hears = now;
      host.onHearing(now);
    };
    open({
      ...host,
      clock: systemClock,
      onHearing: setHearing,
      ...(isDeaf && { onEviction: () => undefined }),
    });
  };
  const errors: string[] = [];
  const local = new MemoryStore(memory ? { clock } : { clock, maxBytes: 1, maxEntries: 1 });
  const store = new TieredStore({
    tier,
    local,
    clock,
    namespace,
    coherence,
    heartbeat: TIMES.heartbeat,
    timeout,
    longestLife: () => 300_000,
    maxEntryBytes: () => 1024 * 1024,
    everything: ALL_VIEWS,
    onError: (operation, error) => errors.push(`${operation}: ${String(error)}`),
    onCaveat: (caveat) => errors.push(caveat),
  });
  await poll('the store to reach Redis and to hear of evictions', async () => {
    // As many as lie on all nodes of a cluster.
    await Promise.all(Array.from({ length: 64 }, async (_, at) => store.lookup(`nothing ${at}`)));
    return hears || undefined;
  });
  errors.length = 0;
  return {
    store,
    clock,
    namespace,
    local,
    errors,
    setHearing,
    read: async (key) => {
      const found = await store.lookup(key);
      return isEntry(found) ? String(found.response.body) : undefined;
    },
    put: async (key, given = {}) =>
      store.set(sampleEntry(key, { start: store.position, storedAt: clock.now(), ...given })),
  };
}

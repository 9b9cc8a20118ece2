import type { CacheEvent, CacheTier, HitEvent } from './cache-event.js';
import { ByRoute } from './by-route.js';
import { cacheCounters, cacheHistograms } from './cache-instruments.js';
import type { EventCounter } from './event-counter.js';
import { type CacheInstruments, Gauge, type Series } from './instruments.js';

/** What stores are asked for; an application's own may tell of more. */
const OPERATIONS: ReadonlySet<string> = new Set(
  'lookup set evict lease release get delete has sync connect subscribe connection load close health'.split(
    ' ',
  ),
);
const OTHER_OPERATION = 'other';

/** What this process holds in memory. */
export interface MemoryUsage {
  readonly entries: number;
  readonly bytes: number;
}

/** What every hit adds to, found by its route alone. */
interface RouteSeries {
  readonly label: string;
  readonly hits: Partial<Record<CacheTier, Series>>;
  saved: Series | undefined;
  hitBytes: Series | undefined;
}

/** Counts events. One counter, which a metrics system reads when it wants to. */
export class CacheMetrics implements CacheInstruments, EventCounter {
  readonly #counters = cacheCounters();
  readonly #histograms = cacheHistograms();
  readonly #breakers = new Map<string, number>();
  readonly #routes = new ByRoute<RouteSeries>((label) => ({
    label,
    hits: {},
    saved: undefined,
    hitBytes: undefined,
  }));
  readonly read: CacheInstruments['read'];
  readonly histograms = Object.values(this.#histograms);

  /** @param usage what memory holds now; nothing where entries are not in this process */
  constructor(usage: () => MemoryUsage | undefined) {
    const held = (field: keyof MemoryUsage) => () => {
      const now = usage();
      return now === undefined ? [] : [{ value: now[field], labels: {} }];
    };
    this.read = [
      ...Object.values(this.#counters),
      new Gauge(
        { name: 'entries', help: 'Entries in the memory of this process', unit: '{entry}' },
        held('entries'),
      ),
      new Gauge(
        { name: 'memory', help: 'What the entries in this process take, as its bound counts it', unit: 'By' },
        held('bytes'),
      ),
      new Gauge(
        {
          name: 'breakers.open',
          help: 'Circuit breakers of the store that are open: its operations fail at once',
          unit: '{breaker}',
          labels: ['store'],
        },
        () => Array.from(this.#breakers, ([store, value]) => ({ value, labels: { store } })),
      ),
    ];
  }

  record(event: CacheEvent): void {
    switch (event.type) {
      case 'hit':
        return this.hit(event.route, event.tier, event.bytes, event.savedMs, event.reason);
      case 'lookup':
        if (event.asked === 'shared')
          this.#histograms.storeTime.record(event.lookupMs / 1_000, { operation: 'lookup' });
        return;
      case 'stale': {
        const { route, tier, reason, bytes, savedMs } = event;
        const found = this.#routes.of(route);
        const { label } = found;
        this.#counters.requests.of(label, 'stale', tier, reason).value++;
        this.#counters.served.of(label, 'stale').value += bytes;
        this.#save(found, savedMs);
        return;
      }
      case 'handled': {
        const { reason } = event;
        const result = reason === 'absent' || reason === 'stale' ? 'miss' : 'refresh';
        this.#counters.requests.of(this.#routes.of(event.route).label, result, '', reason).value++;
        return;
      }
      case 'bypassed':
        this.#counters.requests.of(this.#routes.of(event.route).label, 'bypass', '', event.reason).value++;
        return;
      case 'coalesced': {
        const route = this.#routes.of(event.route);
        const { label } = route;
        this.#counters.requests.of(label, 'miss', '', event.reason).value++;
        this.#counters.coalesced.of(label).value++;
        this.#counters.served.of(label, 'coalesced').value += event.bytes;
        this.#save(route, event.savedMs);
        return;
      }
      case 'stored': {
        const { label: route } = this.#routes.of(event.route);
        this.#counters.storedBytes.of(route).value += event.bytes;
        this.#histograms.storeTime.record(event.storeMs / 1_000, { operation: 'set' });
        if (event.handlerMs === undefined) return;
        this.#counters.stored.of(route).value++;
        this.#histograms.handlerTime.record(event.handlerMs / 1_000, { route, outcome: 'stored' });
        return;
      }
      case 'skipped': {
        const { label: route } = this.#routes.of(event.route);
        this.#counters.skipped.of(route, event.reason).value++;
        this.#histograms.handlerTime.record(event.handlerMs / 1_000, { route, outcome: 'skipped' });
        return;
      }
      case 'refresh': {
        const { label } = this.#routes.of(event.route);
        const { reason, outcome } = event;
        this.#counters.refreshes.of(label, reason, outcome).value++;
        return;
      }
      case 'verified':
        this.#counters.verified.of(this.#routes.of(event.route).label, event.outcome).value++;
        return;
      case 'evicted':
        if (event.cause === 'tags') {
          this.#counters.evictions.of('tags', String(event.acknowledged)).value++;
          this.#histograms.storeTime.record(event.evictMs / 1_000, { operation: 'evict' });
        } else this.#counters.evictions.of('capacity', '').value++;
        return;
      case 'storeError':
        this.#counters.errors.of(OPERATIONS.has(event.operation) ? event.operation : OTHER_OPERATION).value++;
        return;
      case 'breaker':
        this.#breakers.set(event.store, event.open);
        return;
      case 'coherence':
        this.#counters.changes.of(event.change).value++;
        if (event.change !== 'synchronized') return;
        if (event.missed !== 'all') this.#counters.missed.of().value += event.missed;
        if (event.lagMs !== undefined) this.#histograms.lag.record(event.lagMs / 1_000, {});
    }
  }

  hit(
    name: string,
    tier: CacheTier,
    bytes: number,
    savedMs: number | undefined,
    reason: HitEvent['reason'],
  ): void {
    const route = this.#routes.of(name);
    if (reason === undefined)
      (route.hits[tier] ??= this.#counters.requests.of(route.label, 'hit', tier)).value++;
    else this.#counters.requests.of(route.label, 'hit', tier, reason).value++;
    (route.hitBytes ??= this.#counters.served.of(route.label, 'hit')).value += bytes;
    this.#save(route, savedMs);
  }

  #save(route: RouteSeries, savedMs: number | undefined): void {
    if (savedMs !== undefined)
      (route.saved ??= this.#counters.saved.of(route.label)).value += savedMs / 1_000;
  }
}

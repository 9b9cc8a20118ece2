import type { CacheEvent, CacheTier } from './cache-event.js';
import { ByRoute } from './by-route.js';
import type { EventCounter } from './event-counter.js';
import { type CacheInstruments, Counter, Gauge, Histogram, type Series } from './instruments.js';

/** What stores are asked for; an application's own may tell of more. */
const OPERATIONS: ReadonlySet<string> = new Set(
  'lookup set evict lease release get delete has sync connect subscribe connection load close health'.split(
    ' ',
  ),
);
const OTHER_OPERATION = 'other';

/** Seconds. */
const HANDLER_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const STORE_BOUNDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];
const LAG_BOUNDS = [0.01, 0.05, 0.1, 0.25, 0.5, 0.6, 1, 2.5, 5, 10, 30, 60];

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
  readonly #requests = new Counter({
    name: 'requests',
    help: 'Requests to cached routes, by what the cache did: hit, stale, miss, bypass or refresh',
    unit: '{request}',
    labels: ['route', 'result', 'tier', 'reason'],
  });
  readonly #coalesced = new Counter({
    name: 'coalesced',
    help: "Requests that missed, waited for another's fill and were given its response",
    unit: '{request}',
    labels: ['route'],
  });
  readonly #stored = new Counter({
    name: 'fills.stored',
    help: 'Responses of handlers that were stored',
    unit: '{response}',
    labels: ['route'],
  });
  readonly #skipped = new Counter({
    name: 'fills.skipped',
    help: 'Responses of handlers that were not stored, by reason',
    unit: '{response}',
    labels: ['route', 'reason'],
  });
  readonly #refreshes = new Counter({
    name: 'refreshes',
    help: 'Handlers that were run although there was an entry, or before anybody asked, by what became of it',
    unit: '{refresh}',
    labels: ['route', 'reason', 'outcome'],
  });
  readonly #verified = new Counter({
    name: 'verifications',
    help: 'Hits that were compared with what the handler says now, by what came of it',
    unit: '{hit}',
    labels: ['route', 'outcome'],
  });
  readonly #saved = new Counter({
    name: 'saved',
    help: 'Time that handlers took for responses which were then served again',
    unit: 's',
    labels: ['route'],
  });
  readonly #served = new Counter({
    name: 'served',
    help: 'Bytes of bodies that were served without running a handler',
    unit: 'By',
    labels: ['route', 'result'],
  });
  readonly #storedBytes = new Counter({
    name: 'stored',
    help: 'Bytes of bodies that were stored',
    unit: 'By',
    labels: ['route'],
  });
  readonly #evictions = new Counter({
    name: 'evictions',
    help: 'Evictions by tags, and entries dropped as memory was full',
    unit: '{eviction}',
    labels: ['cause', 'acknowledged'],
  });
  readonly #errors = new Counter({
    name: 'store.errors',
    help: 'Operations of the store that failed or were not answered in time',
    unit: '{error}',
    labels: ['operation'],
  });
  readonly #missed = new Counter({
    name: 'coherence.missed',
    help: 'Evictions by others that this instance learned of only by asking',
    unit: '{eviction}',
  });
  readonly #changes = new Counter({
    name: 'coherence.changes',
    help: 'Messages about evictions that were missed, and subscriptions that ended and began again',
    unit: '{change}',
    labels: ['change'],
  });
  readonly #handlerTime = new Histogram(
    {
      name: 'handler.duration',
      help: 'Time that handlers took to fill the cache',
      unit: 's',
      labels: ['route', 'outcome'],
    },
    HANDLER_BOUNDS,
  );
  readonly #storeTime = new Histogram(
    {
      name: 'store.duration',
      help: 'Time that the store took: look-ups of a shared tier, and all sets and evictions',
      unit: 's',
      labels: ['operation'],
    },
    STORE_BOUNDS,
  );
  readonly #lag = new Histogram(
    {
      name: 'coherence.lag',
      help: 'For how long evictions by others may have gone unnoticed when this instance asked for them',
      unit: 's',
    },
    LAG_BOUNDS,
  );
  readonly #breakers = new Map<string, number>();
  readonly #routes = new ByRoute<RouteSeries>((label) => ({
    label,
    hits: {},
    saved: undefined,
    hitBytes: undefined,
  }));
  readonly read: CacheInstruments['read'];
  readonly histograms = [this.#handlerTime, this.#storeTime, this.#lag];

  /** @param usage what memory holds now; nothing where entries are not in this process */
  constructor(usage: () => MemoryUsage | undefined) {
    const held = (field: keyof MemoryUsage) => () => {
      const now = usage();
      return now === undefined ? [] : [{ value: now[field], labels: {} }];
    };
    this.read = [
      this.#requests,
      this.#coalesced,
      this.#stored,
      this.#skipped,
      this.#refreshes,
      this.#verified,
      this.#saved,
      this.#served,
      this.#storedBytes,
      this.#evictions,
      this.#errors,
      this.#missed,
      this.#changes,
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
        return this.hit(event.route, event.tier, event.bytes, event.savedMs);
      case 'lookup':
        if (event.asked === 'shared') this.#storeTime.record(event.lookupMs / 1_000, { operation: 'lookup' });
        return;
      case 'stale': {
        const { route, tier, reason, bytes, savedMs } = event;
        const found = this.#routes.of(route);
        const { label } = found;
        this.#requests.of(label, 'stale', tier, reason).value++;
        this.#served.of(label, 'stale').value += bytes;
        this.#save(found, savedMs);
        return;
      }
      case 'miss':
        this.#requests.of(this.#routes.of(event.route).label, 'miss', '', event.reason).value++;
        return;
      case 'bypassed':
        this.#requests.of(this.#routes.of(event.route).label, 'bypass', '', event.reason).value++;
        return;
      case 'coalesced': {
        const route = this.#routes.of(event.route);
        const { label } = route;
        this.#coalesced.of(label).value++;
        this.#served.of(label, 'coalesced').value += event.bytes;
        this.#save(route, event.savedMs);
        return;
      }
      case 'stored': {
        const { label: route } = this.#routes.of(event.route);
        this.#stored.of(route).value++;
        this.#storedBytes.of(route).value += event.bytes;
        this.#handlerTime.record(event.handlerMs / 1_000, { route, outcome: 'stored' });
        this.#storeTime.record(event.storeMs / 1_000, { operation: 'set' });
        return;
      }
      case 'skipped': {
        const { label: route } = this.#routes.of(event.route);
        this.#skipped.of(route, event.reason).value++;
        this.#handlerTime.record(event.handlerMs / 1_000, { route, outcome: 'skipped' });
        return;
      }
      case 'refresh': {
        const { label } = this.#routes.of(event.route);
        const { reason, outcome } = event;
        this.#refreshes.of(label, reason, outcome).value++;
        const isOfClient = reason === 'callback' || reason === 'request';
        if (isOfClient && outcome === 'started') this.#requests.of(label, 'refresh', '', reason).value++;
        return;
      }
      case 'verified':
        this.#verified.of(this.#routes.of(event.route).label, event.outcome).value++;
        return;
      case 'evicted':
        if (event.cause === 'tags') {
          this.#evictions.of('tags', String(event.acknowledged)).value++;
          this.#storeTime.record(event.evictMs / 1_000, { operation: 'evict' });
        } else this.#evictions.of('capacity', '').value++;
        return;
      case 'storeError':
        this.#errors.of(OPERATIONS.has(event.operation) ? event.operation : OTHER_OPERATION).value++;
        return;
      case 'breaker':
        this.#breakers.set(event.store, event.open);
        return;
      case 'coherence':
        this.#changes.of(event.change).value++;
        if (event.change !== 'synchronized') return;
        if (event.missed !== 'all') this.#missed.of().value += event.missed;
        if (event.lagMs !== undefined) this.#lag.record(event.lagMs / 1_000, {});
    }
  }

  hit(name: string, tier: CacheTier, bytes: number, savedMs: number | undefined): void {
    const route = this.#routes.of(name);
    (route.hits[tier] ??= this.#requests.of(route.label, 'hit', tier)).value++;
    (route.hitBytes ??= this.#served.of(route.label, 'hit')).value += bytes;
    this.#save(route, savedMs);
  }

  #save(route: RouteSeries, savedMs: number | undefined): void {
    if (savedMs !== undefined) (route.saved ??= this.#saved.of(route.label)).value += savedMs / 1_000;
  }
}

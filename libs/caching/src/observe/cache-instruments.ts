import { Counter, Histogram } from './instruments.js';

/** Seconds. */
const HANDLER_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const STORE_BOUNDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];
const LAG_BOUNDS = [0.01, 0.05, 0.1, 0.25, 0.5, 0.6, 1, 2.5, 5, 10, 30, 60];

/** What a cache counts. Metrics systems are told in this order. */
export const cacheCounters = () => ({
  requests: new Counter({
    name: 'requests',
    help: 'Requests to cached routes, by what the cache did: hit, stale, miss, bypass or refresh',
    unit: '{request}',
    labels: ['route', 'result', 'tier', 'reason'],
  }),
  coalesced: new Counter({
    name: 'coalesced',
    help: "Requests that missed, waited for another's fill and were given its response",
    unit: '{request}',
    labels: ['route'],
  }),
  stored: new Counter({
    name: 'fills.stored',
    help: 'Responses of handlers that were stored',
    unit: '{response}',
    labels: ['route'],
  }),
  skipped: new Counter({
    name: 'fills.skipped',
    help: 'Responses of handlers that were not stored, by reason',
    unit: '{response}',
    labels: ['route', 'reason'],
  }),
  refreshes: new Counter({
    name: 'refreshes',
    help: 'Handlers that were run, or validators asked, although there was an entry, or before anybody asked, by what became of it',
    unit: '{refresh}',
    labels: ['route', 'reason', 'outcome'],
  }),
  verified: new Counter({
    name: 'verifications',
    help: 'Hits that were compared with what the handler says now, by what came of it',
    unit: '{hit}',
    labels: ['route', 'outcome'],
  }),
  saved: new Counter({
    name: 'saved',
    help: 'Time that handlers took for responses which were then served again',
    unit: 's',
    labels: ['route'],
  }),
  served: new Counter({
    name: 'served',
    help: 'Bytes of bodies that were served without running a handler',
    unit: 'By',
    labels: ['route', 'result'],
  }),
  storedBytes: new Counter({
    name: 'stored',
    help: 'Bytes of bodies that were stored',
    unit: 'By',
    labels: ['route'],
  }),
  evictions: new Counter({
    name: 'evictions',
    help: 'Evictions by tags, and entries dropped as memory was full',
    unit: '{eviction}',
    labels: ['cause', 'acknowledged'],
  }),
  errors: new Counter({
    name: 'store.errors',
    help: 'Operations of the store that failed or were not answered in time',
    unit: '{error}',
    labels: ['operation'],
  }),
  missed: new Counter({
    name: 'coherence.missed',
    help: 'Evictions by others that this instance learned of only by asking',
    unit: '{eviction}',
  }),
  changes: new Counter({
    name: 'coherence.changes',
    help: 'Messages about evictions that were missed, and subscriptions that ended and began again',
    unit: '{change}',
    labels: ['change'],
  }),
});

/** What it takes, as distributions. */
export const cacheHistograms = () => ({
  handlerTime: new Histogram(
    {
      name: 'handler.duration',
      help: 'Time that handlers took to fill the cache',
      unit: 's',
      labels: ['route', 'outcome'],
    },
    HANDLER_BOUNDS,
  ),
  storeTime: new Histogram(
    {
      name: 'store.duration',
      help: 'Time that the store took: look-ups of a shared tier, and all sets and evictions',
      unit: 's',
      labels: ['operation'],
    },
    STORE_BOUNDS,
  ),
  lag: new Histogram(
    {
      name: 'coherence.lag',
      help: 'For how long evictions by others may have gone unnoticed when this instance asked for them',
      unit: 's',
    },
    LAG_BOUNDS,
  ),
});

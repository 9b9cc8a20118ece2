import { ByRoute } from '../by-route.js';
import type { CacheEvent } from '../cache-event.js';

/** Seconds that are kept for charts. */
const MAX_SECONDS = 300;

/** Upper bounds of the classes of durations, in milliseconds; the last class has none. */
export const DURATION_CLASSES = [
  0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000,
] as const;

/** What happened in one second. */
export interface Second {
  /** Seconds since the epoch. */
  readonly at: number;
  hits: number;
  stale: number;
  coalesced: number;
  /** Requests of cached routes that their handlers answered. */
  fills: number;
  bypassed: number;
  /** Milliseconds that handlers would have taken. */
  savedMs: number;
  /** Requests and milliseconds saved, by route. */
  readonly routes: Record<string, [requests: number, savedMs: number]>;
}

/** What is known of one route since the process started. */
export interface RouteTotals {
  readonly route: string;
  hits: number;
  stale: number;
  coalesced: number;
  /** Requests that their handlers answered. */
  fills: number;
  /** Runs of handlers, also in the background, of which the response is kept. */
  stored: number;
  bypassed: number;
  savedMs: number;
  handlerMs: number;
  hitMs: number;
  /** By reason. */
  readonly skipped: Record<string, number>;
}

/** What a request is counted under, once. */
type Verdict = 'hits' | 'stale' | 'coalesced' | 'fills' | 'bypassed';

/** Counts what the cache does: by second for charts, and by route. As much memory as there are routes, to a bound. */
export class LiveStats {
  readonly #seconds: Second[] = [];
  readonly #routes = new ByRoute<RouteTotals>(nothingOf);
  /** How often hits and handlers took how long, by class. */
  readonly latency = { hits: classes(), misses: classes() };

  take(event: CacheEvent): void {
    switch (event.type) {
      case 'hit':
      case 'stale':
      case 'coalesced': {
        const kind = event.type === 'hit' ? 'hits' : event.type;
        const totals = this.#routes.of(event.route);
        this.#count(event.at, totals.route, kind, event.savedMs ?? 0);
        totals[kind]++;
        totals.savedMs += event.savedMs ?? 0;
        if (kind === 'coalesced') return;
        totals.hitMs += event.durationMs;
        add(this.latency.hits, event.durationMs);
        return;
      }
      case 'stored':
      case 'skipped': {
        // Who it was renewed for, if anybody, is told of a hit.
        if (event.handlerMs === undefined) return;
        const totals = this.#routes.of(event.route);
        if (event.type === 'stored') totals.stored++;
        else totals.skipped[event.reason] = (totals.skipped[event.reason] ?? 0) + 1;
        totals.handlerMs += event.handlerMs;
        add(this.latency.misses, event.handlerMs);
        return;
      }
      case 'handled':
      case 'bypassed': {
        const kind = event.type === 'handled' ? 'fills' : 'bypassed';
        const totals = this.#routes.of(event.route);
        totals[kind]++;
        this.#count(event.at, totals.route, kind, 0);
        return;
      }
      default:
    }
  }

  /** Seconds after `at`, the running one included: it will be sent again. */
  since(at: number): readonly Second[] {
    return this.#seconds.filter((second) => second.at > at);
  }

  routes(): readonly RouteTotals[] {
    return this.#routes.values();
  }

  #count(at: number, route: string, kind: Verdict, savedMs: number): void {
    const second = this.#second(Math.floor(at / 1_000));
    second[kind]++;
    second.savedMs += savedMs;
    const own = (second.routes[route] ??= [0, 0]);
    own[0]++;
    own[1] += savedMs;
  }

  #second(at: number): Second {
    const last = this.#seconds.at(-1);
    // A clock that was set back counts for the last second that there was.
    if (last !== undefined && last.at >= at) return last;
    const second: Second = {
      at,
      hits: 0,
      stale: 0,
      coalesced: 0,
      fills: 0,
      bypassed: 0,
      savedMs: 0,
      routes: Object.create(null) as Second['routes'],
    };
    this.#seconds.push(second);
    if (this.#seconds.length > MAX_SECONDS) this.#seconds.shift();
    return second;
  }
}

function nothingOf(route: string): RouteTotals {
  return {
    route,
    hits: 0,
    stale: 0,
    coalesced: 0,
    fills: 0,
    stored: 0,
    bypassed: 0,
    savedMs: 0,
    handlerMs: 0,
    hitMs: 0,
    skipped: {},
  };
}

function classes(): number[] {
  return Array.from({ length: DURATION_CLASSES.length + 1 }, () => 0);
}

function add(counts: number[], duration: number): void {
  const found = DURATION_CLASSES.findIndex((bound) => duration <= bound);
  const at = found === -1 ? DURATION_CLASSES.length : found;
  counts[at] = (counts[at] ?? 0) + 1;
}

import type { Clock } from '../cache/clock.js';
import type { Entry } from '../cache/entry.js';
import type { Exchange, RequestObserver } from './delivery.js';
import type { ViewPolicy } from './route-policy.js';

/** Fills that are looked at together: fewer say nothing of a route. */
export const WINDOW_FILLS = 1_000;

/** And for how long at least, in milliseconds: a cache that starts, or was evicted as a whole, is filled first. */
export const WINDOW = 60_000;

/** Windows in a row after which it is no accident. */
const WINDOWS = 2;

/** What recording, hashing and storing a response takes, in microseconds, by `bench/`, with some to spare. */
const FILL_COST = 100;

interface Worth {
  since: number;
  hits: number;
  fills: number;
  /** What handlers took for what hits served again, in microseconds. */
  saved: number;
  /** Windows in a row that did not pay. */
  losses: number;
  isTold: boolean;
}

export interface RouteWatchHost {
  readonly clock: Clock;
  readonly warn: (message: string) => void;
  /** Told of hits as well. */
  readonly next?: Pick<RequestObserver, 'onHit'> | undefined;
}

/**
 * Says once of a route that caching it costs more than it saves: hardly anything that is stored is asked for again, or
 * its handler is as fast as the cache. A few numbers for each route.
 */
export class RouteWatch implements RequestObserver {
  readonly #host: RouteWatchHost;
  readonly #worth = new Map<ViewPolicy, Worth>();

  constructor(host: RouteWatchHost) {
    this.#host = host;
  }

  onHit(policy: ViewPolicy, exchange: Exchange, entry: Entry): void {
    this.onStale(policy, entry);
    this.#host.next?.onHit(policy, exchange, entry);
  }

  /** Saves as much as a hit. */
  onStale(policy: ViewPolicy, entry: Entry): void {
    const worth = this.#of(policy);
    worth.hits++;
    worth.saved += entry.handlerTime ?? 0;
  }

  onFill(policy: ViewPolicy): void {
    const worth = this.#of(policy);
    worth.fills++;
    if (worth.fills % WINDOW_FILLS !== 0 || worth.isTold) return;
    const now = this.#host.clock.now();
    if (now - worth.since >= 0 && now - worth.since < WINDOW) return;
    this.#judge(policy, worth);
    Object.assign(worth, { since: now, hits: 0, fills: 0, saved: 0 });
  }

  #judge({ route }: ViewPolicy, worth: Worth): void {
    const { hits, fills, saved } = worth;
    const cost = fills * FILL_COST;
    worth.losses = saved < cost ? worth.losses + 1 : 0;
    if (worth.losses < WINDOWS) return;
    worth.isTold = true;
    const share = ((100 * hits) / (hits + fills)).toFixed(1);
    this.#host.warn(
      `${route}: caching it costs more than it saves. Of its last ${hits + fills} requests ${hits} (${share} %) were ` +
        `answered from the cache, which saved ${seconds(saved)} of its handler's time; storing what the others got took ` +
        `about ${seconds(cost)}. Let its key cover less, keep responses for longer, evict less of them, or leave ` +
        `@CacheView away.`,
    );
  }

  #of(policy: ViewPolicy): Worth {
    let worth = this.#worth.get(policy);
    if (worth === undefined) {
      worth = { since: this.#host.clock.now(), hits: 0, fills: 0, saved: 0, losses: 0, isTold: false };
      this.#worth.set(policy, worth);
    }
    return worth;
  }
}

function seconds(microseconds: number): string {
  return `${(microseconds / 1_000_000).toFixed(3)} s`;
}

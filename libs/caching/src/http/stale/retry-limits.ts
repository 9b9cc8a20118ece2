import type { Clock } from '../../cache/clock.js';
import { RecentMap } from '../../recent-map.js';

/** How long nobody tries a key again after its handler failed, in milliseconds: twice as long each time. */
export const RETRY_PERIOD = { first: 1_000, longest: 10_000 } as const;

/** How many keys of a route are tried within `RETRY_WINDOW`, from its first failure to its next success. */
export const ROUTE_RETRIES = 10;
const RETRY_WINDOW = 1_000;

/** Keys whose failures are remembered. */
const MAX_KEYS = 10_000;

interface FailingKey {
  readonly failures: number;
  readonly until: number;
}

interface FailingRoute {
  windowStart: number;
  tries: number;
}

/**
 * How often a handler that fails is tried by requests that have something stale to be answered with: a backend that is
 * down is not kept down by those who ask whether it is up.
 */
export class RetryLimits {
  readonly #keys = new RecentMap<FailingKey>(MAX_KEYS);
  /** As many as the application has routes. */
  readonly #routes = new Map<string, FailingRoute>();

  constructor(private readonly clock: Clock) {}

  /** Whether a handler may be tried now. Of a key that has failed, whoever is told so is the only one for a while. */
  admit(route: string, key: string): boolean {
    const now = this.clock.now();
    const last = this.#keys.get(key);
    const hasFailed = last !== undefined && last.failures > 0;
    if (hasFailed && isBefore(now, last.until)) return false;
    if (!this.#admitRoute(route, now)) return false;
    if (hasFailed) this.#note(key, last.failures, now);
    return true;
  }

  failed(route: string, key: string): void {
    const now = this.clock.now();
    if (!this.#routes.has(route)) this.#routes.set(route, { windowStart: now, tries: 0 });
    this.#note(key, (this.#keys.get(key)?.failures ?? 0) + 1, now);
  }

  succeeded(route: string, key: string): void {
    this.#routes.delete(route);
    if (this.#keys.get(key) !== undefined) this.#keys.set(key, NEVER_FAILED);
  }

  #admitRoute(route: string, now: number): boolean {
    const failing = this.#routes.get(route);
    if (failing === undefined) return true;
    if (now < failing.windowStart || now - failing.windowStart >= RETRY_WINDOW) {
      failing.windowStart = now;
      failing.tries = 0;
    }
    return failing.tries++ < ROUTE_RETRIES;
  }

  #note(key: string, failures: number, now: number): void {
    const period = Math.min(RETRY_PERIOD.first * 2 ** (failures - 1), RETRY_PERIOD.longest);
    this.#keys.set(key, { failures, until: now + period });
  }
}

const NEVER_FAILED: FailingKey = { failures: 0, until: 0 };

/** A clock that was set back must not stop all tries until it has caught up. */
function isBefore(now: number, until: number): boolean {
  return now < until && until - now <= RETRY_PERIOD.longest;
}

import { LRUCache } from 'lru-cache';
import { type Clock, elapsed } from './clock.js';

/** How long a key is remembered as not worth waiting for, in milliseconds. */
export const HIT_FOR_MISS_LIFE = 2_000;
const MAX_KEYS = 10_000;

/**
 * Keys whose last response proved to be for one client only. Requests for them don't queue behind each other
 * (Varnish calls this hit-for-miss); each runs its own handler, and the first that can be stored ends it.
 */
export class HitForMiss {
  readonly #until = new LRUCache<string, number>({ max: MAX_KEYS });

  constructor(private readonly clock: Clock) {}

  add(key: string): void {
    this.#until.set(key, elapsed(this.clock) + HIT_FOR_MISS_LIFE);
  }

  has(key: string): boolean {
    if (this.#until.size === 0) return false;
    const until = this.#until.get(key);
    if (until === undefined) return false;
    if (until > elapsed(this.clock)) return true;
    this.#until.delete(key);
    return false;
  }

  delete(key: string): void {
    if (this.#until.size > 0) this.#until.delete(key);
  }
}

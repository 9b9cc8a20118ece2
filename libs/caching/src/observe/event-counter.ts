import type { CacheEvent, CacheTier, HitEvent } from './cache-event.js';

/**
 * Counts events, and hits without one: what it needs of a hit is a small part of what its events tell, which would be
 * most of what metrics cost.
 */
export interface EventCounter {
  record(event: CacheEvent): void;
  /** In place of a `hit` event, and of a `lookup` in this process, while nobody else listens. */
  hit(
    route: string,
    tier: CacheTier,
    bytes: number,
    savedMs: number | undefined,
    reason: HitEvent['reason'],
  ): void;
}

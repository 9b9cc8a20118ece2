import type { BypassReason, SkipReason } from '../cache/reasons.js';

/**
 * What the cache did, as one union. No bodies, no keys, no credentials: a route and a reason are enough to count
 * and to explain, and safe to log.
 */
export type CacheEvent =
  | { readonly type: 'hit'; readonly route: string; readonly ageMs: number }
  | { readonly type: 'miss'; readonly route: string }
  /** A request that waited for another's fill and was given its response. */
  | { readonly type: 'coalesced'; readonly route: string }
  | { readonly type: 'stored'; readonly route: string; readonly ttlMs: number; readonly bytes: number }
  /** The handler ran and its response was not kept. */
  | { readonly type: 'skipped'; readonly route: string; readonly reason: SkipReason }
  /** Neither read nor written. */
  | { readonly type: 'bypassed'; readonly route: string; readonly reason: BypassReason }
  /** Not `acknowledged`: a shared store could not be told yet, and will be. */
  | { readonly type: 'evicted'; readonly tags: number; readonly acknowledged: boolean }
  | { readonly type: 'storeError'; readonly operation: string; readonly error: unknown };

export type CacheListener = (event: CacheEvent) => void;

/**
 * Tells listeners what the cache does. Inject it to log or count.
 *
 * @example
 * constructor(events: CacheEvents) {
 *   events.on((event) => event.type === 'storeError' && this.logger.warn(event.operation));
 * }
 */
export class CacheEvents {
  readonly #listeners = new Set<CacheListener>();

  constructor(private readonly onListenerError: (error: unknown) => void) {}

  /** False while nobody listens: then no event is even made. */
  get active(): boolean {
    return this.#listeners.size > 0;
  }

  /** Calls `listener` for every event, in the order they happen; the returned function stops it. */
  on(listener: CacheListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @internal */
  emit(event: CacheEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        // A listener that fails must fail neither the request nor the other listeners.
        this.onListenerError(error);
      }
    }
  }
}

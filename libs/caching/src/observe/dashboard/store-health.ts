import type { CacheEvent } from '../cache-event.js';

/** How the store is, as far as its events tell. */
export class StoreHealth {
  #open = new Set<string>();
  #hears: boolean | undefined;
  #lagMs: number | undefined;
  #errors = 0;
  #lastError: { readonly at: number; readonly operation: string } | undefined;
  #unacknowledged = 0;

  take(event: CacheEvent): void {
    if (event.type === 'storeError') {
      this.#errors++;
      this.#lastError = { at: event.at, operation: event.operation };
    } else if (event.type === 'breaker') {
      if (event.state === 'open') this.#open.add(event.store);
      else this.#open.delete(event.store);
    } else if (event.type === 'coherence') {
      if (event.change === 'synchronized') this.#lagMs = event.lagMs;
      else this.#hears = event.change === 'gap' ? this.#hears : event.change === 'hears';
    } else if (event.type === 'evicted' && event.cause === 'tags' && !event.acknowledged)
      this.#unacknowledged++;
  }

  get now() {
    return {
      /** The breaker of it, or of some of its nodes, is open: it is not asked. */
      open: this.#open.size > 0,
      /** Whether it hears of evictions by other instances; nothing where nobody else can evict, or it always has. */
      hears: this.#hears,
      /** For how long evictions by others may have gone unnoticed, when it last looked. */
      lagMs: this.#lagMs,
      errors: this.#errors,
      lastError: this.#lastError,
      /** Evictions that it could not be told at once. */
      unacknowledged: this.#unacknowledged,
    };
  }
}

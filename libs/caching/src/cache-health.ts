/** Whether the cache's store can be asked, and what is in memory. */
export interface CacheHealthReport {
  /** Its name, such as `memory` or `redis`. */
  readonly store: string;
  /** False: requests run their handlers, and evictions wait to be told to other instances. */
  readonly reachable: boolean;
  /** What the answer took, in milliseconds. */
  readonly latencyMs: number;
  /** In the memory of this process; nothing where nothing is. */
  readonly entries?: number;
  /** What these take, as the bound of the memory counts them. */
  readonly bytes?: number;
}

/**
 * Asks the store whether it answers. `nestjs-caching/terminus` has an indicator that uses it.
 *
 * @example
 * const { reachable, latencyMs } = await this.health.check();
 */
export class CacheHealth {
  /** @internal */
  constructor(private readonly ask: () => Promise<CacheHealthReport>) {}

  /** Within `storeTimeout`; never rejects. */
  check(): Promise<CacheHealthReport> {
    return this.ask();
  }
}

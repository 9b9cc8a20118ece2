/** Is told what happens between this process and a shared tier. */
export interface TierObserver {
  /** @param open how many breakers of the tier are open now */
  breaker(state: 'open' | 'closed', open: number): void;
  /**
   * It was asked what was evicted.
   *
   * @param lagMs for how long evictions by others may have gone unnoticed, in milliseconds; nothing the first time
   * @param missed tags that had been evicted without a word; `'all'` where that is not known
   */
  synchronized(lagMs: number | undefined, missed: number | 'all'): void;
  /** A message was missed; the subscription is down; it is up again. */
  hearing(change: 'gap' | 'deaf' | 'hears'): void;
}

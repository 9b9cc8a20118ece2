import type { Clock } from '../cache/clock.js';
import type { TierObserver } from '../stores/tier-observer.js';
import type { CacheEvents } from './events.js';

/** Tells what happens between this process and a shared tier as events. */
export function tellTier(events: CacheEvents, clock: Clock, store: string): TierObserver {
  return {
    breaker: (state, open) => {
      if (events.active) events.emit({ type: 'breaker', at: clock.now(), store, state, open });
    },
    synchronized: (lagMs, missed) => {
      if (events.active)
        events.emit({ type: 'coherence', at: clock.now(), change: 'synchronized', lagMs, missed });
    },
    hearing: (change) => {
      if (events.active) events.emit({ type: 'coherence', at: clock.now(), change });
    },
  };
}

/** Tells of entries that memory had no room for. */
export function tellDropped(events: CacheEvents, clock: Clock): (bytes: number) => void {
  return (bytes) => {
    if (!events.active) return;
    events.emit({ type: 'evicted', at: clock.now(), cause: 'capacity', bytes });
  };
}

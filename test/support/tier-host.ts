import { systemClock } from '../../libs/caching/src/cache/clock.js';
import type { SharedTierHost } from '../../libs/caching/src/stores/shared-tier.js';

const ignored = (): undefined => undefined;

/** Whom a tier is opened for, at the system's time: nobody who listens, but for what is given. */
export function tierHost(namespace: string, given: Partial<SharedTierHost> = {}): SharedTierHost {
  return {
    namespace,
    clock: systemClock,
    timeout: 5_000,
    longestLife: () => 60_000,
    onEviction: ignored,
    onHearing: ignored,
    onReachable: ignored,
    onError: ignored,
    onCaveat: ignored,
    ...given,
  };
}

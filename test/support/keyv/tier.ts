import type { Keyv } from 'keyv';
import type { KeyvAdapter } from '../../../libs/caching/src/stores/keyv/keyv-adapter.js';
import { keyv, type KeyvTier } from '../../../libs/caching/src/stores/keyv/keyv.store.js';
import type { SharedTierHost } from '../../../libs/caching/src/stores/shared-tier.js';
import { FakeClock } from '../fake-clock.js';
import { tierHost } from '../tier-host.js';

export interface OpenTier {
  readonly tier: KeyvTier;
  readonly clock: FakeClock;
  /** What the host was told: operations that failed while nobody waited. */
  readonly failures: string[];
}

/** A tier on `store`, opened for `namespace`. It is closed by the test, or left as a killed process leaves it. */
export function openTier(
  store: Keyv | KeyvAdapter,
  namespace: string,
  given: Partial<SharedTierHost> & { readonly clock?: FakeClock } = {},
): OpenTier {
  const { clock = new FakeClock() } = given;
  const failures: string[] = [];
  const tier = keyv(store);
  tier.open(
    tierHost(namespace, {
      longestLife: () => 3_600_000,
      onError: (operation) => failures.push(operation),
      ...given,
      clock,
    }),
  );
  return { tier, clock, failures };
}

import type { MaybePromise } from '../cache/maybe-promise.js';
import { OpenedTiers, type SharedTierTraits, type SharedTierUnderTest } from './opened-tiers.js';
import { promisesOf, type StorePromise } from './promises.js';
import { TIER_BYTES_PROMISES } from './tier-bytes-promises.js';
import { TIER_INSTANCES_PROMISES } from './tier-instances-promises.js';
import { TIER_SEQUENCE_PROMISES } from './tier-sequence-promises.js';
import { TIER_VALUES_PROMISES } from './tier-values-promises.js';

/**
 * What the cache relies on in a store that is put behind memory, as `redis()` and `keyv()` are: bytes with an expiry, the
 * sequence of evictions, plain values; and, of a storage that several instances use at once, that they hear of each
 * other and that one of them fills.
 *
 * Expiry is the storage's own here, so some promises take a second or two. Each is checked in a namespace of its own:
 * one server will do for all.
 *
 * @param open gives a storage that is ready
 * @example
 * import { sharedTierContract } from 'nestjs-caching/testing';
 *
 * const contract = sharedTierContract(
 *   () => ({
 *     connect: () => new MyTier(server.url),
 *     bytes: (namespace) => server.bytesOf(namespace),
 *     loseSequence: (namespace) => server.remove(`${namespace}:sequence`),
 *   }),
 *   { sharedBy: 'instances' },
 * );
 * for (const { promise, check } of contract) it(promise, () => check());
 */
export function sharedTierContract(
  open: () => MaybePromise<SharedTierUnderTest>,
  traits: SharedTierTraits,
): readonly StorePromise[] {
  const ofAll = [TIER_BYTES_PROMISES, TIER_SEQUENCE_PROMISES, TIER_VALUES_PROMISES];
  return promisesOf(
    async () => new OpenedTiers(await open(), traits),
    traits.sharedBy === 'instances' ? [...ofAll, TIER_INSTANCES_PROMISES] : ofAll,
  );
}

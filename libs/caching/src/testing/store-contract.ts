import type { MaybePromise } from '../cache/maybe-promise.js';
import { CONCURRENCY_PROMISES } from './concurrency-promises.js';
import { ENTRY_PROMISES } from './entry-promises.js';
import { EVICTION_PROMISES } from './eviction-promises.js';
import { OpenedStore, type StoreUnderTest } from './opened-store.js';
import { promisesOf, type StorePromise } from './promises.js';
import {
  type BytesStoreUnderTest,
  OpenedBytesStore,
  STORED_BYTES_PROMISES,
} from './stored-bytes-promises.js';

/**
 * What the cache relies on, whatever a store is made of: entries and their expiry, evictions and where fills stand to
 * them, and many who ask at once. Each promise is checked on a store of its own; any test runner will do.
 *
 * @param open gives a store that is empty, ready, goes by the clock that comes with it, and has room for a thousand
 *   entries
 * @example
 * import { FakeClock, storeContract } from 'nestjs-caching/testing';
 *
 * const open = () => {
 *   const clock = new FakeClock();
 *   return { store: new MyStore({ clock }), clock };
 * };
 *
 * // Vitest, Jest, or node:test
 * describe('MyStore', () => {
 *   for (const { promise, check } of storeContract(open)) it(promise, () => check());
 * });
 */
export function storeContract(open: () => MaybePromise<StoreUnderTest>): readonly StorePromise[] {
  return promisesOf(
    async () => new OpenedStore(await open()),
    [ENTRY_PROMISES, EVICTION_PROMISES, CONCURRENCY_PROMISES],
  );
}

/**
 * What a store promises in addition whose bytes lie where others can reach them, as files and servers do: whatever is
 * found there that is not this key's whole and current entry is a miss, and never an error.
 *
 * @param open as for `storeContract`, with a way to the bytes past the store
 * @example
 * for (const { promise, check } of storedBytesContract(open)) it(promise, () => check());
 */
export function storedBytesContract(open: () => MaybePromise<BytesStoreUnderTest>): readonly StorePromise[] {
  return promisesOf(async () => new OpenedBytesStore(await open()), [STORED_BYTES_PROMISES]);
}

export {
  ChaosStore,
  type ChaosStoreOptions,
  type Fault,
  type StoreOperation,
} from './testing/chaos-store.js';
export { FakeClock } from './testing/fake-clock.js';
export type { StoreUnderTest } from './testing/opened-store.js';
export type { SharedTierTraits, SharedTierUnderTest } from './testing/opened-tiers.js';
export type { StorePromise } from './testing/promises.js';
export { sampleEntry, type SampleEntry, sampleResponse } from './testing/sample-entry.js';
export { sharedTierContract } from './testing/shared-tier-contract.js';
export { storeContract, storedBytesContract } from './testing/store-contract.js';
export type { BytesStoreUnderTest, StoredBytes } from './testing/stored-bytes-promises.js';

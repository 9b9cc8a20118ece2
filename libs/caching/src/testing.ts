export {
  ChaosStore,
  type ChaosStoreOptions,
  type Fault,
  type StoreOperation,
} from './testing/chaos-store.js';
export type { TestReply, TestRequest } from './testing/ask.js';
export { expectCached, expectEvicted, expectNotCached } from './testing/expect-cached.js';
export { FakeClock } from './testing/fake-clock.js';
export type { StoreUnderTest } from './testing/opened-store.js';
export type { SharedTierTraits, SharedTierUnderTest } from './testing/opened-tiers.js';
export { overrideCaching, type OverridableModule } from './testing/override-caching.js';
export {
  type EventOf,
  RecordedEvents,
  recordEvents,
  type TestedApplication,
} from './testing/recorded-events.js';
export type { StorePromise } from './testing/promises.js';
export { sampleEntry, type SampleEntry, sampleResponse } from './testing/sample-entry.js';
export { sharedTierContract } from './testing/shared-tier-contract.js';
export { storeContract, storedBytesContract } from './testing/store-contract.js';
export type { BytesStoreUnderTest, StoredBytes } from './testing/stored-bytes-promises.js';

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type Clock, systemClock } from '../cache/clock.js';
import type { MaybePromise } from '../cache/maybe-promise.js';
import type { StampPosition } from '../cache/stamps.js';
import type { SharedTier } from '../stores/shared-tier.js';
import type { StoredBytes } from './stored-bytes-promises.js';
import { until } from './until.js';

/** A storage that is ready, and ways to it. */
export interface SharedTierUnderTest {
  /** A tier on this storage that is not open yet, as each instance of an application makes one. */
  connect(): SharedTier;
  /** What opened tiers go by. Default: the system's. */
  readonly clock?: Clock;
  /** The bytes of a namespace's entries, past the tier. */
  bytes(namespace: string): StoredBytes;
  /** Loses where a namespace's sequence of evictions stands, as a server does that is emptied. */
  loseSequence(namespace: string): Promise<void>;
  /** Ends what was opened beside the tiers. */
  close?(): MaybePromise<void>;
}

/** What differs between storages. */
export interface SharedTierTraits {
  /**
   * Who uses the storage: several `instances` at once, that hear of each other's evictions; or the `lives` of one
   * instance, one after the other.
   */
  readonly sharedBy: 'instances' | 'lives';
}

/** Milliseconds: much, as the machine may be busy. */
const TIMEOUT = 5_000;
const LONGEST_LIFE = 60_000;

/** Keys that lie on all nodes of a storage that has several. */
const PROBES = Array.from({ length: 64 }, (_, at) => `probe ${at}`);

/** An eviction as one was told of it. */
export interface HeardEviction {
  readonly position: StampPosition;
  readonly tags: readonly string[] | undefined;
}

/** A tier that is open and reaches its storage. */
export interface OpenedTier {
  readonly tier: SharedTier;
  readonly heard: readonly HeardEviction[];
}

/** Tiers on one storage, in a namespace that nobody else has. */
export class OpenedTiers {
  readonly namespace = `contract-${randomUUID().slice(0, 13)}`;
  readonly #open = new Set<SharedTier>();
  /** What failed that nobody waited for, or turned out not to be guaranteed. */
  readonly #complaints: string[] = [];

  constructor(
    readonly storage: SharedTierUnderTest,
    private readonly traits: SharedTierTraits,
  ) {}

  get bytes(): StoredBytes {
    return this.storage.bytes(this.namespace);
  }

  /** Opens one, and waits until it can be asked and hears of evictions. */
  async open(namespace = this.namespace): Promise<OpenedTier> {
    return this.#ready(this.storage.connect(), namespace);
  }

  /** The same tier once more, after it was closed. */
  async reopen({ tier }: OpenedTier): Promise<OpenedTier> {
    await tier.close();
    return this.#ready(tier, this.namespace);
  }

  /** @throws AssertionError where something failed although nothing was wrong with the storage */
  conclude(): void {
    assert.deepEqual(this.#complaints, []);
  }

  async #ready(tier: SharedTier, namespace: string): Promise<OpenedTier> {
    const heard: HeardEviction[] = [];
    let hears = this.traits.sharedBy === 'lives';
    this.#open.add(tier);
    tier.open({
      namespace,
      clock: this.storage.clock ?? systemClock,
      timeout: TIMEOUT,
      longestLife: () => LONGEST_LIFE,
      onEviction: (position, tags) => heard.push({ position, tags }),
      onHearing: (now) => (hears = now),
      onReachable: () => undefined,
      onError: (operation, error) => this.#complaints.push(`${operation}: ${String(error)}`),
      onCaveat: (caveat) => this.#complaints.push(caveat),
    });
    await until('the tier reaches its storage', async () => {
      const answers = await Promise.allSettled([
        tier.sync(undefined),
        ...PROBES.map((key) => tier.lookup(key)),
      ]);
      return hears && answers.every(({ status }) => status === 'fulfilled');
    });
    return { tier, heard };
  }

  /** Another one, in the place of this one or beside it, as the storage allows. */
  async openNext({ tier }: OpenedTier): Promise<OpenedTier> {
    if (this.traits.sharedBy === 'lives') {
      this.#open.delete(tier);
      await tier.close();
    }
    return this.open();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map((tier) => tier.close()));
    await this.storage.close?.();
  }
}

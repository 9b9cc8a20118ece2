import assert from 'node:assert/strict';
import { type Entry, isEntry } from '../cache/entry.js';
import type { MaybePromise } from '../cache/maybe-promise.js';
import type { StampPosition } from '../cache/stamps.js';
import type { CacheStore } from '../stores/store.js';
import type { FakeClock } from './fake-clock.js';
import { sampleEntry, type SampleEntry } from './sample-entry.js';

/** A store that is empty and ready, and the clock that it goes by. */
export interface StoreUnderTest {
  readonly store: CacheStore;
  readonly clock: FakeClock;
  /** Ends what was opened. Default: closes the store. */
  close?(): MaybePromise<void>;
}

/** The place of an eviction: in the sequence that is shared, where the store has one. */
export function placeOf({ epoch, n, shared }: StampPosition): StampPosition {
  return shared ?? { epoch, n };
}

/** A store under test, asked as the engine asks it. */
export class OpenedStore {
  readonly store: CacheStore;
  readonly clock: FakeClock;

  constructor(private readonly given: StoreUnderTest) {
    this.store = given.store;
    this.clock = given.clock;
  }

  /** The response's body that is stored under `key`, as text. */
  async read(key: string): Promise<string | undefined> {
    const found = await this.store.lookup(key);
    return isEntry(found) ? String(found.response.body) : undefined;
  }

  async find(key: string): Promise<Entry> {
    const found = await this.store.lookup(key);
    assert.ok(isEntry(found), `nothing is stored under ${JSON.stringify(key.slice(0, 40))}`);
    return found;
  }

  /** Where a fill of `key` starts, under which nothing is stored. */
  async start(key = 'never stored'): Promise<StampPosition> {
    const found = await this.store.lookup(key);
    assert.ok(!isEntry(found), `something is stored under ${JSON.stringify(key.slice(0, 40))}`);
    return found;
  }

  /** An entry of a fill that starts now and ends at once. */
  async make(key: string, given: Partial<SampleEntry> = {}): Promise<Entry> {
    const start = given.start ?? (await this.start());
    return sampleEntry(key, { storedAt: this.clock.now(), ...given, start });
  }

  /** Stores it; tells whether the store says that it did. */
  async put(key: string, given?: Partial<SampleEntry>): Promise<boolean> {
    return this.store.set(await this.make(key, given));
  }

  async close(): Promise<void> {
    if (this.given.close === undefined) await this.store.close?.();
    else await this.given.close();
  }
}

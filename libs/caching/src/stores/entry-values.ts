import type { Clock } from '../cache/clock.js';
import { isEntry } from '../cache/entry.js';
import { ownBytes } from './own-bytes.js';
import type { ValueStorage } from './shared-tier.js';
import type { CacheStore } from './store.js';

/** Plain values in a store of views, within its bounds: bodies of entries that no view's key can name. */
export class EntryValues implements ValueStorage {
  /** Carried by every value of this namespace: what `clear()` evicts. No key starts like it. */
  readonly #all: string;
  readonly #prefix: string;
  #order = 0;

  constructor(
    private readonly store: CacheStore,
    private readonly clock: Clock,
    namespace: string,
  ) {
    this.#all = `*v:${namespace}`;
    this.#prefix = `${namespace}:value:`;
  }

  async get(key: string): Promise<string | undefined> {
    const found = await this.store.lookup(this.#key(key));
    return isEntry(found) ? found.response.body?.toString() : undefined;
  }

  async set(key: string, value: string, life: number): Promise<void> {
    const now = this.clock.now();
    await this.store.set({
      key: this.#key(key),
      response: { status: 200, headers: [], removed: [], body: ownBytes(value), delivery: 'framework' },
      tags: [this.#all, this.#key(key)],
      start: this.store.position,
      order: ++this.#order,
      storedAt: now,
      expiresAt: now + life,
    });
  }

  async delete(key: string): Promise<boolean> {
    const present = await this.has(key);
    // Each value carries its own key as a tag.
    if (this.store.delete === undefined) await this.store.evict([this.#key(key)]);
    else await this.store.delete(this.#key(key));
    return present;
  }

  async has(key: string): Promise<boolean> {
    return isEntry(await this.store.lookup(this.#key(key)));
  }

  async clear(): Promise<void> {
    await this.store.evict([this.#all]);
  }

  #key(key: string): string {
    return this.#prefix + key;
  }
}

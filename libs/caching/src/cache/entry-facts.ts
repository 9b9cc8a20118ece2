import { bytesOf, type Entry, type EntryLife, type HeaderField, sizeOf } from './entry.js';
import type { StampPosition } from './stamps.js';

/**
 * What may be known of a stored entry by looking at it. Not its body: a store may use the memory of one that it has given
 * to nobody again, and whoever looks keeps what there is to see.
 */
export class EntryFacts {
  readonly #entry: Entry;

  constructor(entry: Entry) {
    this.#entry = entry;
  }

  get key(): string {
    return this.#entry.key;
  }

  get tags(): readonly string[] {
    return this.#entry.tags;
  }

  /** Names of the request fields that tell the views of this key apart, where there are several. */
  get vary(): readonly string[] | undefined {
    return this.#entry.vary;
  }

  get start(): StampPosition {
    return this.#entry.start;
  }

  /** Milliseconds since the epoch. */
  get storedAt(): number {
    return this.#entry.storedAt;
  }

  /** Milliseconds since the epoch. */
  get expiresAt(): number {
    return this.#entry.expiresAt;
  }

  get freshness(): EntryLife | undefined {
    return this.#entry.freshness;
  }

  get tier(): Entry['tier'] {
    return this.#entry.tier;
  }

  get status(): number {
    return this.#entry.response.status;
  }

  get headers(): readonly HeaderField[] {
    return this.#entry.response.headers;
  }

  /** Of what it has to give. */
  get bodyBytes(): number {
    return bytesOf(this.#entry.response);
  }

  /** What it takes in memory. */
  get bytes(): number {
    return sizeOf(this.#entry);
  }
}

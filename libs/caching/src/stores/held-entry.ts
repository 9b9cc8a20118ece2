import { type Entry, type EntryLife, softened, type StoredResponse } from '../cache/entry.js';
import type { EvictionLog, StampPosition } from '../cache/stamps.js';
import { BodyMemory } from './body-memory.js';

/** Every field of an entry that is kept with it, so that none is forgotten below. */
type Held = { readonly [P in Exclude<keyof Entry, 'tier'>]-?: Entry[P] | undefined };

/**
 * An entry as it is held, with the last position at which it was found current: most hits then compare one reference.
 * One object, all of one shape, as among a million entries each object more to look into is a wait for memory.
 */
export class HeldEntry implements Held {
  readonly key: string;
  readonly variantOf: string | undefined;
  readonly response: StoredResponse;
  readonly tags: readonly string[];
  readonly start: StampPosition;
  readonly order: number;
  readonly storedAt: number;
  readonly expiresAt: number;
  freshness: EntryLife | undefined;
  readonly handlerTime: number | undefined;
  readonly validator: string | undefined;
  readonly vary: readonly string[] | undefined;
  #checkedAt: StampPosition;
  /** Its body is a copy that nobody outside of the store has seen yet. */
  #isUnseen: boolean;

  /** @param copy of its body, which only this entry has */
  constructor(entry: Entry, checkedAt: StampPosition, copy: Buffer | undefined) {
    this.key = entry.key;
    this.variantOf = entry.variantOf;
    this.response = copy === undefined ? entry.response : { ...entry.response, body: copy };
    this.tags = entry.tags;
    this.start = entry.start;
    this.order = entry.order;
    this.storedAt = entry.storedAt;
    this.expiresAt = entry.expiresAt;
    this.freshness = entry.freshness;
    this.handlerTime = entry.handlerTime;
    this.validator = entry.validator;
    this.vary = entry.vary;
    this.#checkedAt = checkedAt;
    this.#isUnseen = copy !== undefined;
  }

  /** To be handed out: from now on somebody may be sending its body, for however long. */
  seen(): this {
    this.#isUnseen = false;
    return this;
  }

  /** What its copy of the body takes beside the body's length, in bytes. */
  get spare(): number {
    const copy = this.#copy;
    return copy === undefined ? 0 : BodyMemory.spareOf(copy);
  }

  /** It is not held any more: the memory of its body, where that can be used again. Given once. */
  release(): Buffer | undefined {
    const copy = this.#copy;
    this.#isUnseen = false;
    return copy;
  }

  get #copy(): Buffer | undefined {
    return this.#isUnseen ? this.response.body : undefined;
  }

  isCurrent(log: EvictionLog): boolean {
    const { position } = log;
    if (this.#checkedAt === position) return true;
    if (!log.isCurrent(this.start, this.tags)) return false;
    this.soften(log);
    this.#checkedAt = position;
    return true;
  }

  /** It may have been softly evicted: then its time is over. */
  soften(log: EvictionLog): void {
    const at = log.softenedAt(this.start, this.tags);
    if (at !== undefined) this.freshness = softened(this, at);
  }
}

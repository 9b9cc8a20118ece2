import type { Clock } from '../../cache/clock.js';
import type { StampDelta } from '../../cache/shared-log.js';
import { sizeOf } from './keyv-snapshot.js';

/** A tag's last eviction: its place in the sequence, and when it was. */
export interface Stamp {
  readonly n: number;
  readonly at: number;
}

/** A tag with its stamp. */
export type StampEntry = readonly [tag: string, stamp: Stamp];

/** Characters of all tags, about 100,000 short ones; beyond, the oldest are forgotten: what is older than them misses. */
const MAX_SIZE = 4 * 1024 * 1024;

/** A tag that is longer evicts everything instead: records are bounded. */
const MAX_TAG_LENGTH = 16_384;

/**
 * The sequence of evictions as this process knows it, which is all of it. An eviction counts at once for those who ask
 * what was evicted, but its place is told to nobody (`delta`) before it was written down.
 */
export class KeyvStamps {
  readonly epoch: string;
  readonly #clock: Clock;
  /** In the order of their stamps, oldest first. */
  readonly #stamps = new Map<string, Stamp>();
  /** The newest of them: those that are in no part yet. */
  readonly #tail = new Map<string, Stamp>();
  #size = 0;
  #n: number;
  #floor: number;

  constructor(
    clock: Clock,
    { epoch, n, floor }: { readonly epoch: string; readonly n: number; readonly floor: number },
  ) {
    this.#clock = clock;
    this.epoch = epoch;
    this.#n = n;
    this.#floor = floor;
  }

  get n(): number {
    return this.#n;
  }

  get floor(): number {
    return this.#floor;
  }

  /** All, in ascending order. */
  all(): StampEntry[] {
    return [...this.#stamps];
  }

  /** Those that are in no part, in ascending order. */
  tail(): StampEntry[] {
    return [...this.#tail];
  }

  /** Takes over what was written down: in ascending order, parts first. */
  restore([tag, stamp]: StampEntry, isInPart: boolean): void {
    this.#put(tag, stamp);
    if (isInPart) this.#tail.delete(tag);
  }

  /** All up to `n` is in parts now. */
  file(n: number): void {
    for (const [tag, stamp] of this.#tail) {
      if (stamp.n > n) return;
      this.#tail.delete(tag);
    }
  }

  /** Evicts `tags`; tells the place. */
  evict(tags: readonly string[]): number {
    const n = ++this.#n;
    const at = this.#clock.now();
    for (const tag of tags) {
      if (tag.length > MAX_TAG_LENGTH) this.#floor = n;
      else this.#put(tag, { n, at });
    }
    this.#forgetWhile(() => this.#size > MAX_SIZE);
    return n;
  }

  /** Forgets all that was evicted before `time`: whatever started before it is not known to be valid any more. */
  forgetBefore(time: number): void {
    this.#forgetWhile(({ at }) => at < time);
  }

  /** What was evicted after `known`, for one who may know about no place after `written`. */
  delta(known: number, written: number): StampDelta {
    const stamps: [string, number][] = [];
    if (known < this.#n) {
      // A tag's last eviction, not written yet, hides an earlier one that is: it is told as the newest that may be.
      for (const [tag, { n }] of this.#stamps) if (n > known) stamps.push([tag, Math.min(n, written)]);
    }
    return { position: { epoch: this.epoch, n: written }, floor: Math.min(this.#floor, written), stamps };
  }

  #put(tag: string, stamp: Stamp): void {
    if (this.#stamps.delete(tag)) this.#tail.delete(tag);
    else this.#size += sizeOf(tag);
    this.#stamps.set(tag, stamp);
    this.#tail.set(tag, stamp);
  }

  /** Oldest first. What started before a stamp that is forgotten is valid no more. */
  #forgetWhile(isOver: (stamp: Stamp) => boolean): void {
    for (const [tag, stamp] of this.#stamps) {
      if (!isOver(stamp)) return;
      this.#stamps.delete(tag);
      this.#tail.delete(tag);
      this.#size -= sizeOf(tag);
      this.#floor = Math.max(this.#floor, stamp.n);
    }
  }
}

import { randomUUID } from 'node:crypto';
import type { Clock } from './clock.js';
import { hardened, softTag } from './soft.js';

/**
 * A place in the eviction sequence: `n` evictions had happened in `epoch`. A fill notes it before its handler
 * runs, an eviction returns the one it made.
 */
export interface StampPosition {
  readonly epoch: string;
  readonly n: number;
  /** Where the sequence that this process shares with others stood, as far as it knew. */
  readonly shared?: StampPosition;
  /** The store could not be asked: only fills that started after this time, in milliseconds, may be joined. */
  readonly joinsAfter?: number;
}

/** Whether no eviction lies between the two. */
export function isSamePosition(a: StampPosition, b: StampPosition): boolean {
  return a === b || (a.n === b.n && a.epoch === b.epoch);
}

export interface EvictionLogOptions {
  readonly clock: Clock;
  /** How many tags' stamps are kept at the most. Default 100,000. */
  readonly maxTags?: number;
  /** For how long a stamp can matter, in milliseconds: grows with `expectLife`. Default a minute. */
  readonly longestLife?: number;
  /** Default: a new one. */
  readonly epoch?: string;
  /** Where the sequence stands already. Default 0. */
  readonly n?: number;
  /** What started before this is not current, whatever its tags. Default 0. */
  readonly floor?: number;
}

/**
 * Which tags were evicted, and when in the sequence: what makes an eviction cost the same for one entry as for
 * a million, and win against every fill that started before it.
 *
 * An entry whose fill started at `S` is current while every one of its tags was last evicted at or before `S`.
 * A tag without a stamp counts as `floor`, which rises when stamps are dropped: losing a stamp can only cause
 * misses.
 */
export class EvictionLog {
  readonly #clock: Clock;
  /** For how long a stamp can matter: the longest life that any entry was given, in milliseconds. */
  #longestLife: number;
  readonly #maxTags: number;
  /** In the order of their stamps, oldest first, as each eviction moves its tags to the end. */
  readonly #stamps = new Map<string, { readonly n: number; readonly at: number }>();
  #floor: number;
  #position: StampPosition;
  /** Whether anything was ever softly evicted: mostly nothing was, and nothing is looked for. */
  #hasSoft = false;

  constructor({
    clock,
    maxTags = 100_000,
    longestLife = 60_000,
    epoch = randomUUID(),
    n = 0,
    floor = 0,
  }: EvictionLogOptions) {
    this.#clock = clock;
    this.#maxTags = maxTags;
    this.#longestLife = longestLife;
    this.#floor = floor;
    this.#position = { epoch, n };
  }

  /** Where the sequence stands now. The object is replaced by each eviction, so identity means "nothing happened". */
  get position(): StampPosition {
    return this.#position;
  }

  /** How many tags have a stamp. */
  get size(): number {
    return this.#stamps.size;
  }

  /** When in the sequence a tag was last evicted; nothing where that is not known, or never was. */
  stampOf(tag: string): number | undefined {
    return this.#stamps.get(tag)?.n;
  }

  /** Whether nothing that `tags` name was evicted after `start`. */
  isCurrent(start: StampPosition, tags: Iterable<string>): boolean {
    if (start === this.#position) return true;
    if (start.epoch !== this.#position.epoch || start.n > this.#position.n || start.n < this.#floor)
      return false;
    for (const tag of tags) {
      const stamp = this.#stamps.get(tag);
      if (stamp !== undefined && stamp.n > start.n) return false;
    }
    return true;
  }

  /**
   * When, in milliseconds since the epoch, this process heard that something which `tags` name was softly evicted after
   * `start`. Nothing where it was not.
   */
  softenedAt(start: StampPosition, tags: Iterable<string>): number | undefined {
    if (!this.#hasSoft || start === this.#position) return undefined;
    let first: number | undefined;
    for (const tag of tags) {
      const stamp = this.#stamps.get(softTag(tag));
      if (stamp !== undefined && stamp.n > start.n) first = Math.min(first ?? stamp.at, stamp.at);
    }
    return first;
  }

  /** Tells the log that an entry may live for `life` milliseconds, so that stamps are kept as long. */
  expectLife(life: number): void {
    if (life > this.#longestLife) this.#longestLife = life;
  }

  /** Evicts everything that carries one of `tags` and whose fill has started by now. */
  evict(tags: Iterable<string>): StampPosition {
    const n = this.#position.n + 1;
    return this.advance(
      n,
      Array.from(tags, (tag) => [tag, n] as const),
    );
  }

  /** Takes over what happened up to `n`: stamps in ascending order, none before the position that was known. */
  advance(n: number, stamps: Iterable<readonly [tag: string, n: number]>, floor = 0): StampPosition {
    const at = this.#clock.now();
    this.#position = { epoch: this.#position.epoch, n };
    this.#floor = Math.max(this.#floor, floor);
    for (const [tag, stamp] of stamps) {
      this.#stamps.delete(tag);
      this.#stamps.set(tag, { n: stamp, at });
      this.#hasSoft ||= hardened(tag) !== undefined;
    }
    this.#sweep(at);
    return this.#position;
  }

  #sweep(now: number): void {
    for (const [tag, stamp] of this.#stamps) {
      if (this.#stamps.size <= this.#maxTags && now - stamp.at <= this.#longestLife) return;
      this.#stamps.delete(tag);
      this.#floor = Math.max(this.#floor, stamp.n);
    }
  }
}

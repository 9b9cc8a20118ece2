import type { Clock } from './clock.js';
import { softTag } from './soft.js';
import { EvictionLog, isSamePosition, type StampPosition } from './stamps.js';

/** Where a shared sequence of evictions stands, and what was evicted since a position that the asker knew. */
export interface StampDelta {
  readonly position: StampPosition;
  /** Nothing that started before this is known to be valid: stamps up to here may be missing. */
  readonly floor: number;
  /** Tags that were evicted since, with the place of their last eviction, in ascending order. */
  readonly stamps: readonly (readonly [tag: string, n: number])[];
}

/** Tags of acknowledged evictions that wait to be known. More of them than that become one of everything. */
const MAX_ACKNOWLEDGED = 10_000;

/** What hearing of somebody's eviction came to: it was the next one, or an old one, or some before it are missing. */
export type Heard = 'next' | 'known' | 'gap';

/**
 * What this process knows of a sequence of evictions that it shares with others: never more than what happened, so
 * that a fill which starts from it is dropped too often rather than too seldom.
 *
 * Tags of evictions that this process asked for and that nobody acknowledged yet are held: whatever carries one is
 * not current, whenever it was made.
 */
export class SharedLog {
  readonly #clock: Clock;
  #log: EvictionLog | undefined;
  /** Tag to the number of its holds. Bounded by whoever holds. */
  readonly #held = new Map<string, number>();
  /** Holds that end as soon as what was acknowledged is known here. */
  #acknowledged: { readonly position: StampPosition; readonly tags: readonly string[] }[] = [];
  /** How many tags these hold. */
  #acknowledgedTags = 0;

  /** @param everything a tag that every entry carries */
  constructor(
    clock: Clock,
    private readonly everything: string,
  ) {
    this.#clock = clock;
  }

  /** Nothing before the first `catchUp`. */
  get position(): StampPosition | undefined {
    return this.#log?.position;
  }

  /** Whether nothing that `tags` name was evicted after `start`, as far as is known, nor is about to be. */
  isCurrent(start: StampPosition, tags: readonly string[]): boolean {
    if (this.#log === undefined || !this.#log.isCurrent(start, tags)) return false;
    return this.#held.size === 0 || !tags.some((tag) => this.#held.has(tag));
  }

  /** As `EvictionLog.softenedAt`; what was not acknowledged yet counts as softly evicted now. */
  softenedAt(start: StampPosition, tags: readonly string[]): number | undefined {
    if (this.#held.size > 0 && tags.some((tag) => this.#held.has(softTag(tag)))) return this.#clock.now();
    return this.#log?.softenedAt(start, tags);
  }

  /** Whether everything up to `position` is known. */
  covers({ epoch, n }: StampPosition): boolean {
    const known = this.#log?.position;
    return known !== undefined && known.epoch === epoch && known.n >= n;
  }

  hear(position: StampPosition, tags: readonly string[] | undefined): Heard {
    const known = this.#log?.position;
    if (known === undefined || known.epoch !== position.epoch) return 'gap';
    if (position.n <= known.n) return 'known';
    if (position.n > known.n + 1 || tags === undefined) return 'gap';
    this.#log?.advance(
      position.n,
      tags.map((tag) => [tag, position.n] as const),
    );
    this.#releaseKnown();
    return 'next';
  }

  /**
   * Takes over what was missed; tells which tags were evicted since, or `'everything'` where that is not known. An
   * answer that is older than what was heard meanwhile changes nothing.
   */
  catchUp({ position, floor, stamps }: StampDelta): readonly string[] | 'everything' {
    const known = this.#log?.position;
    if (this.#log === undefined || known?.epoch !== position.epoch) {
      const { epoch, n } = position;
      // Others' entries may live for any time: stamps go by their number only.
      this.#log = new EvictionLog({
        clock: this.#clock,
        epoch,
        floor,
        longestLife: Number.POSITIVE_INFINITY,
      });
      this.#log.advance(n, stamps);
      this.#releaseKnown(true);
      return 'everything';
    }
    if (isSamePosition(position, known) || position.n < known.n) return [];
    const missed = stamps.filter(([, n]) => n > known.n);
    this.#log.advance(position.n, missed, floor);
    this.#releaseKnown();
    return floor > known.n ? 'everything' : missed.map(([tag]) => tag);
  }

  /** From now on nothing that carries one of `tags` is current, until they are released. */
  hold(tags: readonly string[]): void {
    for (const tag of tags) this.#held.set(tag, (this.#held.get(tag) ?? 0) + 1);
  }

  release(tags: readonly string[]): void {
    for (const tag of tags) {
      const left = (this.#held.get(tag) ?? 0) - 1;
      if (left > 0) this.#held.set(tag, left);
      else this.#held.delete(tag);
    }
  }

  /** Held tags were evicted at `position`: they are released once all that happened up to there is known. */
  acknowledge(position: StampPosition, tags: readonly string[]): Heard {
    const heard = this.hear(position, tags);
    if (heard === 'gap') this.#await(position, tags);
    else this.release(tags);
    return heard;
  }

  /** Where evictions succeed and what others did can't be asked for, there would be more and more of them. */
  #await(position: StampPosition, tags: readonly string[]): void {
    this.#acknowledged.push({ position, tags });
    this.#acknowledgedTags += tags.length;
    if (this.#acknowledgedTags <= MAX_ACKNOWLEDGED) return;
    const all = [this.everything];
    // Held before the others are released: at no time is anything of theirs current.
    this.hold(all);
    for (const each of this.#acknowledged) this.release(each.tags);
    this.#acknowledged = [{ position, tags: all }];
    this.#acknowledgedTags = 1;
  }

  /** @param isNewEpoch whether what was acknowledged in others has ended with them */
  #releaseKnown(isNewEpoch = false): void {
    if (this.#acknowledged.length === 0) return;
    const epoch = this.#log?.position.epoch;
    this.#acknowledged = this.#acknowledged.filter(({ position, tags }) => {
      const hasEnded = isNewEpoch && position.epoch !== epoch;
      if (!hasEnded && !this.covers(position)) return true;
      this.release(tags);
      this.#acknowledgedTags -= tags.length;
      return false;
    });
  }
}

import { type Clock, elapsed } from '../cache/clock.js';
import type { SharedLog } from '../cache/shared-log.js';
import type { StampPosition } from '../cache/stamps.js';
import { UnconfirmedEvictionError } from '../caching.errors.js';
import type { SharedTier } from './shared-tier.js';

/** Tags that wait to be evicted again, or to be confirmed; with more, it is everything instead. */
const MAX_TAGS = 10_000;

/** The longest pause between two questions whether executed evictions are safe now, in heartbeats. */
const LONGEST_PAUSE = 16;

export interface PendingEvictionsHost {
  readonly tier: Pick<SharedTier, 'evict' | 'confirm'>;
  readonly log: Pick<SharedLog, 'hold' | 'release' | 'position'>;
  readonly clock: Clock;
  /** Milliseconds. */
  readonly heartbeat: number;
  /** A tag that every entry carries. */
  readonly everything: string;
  /** `tags`, which are held, were evicted at `position`, and that can't be lost any more. */
  readonly onAcknowledged: (position: StampPosition, tags: readonly string[]) => void;
}

/**
 * Evictions on their way to the shared tier. Their tags are held from the beginning until they are acknowledged: those
 * that failed are done again, those that were executed but may still be lost are asked about, less and less often.
 */
export class PendingEvictions {
  readonly #host: PendingEvictionsHost;
  readonly #failed: HeldTags;
  readonly #unconfirmed: HeldTags;
  /** The last place at which something unconfirmed was executed. */
  #executed: StampPosition | undefined;
  #pause = 1;
  #askAgainAt = Number.NEGATIVE_INFINITY;
  #isReplaying = false;

  constructor(host: PendingEvictionsHost) {
    this.#host = host;
    this.#failed = new HeldTags(host);
    this.#unconfirmed = new HeldTags(host);
  }

  /** Tags that are not acknowledged, those on their way not counted. */
  get size(): number {
    return this.#failed.size + this.#unconfirmed.size;
  }

  /** Resolves when it is acknowledged. What rejects is not given up. */
  evict(tags: readonly string[]): Promise<StampPosition> {
    this.#host.log.hold(tags);
    return this.#execute(tags);
  }

  /** Does again what failed. What succeeded, its answer lost, evicts once more: that only misses. */
  async replay(): Promise<void> {
    if (this.#isReplaying) return;
    this.#isReplaying = true;
    try {
      if (this.#failed.size > 0) await this.#execute(this.#failed.take());
      await this.#confirm();
    } finally {
      this.#isReplaying = false;
    }
  }

  async #execute(tags: readonly string[]): Promise<StampPosition> {
    const { tier, log, onAcknowledged } = this.#host;
    const position = await tier.evict(tags, log.position).catch((error: unknown) => {
      if (error instanceof UnconfirmedEvictionError && tier.confirm !== undefined)
        this.#keep(error.position, tags);
      else this.#failed.add(tags);
      throw error;
    });
    onAcknowledged(position, tags);
    return position;
  }

  async #confirm(): Promise<void> {
    const { tier, clock, heartbeat, onAcknowledged } = this.#host;
    const position = this.#executed;
    if (position === undefined || elapsed(clock) < this.#askAgainAt) return;
    const tags = this.#unconfirmed.take();
    this.#executed = undefined;
    await tier.confirm?.(position).catch((error: unknown) => {
      this.#keep(position, tags);
      this.#askAgainAt = elapsed(clock) + this.#pause * heartbeat;
      this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
      throw error;
    });
    this.#pause = 1;
    onAcknowledged(position, tags);
  }

  #keep(position: StampPosition, tags: readonly string[]): void {
    const { epoch, n } = this.#executed ?? {};
    if (epoch !== position.epoch || n === undefined || n < position.n) this.#executed = position;
    this.#unconfirmed.add(tags);
  }
}

/** Tags with one hold each. A set that grew too large becomes everything, which holds what any of them did. */
class HeldTags {
  readonly #tags = new Set<string>();

  constructor(private readonly host: Pick<PendingEvictionsHost, 'log' | 'everything'>) {}

  get size(): number {
    return this.#tags.size;
  }

  /** Takes over one hold of each. */
  add(tags: readonly string[]): void {
    const { log, everything } = this.host;
    for (const tag of tags) {
      if (this.#tags.has(tag)) log.release([tag]);
      else this.#tags.add(tag);
    }
    if (this.#tags.size <= MAX_TAGS && !this.#tags.has(everything)) return;
    // Held before the others are released: at no time is anything of theirs current.
    if (!this.#tags.delete(everything)) log.hold([everything]);
    log.release([...this.#tags]);
    this.#tags.clear();
    this.#tags.add(everything);
  }

  /** Hands all over, holds included. */
  take(): readonly string[] {
    const tags = [...this.#tags];
    this.#tags.clear();
    return tags;
  }
}

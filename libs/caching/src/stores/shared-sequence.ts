import type { Clock } from '../cache/clock.js';
import { SharedLog } from '../cache/shared-log.js';
import type { StampPosition } from '../cache/stamps.js';
import { ForeignEpochs } from './foreign-epochs.js';
import { PendingEvictions } from './pending-evictions.js';
import { type Asked, Proof } from './proof.js';
import type { SharedTier } from './shared-tier.js';
import type { TierObserver } from './tier-observer.js';

/** Syncs in a row that messages about missed evictions may outrun: then whoever wants an entry asks. */
const MAX_SYNCS = 3;

export interface SharedSequenceHost {
  readonly tier: SharedTier;
  readonly clock: Clock;
  /** Milliseconds between two looks at where the sequence stands. */
  readonly heartbeat: number;
  /** Milliseconds after which an operation of the tier has failed. */
  readonly timeout: number;
  /** A tag that every entry carries. */
  readonly everything: string;
  /** Others evicted these. `isFirst`: nothing of the sequence was known before, so it is everything. */
  readonly onEvicted: (tags: readonly string[], isFirst: boolean) => void;
  readonly onError: (operation: string, error: unknown) => void;
  readonly observer: TierObserver | undefined;
}

/**
 * What this process knows of the sequence of evictions that it shares: heard, asked for, and never trusted for longer
 * than a heartbeat and a time-out after it was last known that nothing was missed.
 */
export class SharedSequence {
  readonly #host: SharedSequenceHost;
  readonly #log: SharedLog;
  readonly #proof: Proof;
  readonly #pending: PendingEvictions;
  readonly #foreign = new ForeignEpochs();
  #syncing: Promise<void> | undefined;
  #hears = false;
  #cancelHeartbeat: () => void = () => undefined;
  #isClosed = false;

  constructor(host: SharedSequenceHost) {
    const { tier, clock, heartbeat, timeout, everything } = host;
    this.#host = host;
    this.#log = new SharedLog(clock, everything);
    this.#proof = new Proof(clock, heartbeat + timeout);
    this.#pending = new PendingEvictions({
      tier,
      log: this.#log,
      clock,
      heartbeat,
      everything,
      onAcknowledged: (position, tags) => {
        if (this.#log.acknowledge(position, tags) === 'gap') this.#miss(position);
      },
    });
  }

  /** Looks at the sequence with each heartbeat, from now on. */
  start(): void {
    // The last message has no successor that would show a gap: somebody has to ask.
    this.#cancelHeartbeat = this.#host.clock.after(this.#host.heartbeat, () => {
      this.catchUp();
      this.start();
    });
  }

  /** Nothing before the first answer. */
  get position(): StampPosition | undefined {
    return this.#log.position;
  }

  /** Whether it is known, without a question, that nothing was missed. */
  get isProven(): boolean {
    return this.#hears && this.#proof.holds;
  }

  /** Whether nothing that `tags` name was evicted after `start`, as far as is known, nor is about to be. */
  isCurrent(start: StampPosition, tags: readonly string[]): boolean {
    return this.#log.isCurrent(start, tags);
  }

  /** When this process heard that something that `tags` name was softly evicted after `start`, if it was. */
  softenedAt(start: StampPosition, tags: readonly string[]): number | undefined {
    return this.#log.softenedAt(start, tags);
  }

  /** Whether everything up to `position` is known. */
  covers(position: StampPosition): boolean {
    return this.#log.covers(position);
  }

  /** Resolves when the tier has acknowledged it. Where that fails it is done again, until it succeeds. */
  evict(tags: readonly string[]): Promise<StampPosition> {
    return this.#pending.evict(tags);
  }

  /** Before a question to the tier. */
  ask(): Asked {
    return this.#proof.ask(this.#log.position);
  }

  /**
   * Makes sure that everything up to `position` is known, which is the answer to a question that was `asked`. Returns
   * nothing where it is.
   */
  reach(position: StampPosition | undefined, asked: Asked): Promise<void> | undefined {
    if (!this.#isKnown(position, asked)) return this.#reachBySync(position, asked);
    this.#proof.prove(asked);
    return undefined;
  }

  synchronize(): Promise<void> {
    this.#syncing ??= this.#sync().finally(() => (this.#syncing = undefined));
    return this.#syncing;
  }

  hear(position: StampPosition, tags: readonly string[] | undefined): void {
    if (this.#foreign.has(position.epoch)) return;
    const heard = this.#log.hear(position, tags);
    if (heard === 'next' && tags !== undefined) this.#host.onEvicted(tags, false);
    else if (heard === 'gap') this.#miss(position);
  }

  setHearing(hears: boolean): void {
    if (hears !== this.#hears) this.#host.observer?.hearing(hears ? 'hears' : 'deaf');
    this.#hears = hears;
    // What was said before is heard by nobody: it is asked for before anything is trusted.
    this.#proof.doubt();
    if (hears) this.catchUp();
  }

  /** In the background: does again what failed, and asks for what was missed. */
  catchUp(): void {
    this.#inBackground(async () => {
      try {
        await this.#pending.replay();
      } finally {
        // Whatever keeps an eviction from being acknowledged: what others have evicted is to be known all the same.
        await this.synchronize();
      }
    });
  }

  /** Evictions that wait end with this process: they are tried once more, for no longer than the time-out. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelHeartbeat();
    if (this.#pending.size === 0) return;
    const { clock, timeout, onError } = this.#host;
    await new Promise<void>((resolve) => {
      const cancel = clock.after(timeout, resolve);
      const attempt = this.#pending.replay().catch((error: unknown) => onError('evict', error));
      void attempt.then(() => {
        cancel();
        resolve();
      });
    });
  }

  async #reachBySync(position: StampPosition | undefined, asked: Asked): Promise<void> {
    await this.synchronize();
    // One that was under way may have been answered before the position was read.
    if (position !== undefined && !this.#isKnown(position, asked)) await this.synchronize();
  }

  #isKnown(position: StampPosition | undefined, { known }: Asked): boolean {
    if (position === undefined || !this.#log.covers(position)) return false;
    // Behind what was known before the question, it was rolled back: what it counts now are other evictions.
    return known === undefined || known.epoch !== position.epoch || known.n <= position.n;
  }

  /** Once more where a message about something later came meanwhile. */
  async #sync(): Promise<void> {
    const { tier, everything, onEvicted, observer } = this.#host;
    for (let syncs = 0; syncs < MAX_SYNCS; syncs++) {
      const asked = this.ask();
      const suspects = this.#foreign.suspects();
      const delta = await tier.sync(asked.known);
      this.#foreign.judge(suspects, delta.position.epoch);
      const isFirst = this.#log.position === undefined;
      const missed = this.#log.catchUp(delta);
      if (missed === 'everything') onEvicted([everything], isFirst);
      else if (missed.length > 0) onEvicted(missed, isFirst);
      observer?.synchronized(this.#proof.lag, missed === 'everything' ? 'all' : missed.length);
      if (this.#proof.prove(asked)) return;
    }
  }

  /** Until it is known what happened up to `position`, nothing is served unasked. */
  #miss({ epoch }: StampPosition): void {
    this.#host.observer?.hearing('gap');
    if (epoch !== this.#log.position?.epoch) this.#foreign.suspect(epoch);
    this.#proof.doubt();
    this.#inBackground(() => this.synchronize());
  }

  #inBackground(task: () => Promise<void>): void {
    void task().catch((error: unknown) => {
      if (!this.#isClosed) this.#host.onError('sync', error);
    });
  }
}

import type { StampDelta } from '../../../libs/caching/src/cache/shared-log.js';
import type { StampPosition } from '../../../libs/caching/src/cache/stamps.js';
import type { SharedLookup } from '../../../libs/caching/src/stores/shared-tier.js';

/** What a server can lose, or be replaced by. */
export const LOSSES = ['everything', 'stamps', 'position', 'primary'] as const;
export type Loss = (typeof LOSSES)[number];

/**
 * The server's side of a shared tier, in this process: what the scripts of the Redis store do, one step each. Views,
 * the sequence, and where it stands are apart, so that one can be lost without the others.
 */
export class MemoryServer {
  readonly #frames = new Map<string, Buffer>();
  readonly #listeners = new Set<(position: StampPosition, tags: readonly string[]) => void>();
  /** Tags in the order of their last eviction. */
  #stamps = new Map<string, number>();
  #sequence: { epoch: string; n: number; history: number } | undefined;
  #position: StampPosition | undefined;
  #history = 0;
  #epochs = 0;

  listen(listener: (position: StampPosition, tags: readonly string[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  lookup(key: string): SharedLookup {
    return { position: this.#position, frame: this.#frames.get(key) };
  }

  position(): StampPosition | undefined {
    return this.#position;
  }

  sync(known: StampPosition | undefined): StampDelta {
    const sequence = this.#current();
    const isSame = known?.epoch === sequence.epoch;
    if (isSame && known.n > sequence.n) return this.#answer(this.#begin(), 0);
    return this.#answer(sequence, isSame ? known.n : 0);
  }

  set(key: string, frame: Buffer): void {
    this.#frames.set(key, frame);
  }

  evict(tags: readonly string[]): StampPosition {
    const sequence = this.#current();
    sequence.n++;
    for (const tag of tags) {
      this.#stamps.delete(tag);
      this.#stamps.set(tag, sequence.n);
    }
    const position = this.#publish(sequence);
    for (const listener of this.#listeners) listener(position, tags);
    return position;
  }

  lose(what: Loss): void {
    // A replica that has everything takes over: another server's history from now on.
    if (what === 'primary') this.#history++;
    if (what === 'everything' || what === 'stamps') this.#sequence = undefined;
    if (what === 'everything' || what === 'position') this.#position = undefined;
    if (what === 'everything') this.#frames.clear();
  }

  #current() {
    return this.#sequence?.history === this.#history ? this.#sequence : this.#begin();
  }

  #begin() {
    this.#stamps = new Map();
    this.#sequence = { epoch: `e${++this.#epochs}`, n: 0, history: this.#history };
    return this.#sequence;
  }

  #publish({ epoch, n }: StampPosition): StampPosition {
    this.#position = { epoch, n };
    return this.#position;
  }

  #answer(sequence: StampPosition, known: number): StampDelta {
    const stamps = [...this.#stamps].filter(([, n]) => n > known);
    return { position: this.#publish(sequence), floor: 0, stamps };
  }
}

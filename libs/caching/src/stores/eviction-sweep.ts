import { type Clock, elapsed } from '../cache/clock.js';

/** Entries looked at in one turn of the event loop to free evicted ones: below a millisecond, if all of them are. */
const SWEEP_SLICE = 100;

/** After a walk, rest for nine times what it took, and a second at least: freeing takes a tenth of a core at most. */
const SWEEP_REST = { factor: 9, atLeast: 1_000 };

/**
 * Frees what was evicted: the stamp has hidden it already. All keys are walked, a slice in each turn of the event loop.
 */
export class EvictionSweep {
  #walk: { readonly rest: Iterator<string>; readonly startedAt: number } | undefined;
  #isPending = false;
  #restUntil = 0;

  /** @param free lets go of what lies under a key, where that is over at a time in milliseconds since the epoch */
  constructor(
    private readonly clock: Clock,
    private readonly keys: ReadonlySet<string>,
    private readonly free: (key: string, now: number) => void,
  ) {}

  /** Something was evicted. */
  request(): void {
    if (this.#isPending || this.keys.size === 0) return;
    this.#isPending = true;
    if (this.#walk === undefined) this.#schedule();
  }

  stop(): void {
    this.#walk = undefined;
  }

  #schedule(): void {
    const rest = this.#restUntil - elapsed(this.clock);
    if (rest > 0) this.clock.after(rest, () => this.#start());
    else this.#start();
  }

  #start(): void {
    this.#isPending = false;
    this.#walk = { rest: this.keys.values(), startedAt: elapsed(this.clock) };
    setImmediate(() => this.#slice());
  }

  #slice(): void {
    if (this.#walk === undefined) return;
    const now = this.clock.now();
    for (let looked = 0; looked < SWEEP_SLICE; looked++) {
      const { value: key, done } = this.#walk.rest.next();
      if (done === true) {
        const ended = elapsed(this.clock);
        this.#restUntil =
          ended + Math.max(SWEEP_REST.atLeast, SWEEP_REST.factor * (ended - this.#walk.startedAt));
        this.#walk = undefined;
        // Evictions that came while this walk was under way may concern entries that it had passed.
        if (this.#isPending) this.#schedule();
        return;
      }
      this.free(key, now);
    }
    setImmediate(() => this.#slice());
  }
}

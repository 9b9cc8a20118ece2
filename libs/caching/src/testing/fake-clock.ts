import type { Clock } from '../cache/clock.js';

interface Timer {
  readonly at: number;
  readonly task: () => void;
}

/**
 * A clock that moves when it is told to: tests of expiry wait for nothing.
 *
 * @example
 * const clock = new FakeClock();
 * const store = memory({ clock });
 * clock.advance(60_000); // a minute has passed for the store
 */
export class FakeClock implements Clock {
  #now: number;
  readonly #timers = new Set<Timer>();

  /** @param now where it starts, in milliseconds since the epoch. Default: a moment in November 2023 */
  constructor(now = 1_700_000_000_000) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  after(delay: number, task: () => void): () => void {
    const timer = { at: this.#now + delay, task };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  /** Moves on by `milliseconds` and runs what became due, in order. What that plans anew waits for the next call. */
  advance(milliseconds: number): void {
    this.#now += milliseconds;
    const due = [...this.#timers].filter(({ at }) => at <= this.#now).sort((a, b) => a.at - b.at);
    for (const timer of due) {
      // One that was due may have cancelled another.
      if (this.#timers.delete(timer)) timer.task();
    }
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#timers.size;
  }
}

/** Milliseconds between two ticks. */
const TICK = 4;

/** A tick that is late by less is not a stall. Milliseconds. */
const STALL = 2;

interface Stall {
  readonly from: number;
  readonly to: number;
}

/**
 * When the event loop of this process stood still: load, proxy, instances and the rest of the machine share it, and
 * what no code could have done anything about is no fault of the cache.
 */
export class LoopWatch {
  readonly #stalls: Stall[] = [];
  readonly #late: number[] = [];
  readonly #timer: NodeJS.Timeout;
  #last = performance.now();

  constructor() {
    this.#timer = setInterval(() => this.#tick(), TICK);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** How late the loop came to its timers, in milliseconds, but for one in a hundred. */
  get p99(): number {
    return percentile(this.#late, 0.99);
  }

  /** Milliseconds of the time from `from` to `to`, as performance.now() has them, in which the loop stood still. */
  stalled(from: number, to: number): number {
    let sum = 0;
    for (let at = this.#firstAfter(from); at < this.#stalls.length; at++) {
      const stall = this.#stalls[at] as Stall;
      if (stall.from >= to) break;
      sum += Math.min(stall.to, to) - Math.max(stall.from, from);
    }
    return sum;
  }

  #tick(): void {
    const now = performance.now();
    const due = this.#last + TICK;
    this.#late.push(Math.max(0, now - due));
    if (now - due > STALL) this.#stalls.push({ from: due, to: now });
    this.#last = now;
  }

  /** The first stall that ended after `time`. */
  #firstAfter(time: number): number {
    let [low, high] = [0, this.#stalls.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#stalls[middle] as Stall).to > time) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** What all but the given share of numbers are not above; 0 of none. */
export function percentile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** The time as the cache sees it. Injected, so that expiry is tested by moving a clock, never by waiting. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Runs `task` after `delay` milliseconds; the returned function cancels it. Must not keep the process alive. */
  after(delay: number, task: () => void): () => void;
  /** Milliseconds, with fractions, of a clock that never goes back: for durations. Default `now`. */
  elapsed?(): number;
}

/** Milliseconds since some moment, always the same one: only differences mean something. */
export function elapsed(clock: Clock): number {
  return clock.elapsed?.() ?? clock.now();
}

/** The longest delay that Node.js has: with a longer one a timer is over at once. About 24.8 days, in milliseconds. */
const LONGEST_DELAY = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  after(delay, task) {
    const timer = setTimeout(task, Math.min(delay, LONGEST_DELAY));
    timer.unref();
    return () => clearTimeout(timer);
  },
  elapsed: () => performance.now(),
};

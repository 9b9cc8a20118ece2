/** The time as the cache sees it. Injected, so that expiry is tested by moving a clock, never by waiting. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Runs `task` after `delay` milliseconds; the returned function cancels it. Must not keep the process alive. */
  after(delay: number, task: () => void): () => void;
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
};

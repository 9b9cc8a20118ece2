import type { Clock } from './clock.js';

/** What begins within a tenth of the delay shares a timer. */
const WINDOWS_PER_DELAY = 10;

/** Tasks that are due together. One that is taken out will not run. */
export type TimerWindow = Set<() => void>;

/**
 * Deadlines of many operations that nearly all end in time: a timer for each is made and thrown away, which costs more
 * than the rest of its bookkeeping. Each task runs after 90 to 100 % of `delay` milliseconds.
 */
export class SharedTimer {
  #window: TimerWindow | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly delay: number,
  ) {}

  add(task: () => void): TimerWindow {
    const window = (this.#window ??= this.#open());
    window.add(task);
    return window;
  }

  #open(): TimerWindow {
    const window: TimerWindow = new Set();
    const { clock, delay } = this;
    clock.after(delay / WINDOWS_PER_DELAY, () => {
      this.#window = undefined;
    });
    clock.after(delay, () => {
      for (const task of window) task();
    });
    return window;
  }
}

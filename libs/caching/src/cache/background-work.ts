import { systemClock } from './clock.js';
import { isPromiseLike, type MaybePromise } from './maybe-promise.js';

/** Work that no request waits for, and that shutting down should not cut off. None of it rejects. */
export class BackgroundWork {
  readonly #tasks = new Set<PromiseLike<unknown>>();

  add(task: MaybePromise<unknown>): void {
    if (!isPromiseLike(task)) return;
    this.#tasks.add(task);
    void task.then(() => this.#tasks.delete(task));
  }

  /**
   * Resolves when all of it has ended, also what it brought about.
   *
   * @param bound milliseconds after which it resolves all the same. Real ones: a clock that stands still, as a test's
   *   may, must not keep an application from ending.
   */
  async done(bound: number): Promise<void> {
    if (this.#tasks.size === 0) return;
    await new Promise<void>((resolve) => {
      const cancel = systemClock.after(bound, resolve);
      void this.#all().then(() => {
        cancel();
        resolve();
      });
    });
  }

  async #all(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
  }
}

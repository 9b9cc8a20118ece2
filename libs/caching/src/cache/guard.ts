import type { CacheEvents } from '../observe/events.js';
import { CacheStoreError } from '../caching.errors.js';
import type { Clock } from './clock.js';
import { SharedTimer } from './shared-timer.js';
import type { StoreTrouble } from './store-trouble.js';
import { isPromiseLike, type MaybePromise } from './maybe-promise.js';

/**
 * Stands between the engine and a store that may fail, stay silent, or answer late: within `timeout` milliseconds
 * there is a result or a `CacheStoreError`, and each failure is told once, as an event.
 */
export class StoreGuard {
  readonly #deadlines: SharedTimer;
  /** What was reported last: a store that fails at once gives the same cause again and again. */
  #reported: CacheStoreError | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly events: CacheEvents,
    private readonly timeout: number,
    private readonly trouble?: StoreTrouble,
  ) {
    this.#deadlines = new SharedTimer(clock, timeout);
  }

  /**
   * Runs `operation`; on failure returns `fallback` instead. In process and without error it costs a call.
   *
   * @param spent milliseconds that the same request has waited for the store already: one budget covers all it asks
   */
  tolerate<T>(name: string, operation: () => MaybePromise<T>, fallback: () => T, spent = 0): MaybePromise<T> {
    if (spent > 0 && spent >= this.timeout) return fallback();
    try {
      const result = operation();
      return isPromiseLike(result) ? this.#deadline(name, result, spent, fallback) : result;
    } catch (error) {
      this.#report(name, error);
      return fallback();
    }
  }

  /** Runs `operation`; a failure is the caller's, as a `CacheStoreError`. */
  insist<T>(name: string, operation: () => MaybePromise<T>): MaybePromise<T> {
    try {
      const result = operation();
      return isPromiseLike(result) ? this.#deadline(name, result) : result;
    } catch (error) {
      throw this.#report(name, error);
    }
  }

  /** @param fallback in place of the error */
  #deadline<T>(name: string, pending: PromiseLike<T>, spent = 0, fallback?: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      let isOver = false;
      const fail = (cause: unknown): void => {
        isOver = true;
        const error = this.#report(name, cause);
        if (fallback === undefined) reject(error);
        else resolve(fallback());
      };
      const late = (): void => fail(new Error(`no answer within ${this.timeout} ms`));
      const cancel = this.#after(this.timeout - spent, late);
      pending.then(
        (value) => {
          cancel();
          this.trouble?.worked();
          resolve(value);
        },
        (error: unknown) => {
          // Its failure was told when it did not answer in time.
          if (isOver) return;
          cancel();
          fail(error);
        },
      );
    });
  }

  /** Most wait for all of the time-out, from now: one timer is enough for those that begin at about the same time. */
  #after(delay: number, task: () => void): () => void {
    if (delay !== this.timeout) return this.clock.after(delay, task);
    const window = this.#deadlines.add(task);
    return () => void window.delete(task);
  }

  #report(operation: string, cause: unknown): CacheStoreError {
    const error = this.#errorOf(operation, cause);
    this.trouble?.failed(error);
    if (this.events.active) this.events.emit({ type: 'storeError', at: this.clock.now(), operation, error });
    return error;
  }

  #errorOf(operation: string, cause: unknown): CacheStoreError {
    const last = this.#reported;
    if (last?.operation === operation && last.cause === cause && cause !== undefined) return last;
    const problem = cause instanceof Error ? `failed: ${cause.message}` : 'failed';
    return (this.#reported = new CacheStoreError(operation, problem, { cause }));
  }
}

import type { CacheEvents } from '../observe/events.js';
import { CacheStoreError } from '../caching.errors.js';
import type { Clock } from './clock.js';
import type { StoreTrouble } from './store-trouble.js';
import { isPromiseLike, type MaybePromise } from './maybe-promise.js';

/**
 * Stands between the engine and a store that may fail, stay silent, or answer late: within `timeout` milliseconds
 * there is a result or a `CacheStoreError`, and each failure is told once, as an event.
 */
export class StoreGuard {
  constructor(
    private readonly clock: Clock,
    private readonly events: CacheEvents,
    private readonly timeout: number,
    private readonly trouble?: StoreTrouble,
  ) {}

  /**
   * Runs `operation`; on failure returns `fallback` instead. In process and without error it costs a call.
   *
   * @param spent milliseconds that the same request has waited for the store already: one budget covers all it asks
   */
  tolerate<T>(name: string, operation: () => MaybePromise<T>, fallback: () => T, spent = 0): MaybePromise<T> {
    if (spent > 0 && spent >= this.timeout) return fallback();
    try {
      const result = operation();
      return isPromiseLike(result) ? this.#deadline(name, result, spent).catch(fallback) : result;
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

  #deadline<T>(name: string, pending: PromiseLike<T>, spent = 0): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      let isOver = false;
      const cancel = this.clock.after(this.timeout - spent, () => {
        isOver = true;
        reject(this.#report(name, new Error(`no answer within ${this.timeout} ms`)));
      });
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
          reject(this.#report(name, error));
        },
      );
    });
  }

  #report(operation: string, cause: unknown): CacheStoreError {
    const problem = cause instanceof Error ? `failed: ${cause.message}` : 'failed';
    const error = new CacheStoreError(operation, problem, { cause });
    this.trouble?.failed(error);
    if (this.events.active) this.events.emit({ type: 'storeError', at: this.clock.now(), operation, error });
    return error;
  }
}

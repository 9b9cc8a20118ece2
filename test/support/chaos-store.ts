import { type CacheStore, memory } from 'nestjs-caching';
import { type Clock, systemClock } from '../../libs/caching/src/cache/clock.js';
import type { MaybePromise } from '../../libs/caching/src/cache/maybe-promise.js';
import type { Gate } from './gate.js';

export type StoreOperation = 'lookup' | 'set' | 'delete' | 'evict';

/** How an operation goes wrong. `late` does its work at once and answers when the gate opens. */
export type Fault = 'throw' | 'reject' | 'hang' | { readonly late: Gate };

/**
 * A store that answers with promises and fails as it is told to: the memory store behind a connection that can't
 * be relied on.
 */
export class ChaosStore implements CacheStore {
  readonly name = 'chaos';
  readonly faults: Partial<Record<StoreOperation, Fault>> = {};
  readonly calls: StoreOperation[] = [];
  readonly inner: CacheStore;

  /** @param clock may be set later, as an application's is known only once it runs */
  constructor(public clock: Clock = systemClock) {
    this.inner = memory({
      clock: { now: () => this.clock.now(), after: (delay, task) => this.clock.after(delay, task) },
    });
  }

  get position() {
    return this.inner.position;
  }

  isCurrent: CacheStore['isCurrent'] = (start, tags) => this.inner.isCurrent(start, tags);
  lookup: CacheStore['lookup'] = (key) => this.#run('lookup', () => this.inner.lookup(key));
  set: CacheStore['set'] = (entry) => this.#run('set', () => this.inner.set(entry));
  delete: CacheStore['delete'] = (key) => this.#run('delete', () => this.inner.delete(key));
  evict: CacheStore['evict'] = (tags) => this.#run('evict', () => this.inner.evict(tags));

  /** All operations fail in the same way, or none does. */
  fail(fault: Fault | undefined): void {
    for (const operation of ['lookup', 'set', 'delete', 'evict'] as const) {
      if (fault === undefined) delete this.faults[operation];
      else this.faults[operation] = fault;
    }
  }

  #run<T>(operation: StoreOperation, work: () => MaybePromise<T>): Promise<T> {
    this.calls.push(operation);
    const fault = this.faults[operation];
    if (fault === 'throw') throw new Error(`${operation} threw`);
    return this.#answer(fault, operation, work);
  }

  async #answer<T>(fault: Fault | undefined, operation: string, work: () => MaybePromise<T>): Promise<T> {
    await Promise.resolve();
    if (fault === 'reject') throw new Error(`${operation} was rejected`);
    if (fault === 'hang') return new Promise(() => undefined);
    const result = await work();
    if (typeof fault === 'object') await fault.late.pass();
    return result;
  }
}

import { type Clock, systemClock } from '../cache/clock.js';
import type { MaybePromise } from '../cache/maybe-promise.js';
import { memory } from '../stores/memory.store.js';
import type { CacheStore } from '../stores/store.js';

/** What a store is asked for. */
export type StoreOperation = 'lookup' | 'set' | 'delete' | 'evict' | 'lease' | 'release';

const OPERATIONS: readonly StoreOperation[] = ['lookup', 'set', 'delete', 'evict', 'lease', 'release'];

/**
 * How an operation goes wrong. `throw`: at once, as a bug does. `reject`: with a rejected promise. `hang`: it is never
 * answered. `late`: its work is done at once, and answered when `pass` resolves.
 */
export type Fault = 'throw' | 'reject' | 'hang' | { readonly late: { pass(): Promise<void> } };

export interface ChaosStoreOptions {
  /** What it does as long as it is told nothing else. Default: a `memory()` of its own. */
  readonly store?: CacheStore;
  /** Of the memory that it makes for itself. It may be set later, as `chaos.clock`. Default: the system's. */
  readonly clock?: Clock;
}

/**
 * A store behind a connection that can't be relied on: it answers with promises, and fails as it is told to. With it an
 * application's tests show what its users see while the cache is away.
 *
 * @example
 * const store = new ChaosStore();
 * const app = await createApp({ imports: [CachingModule.forRoot({ store })] });
 * store.fail('hang');
 * await request(app).get('/books').expect(200); // a miss, and no error
 * store.fail(undefined);
 */
export class ChaosStore implements CacheStore {
  readonly name = 'chaos';
  /** What goes wrong now, by operation. */
  readonly faults: Partial<Record<StoreOperation, Fault>> = {};
  /** What it was asked for, in order. */
  readonly calls: StoreOperation[] = [];
  /** The store that does the work. */
  readonly inner: CacheStore;
  /** What the memory that it made for itself takes for the time. */
  clock: Clock;
  delete?: NonNullable<CacheStore['delete']>;
  lease?: NonNullable<CacheStore['lease']>;
  release?: NonNullable<CacheStore['release']>;

  constructor({ store, clock = systemClock }: ChaosStoreOptions = {}) {
    this.clock = clock;
    this.inner =
      store ??
      memory({
        clock: { now: () => this.clock.now(), after: (delay, task) => this.clock.after(delay, task) },
      });
    const { inner } = this;
    // Whether there are these decides what is done without them: there are where the inner store has them.
    if (inner.delete !== undefined) this.delete = (key) => this.#run('delete', () => inner.delete?.(key));
    if (inner.lease !== undefined)
      this.lease = (...args) => this.#run('lease', () => inner.lease?.(...args) ?? 'uncacheable');
    if (inner.release !== undefined)
      this.release = (...args) => this.#run('release', () => inner.release?.(...args));
  }

  get position(): CacheStore['position'] {
    return this.inner.position;
  }

  get largestBody(): number {
    return this.inner.largestBody ?? Number.POSITIVE_INFINITY;
  }

  get replaysEvictions(): boolean {
    return this.inner.replaysEvictions === true;
  }

  isCurrent: CacheStore['isCurrent'] = (start, tags) => this.inner.isCurrent(start, tags);
  lookup: CacheStore['lookup'] = (key) => this.#run('lookup', () => this.inner.lookup(key));
  set: CacheStore['set'] = (entry) => this.#run('set', () => this.inner.set(entry));
  evict: CacheStore['evict'] = (tags) => this.#run('evict', () => this.inner.evict(tags));

  close(): MaybePromise<void> {
    return this.inner.close?.();
  }

  /** From now on all operations go wrong in the same way; with `undefined` none does. */
  fail(fault: Fault | undefined): void {
    for (const operation of OPERATIONS) {
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

import type { Clock } from '../cache/clock.js';
import { type Entry, isEntry } from '../cache/entry.js';
import type { StoreGuard } from '../cache/guard.js';
import { HeldValue } from '../cache/held-value.js';
import { NotStorable } from '../cache/value-gate.js';
import type { ViewCache } from '../cache/view-cache.js';
import { CacheUsageError, describe } from '../caching.errors.js';
import type { ResultLimits } from '../memoize/call.js';
import { CallServer, taken } from '../memoize/call-server.js';
import type { CacheEvents } from '../observe/events.js';
import type { ItemStorage } from '../stores/shared-tier.js';
import { ALL_ITEMS, type ItemStore } from './item-store.js';
import { ItemWriter } from './item-writer.js';
import {
  checkKey,
  checkStep,
  checkTags,
  checkTime,
  type GetOrSetOptions,
  type ValueOptions,
} from './value-rules.js';

/** What the service is wired to. */
export interface CacheValuesParts {
  readonly items: ItemStore;
  readonly storage: ItemStorage;
  /** The engine, on `items`. */
  readonly cache: ViewCache;
  readonly guard: StoreGuard;
  readonly clock: Clock;
  readonly events: CacheEvents;
  readonly prefix: string;
  readonly ttl: number;
  readonly maxBytes: number;
  /** False: factories run each time, and what they make is not kept. */
  readonly enabled: boolean;
  readonly limits: ResultLimits;
}

/** What values are called in events. */
const ROUTE = 'CacheValues';

/**
 * Values of the application's own, in the store and namespace of the views and apart from them: from `get` and `set` to
 * counters that the store counts and values that are made once for all who ask. Plain data, `Map`, `Set`, `Date`,
 * `bigint`, `Buffer` and the like come back as they were; callers get copies.
 *
 * While the store fails, what reads finds nothing (`undefined`, `false`) and `set` resolves `false`, each with an
 * event, as a value that is not cached is no error. What would be wrong rather than missing rejects with
 * `CacheStoreError`: `add`, `inc`, `dec`, `delete`, `deleteMany` and `clear`.
 *
 * @example
 * constructor(private readonly values: CacheValues) {}
 * async rate(currency: string) {
 *   return this.values.getOrSet(`rate:${currency}`, () => this.bank.rate(currency), { ttl: '1m', tags: ['rates'] });
 * }
 */
export class CacheValues {
  readonly #made: () => CacheValuesParts;
  #known: CacheValuesParts | undefined;
  #calls: CallServer | undefined;
  #items: ItemWriter | undefined;

  /**
   * @param parts asked for at the first use, as they open the store
   * @internal
   */
  constructor(parts: () => CacheValuesParts) {
    this.#made = parts;
  }

  /** The value, or `undefined` where there is none. A stored `undefined` looks the same: ask `has`. */
  async get<T = unknown>(key: string): Promise<T | undefined> {
    const found = await this.#parts.cache.lookup(this.#nameOf('get', key));
    return isEntry(found) ? (taken(found.response) as T) : undefined;
  }

  /** Whether there is a value. */
  async has(key: string): Promise<boolean> {
    return isEntry(await this.#parts.cache.lookup(this.#nameOf('has', key)));
  }

  /**
   * Stores a value in place of what is there. Resolves once the store has it; `false` where it was not stored, as the
   * store failed or the value is larger than the module's `maxEntryBytes`.
   *
   * @throws CacheUsageError for a value that would not come back as it was, naming what of it
   */
  async set(key: string, value: unknown, options: ValueOptions = {}): Promise<boolean> {
    const entry = this.#entryOf('set', key, value, options);
    if (entry === undefined) return false;
    const { guard } = this.#parts;
    return this.#writer.alone(entry.key, async () =>
      guard.tolerate(
        'set',
        () => this.#writer.set(entry),
        () => false,
      ),
    );
  }

  /**
   * Stores a value only where there is none, in one step: of all that try, one is told `true`. A lock, or a guard
   * against doing something twice.
   *
   * @throws CacheStoreError where the store fails, as then nobody knows; CacheUsageError as `set`
   */
  async add(key: string, value: unknown, options: ValueOptions = {}): Promise<boolean> {
    const entry = this.#entryOf('add', key, value, options);
    if (entry === undefined) return false;
    const { guard } = this.#parts;
    return this.#writer.alone(entry.key, async () => guard.insist('add', () => this.#writer.add(key, entry)));
  }

  /** Removes a value. Tells whether there was one. @throws CacheStoreError where the store fails */
  async delete(key: string): Promise<boolean> {
    const name = this.#nameOf('delete', key);
    const { guard } = this.#parts;
    return this.#writer.alone(name, async () => guard.insist('delete', () => this.#writer.delete(key, name)));
  }

  /** One value for each key, in their order; `undefined` where there is none. */
  async getMany<T = unknown>(keys: readonly string[]): Promise<(T | undefined)[]> {
    return Promise.all(keys.map((key) => this.get<T>(key)));
  }

  /** As `set` for each, with the same options. `true` where all were stored. */
  async setMany(
    values: Iterable<readonly [key: string, value: unknown]>,
    options: ValueOptions = {},
  ): Promise<boolean> {
    const stored = await Promise.all(Array.from(values, ([key, value]) => this.set(key, value, options)));
    return stored.every(Boolean);
  }

  /** How many there were. @throws CacheStoreError where the store fails */
  async deleteMany(keys: readonly string[]): Promise<number> {
    const deleted = await Promise.all(keys.map((key) => this.delete(key)));
    return deleted.filter(Boolean).length;
  }

  /**
   * Adds to a whole number and gives the new one. Where there is none it begins at 0 and lives for `ttl`, which later
   * calls don't prolong. One step in memory and in Redis, for any number of instances; with `keyv()` for one process,
   * which is all that it is for.
   *
   * @throws CacheUsageError where something else is there, a number with tags included, or where the new one would be
   *   too large to be exact, and is left as it is; CacheStoreError where the store
   *   fails, as a wrong count is worse than an error
   */
  async inc(key: string, by = 1, { ttl }: Pick<ValueOptions, 'ttl'> = {}): Promise<number> {
    const name = this.#nameOf('inc', key);
    const step = checkStep('inc', by);
    const life = checkTime('inc', 'ttl', ttl, this.#parts.ttl);
    const { guard } = this.#parts;
    const count = await this.#writer.alone(name, async () =>
      guard.insist('inc', () => this.#writer.count(key, name, step, life)),
    );
    if (count === undefined)
      throw new CacheUsageError('inc: what is stored there is no whole number without tags');
    if (!Number.isSafeInteger(count)) throw new CacheUsageError('inc: the number is too large to be exact');
    return count;
  }

  /** As `inc`, the other way. */
  async dec(key: string, by = 1, options: Pick<ValueOptions, 'ttl'> = {}): Promise<number> {
    return this.inc(key, -checkStep('dec', by), options);
  }

  /**
   * The value that is there, or what `factory` makes: once for all who ask meanwhile in this process. Its error is
   * given to them and kept by nobody. What is evicted while it runs, or set or deleted in this process, wins.
   *
   * @throws what the factory throws; CacheUsageError where the value would not come back as it was
   */
  async getOrSet<T>(key: string, factory: () => T | Promise<T>, options: GetOrSetOptions = {}): Promise<T> {
    const name = this.#nameOf('getOrSet', key);
    const time = (field: 'staleWhileRevalidate' | 'staleIfError'): number =>
      checkTime('getOrSet', field, options[field], 0);
    const [staleWhileRevalidate, staleIfError] = [time('staleWhileRevalidate'), time('staleIfError')];
    const ttl = checkTime('getOrSet', 'ttl', options.ttl, this.#parts.ttl);
    const tags = checkTags('getOrSet', options.tags);
    const { events, maxBytes, enabled } = this.#parts;
    if (!enabled) return factory();
    const value = await this.#server.serve({
      rules: {
        route: ROUTE,
        ttl,
        staleWhileRevalidate,
        staleIfError,
        staleFor: Math.max(staleWhileRevalidate, staleIfError),
        maxBytes,
        isFrozen: false,
        clusterWide: false,
      },
      key: name,
      tags: () => [ALL_ITEMS, ...tags],
      run: factory,
      judge: () => ({ ttl, tags: [], isWanted: true }),
      trace: events.begin(ROUTE),
    });
    return value as T;
  }

  /** Removes all values of this namespace, and nothing else. @throws CacheStoreError where the store fails */
  async clear(): Promise<void> {
    await this.#parts.items.clear();
  }

  get #parts(): CacheValuesParts {
    return (this.#known ??= this.#made());
  }

  get #writer(): ItemWriter {
    return (this.#items ??= new ItemWriter(this.#parts));
  }

  get #server(): CallServer {
    const { cache, clock, events, limits } = this.#parts;
    const onRefused = (_rules: unknown, problem: string): Error =>
      new CacheUsageError(`getOrSet: the value ${problem}, which would not come back as it was`);
    return (this.#calls ??= new CallServer({ cache, clock, events, limits, onRefused }));
  }

  #nameOf(method: string, key: unknown): string {
    return this.#parts.prefix + checkKey(method, key);
  }

  /** Nothing for a value that is too large. */
  #entryOf(method: string, key: string, value: unknown, { ttl, tags }: ValueOptions): Entry | undefined {
    const name = this.#nameOf(method, key);
    const life = checkTime(method, 'ttl', ttl, this.#parts.ttl);
    const own = checkTags(method, tags);
    try {
      return this.#writer.entry(name, HeldValue.of(value, this.#parts.maxBytes), life, own);
    } catch (error) {
      if (!(error instanceof NotStorable)) throw error;
      if (error.isTooLarge) return undefined;
      throw new CacheUsageError(
        `${method}: the value of ${describe(key)} ${error.message}, which would not come back as it was`,
        { cause: error },
      );
    }
  }
}

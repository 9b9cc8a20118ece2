import { Keyv } from 'keyv';
import type { Clock } from '../../cache/clock.js';
import { isKeyvInstance, isObject, type KeyvAdapter } from './keyv-adapter.js';
import { type ErrorWatch, watchErrors } from './keyv-errors.js';

/** Operations that a silent store may hold at once; further ones fail without being sent. */
const MAX_IN_FLIGHT = 4_096;

/** Where a store holds so many, one goes through so often, to see whether it answers again. Milliseconds. */
const TRY_EVERY = 1_000;

/** An operation is lost for ever if one that began so much later was answered. Milliseconds. */
const LOST_AFTER = 10_000;

/** Memcached takes a longer time for a date. */
const LONGEST_TTL = 30 * 24 * 60 * 60 * 1_000;

/**
 * Texts under keys, in the adapter that the user gave, under the prefix and in the format of the user's Keyv where one
 * was given. The Keyv's own methods are not used: they answer a failed read with nothing and a failed write with
 * `false`, and its options are the user's.
 *
 * What can't be read as a text that was written here is nothing. An operation that failed rejects, also where the
 * adapter keeps that to an event.
 */
export class KeyvRecords {
  readonly #adapter: KeyvAdapter;
  readonly #format: Keyv;
  readonly #prefix: string;
  readonly #clock: Clock;
  readonly #errors: ErrorWatch;
  /** When each operation without an answer began, oldest first. */
  readonly #inFlight = new Set<{ readonly at: number }>();
  #triedAt = Number.NEGATIVE_INFINITY;

  constructor(given: Keyv | KeyvAdapter, clock: Clock) {
    const isKeyv = isKeyvInstance(given);
    this.#adapter = isKeyv ? (given.opts.store as KeyvAdapter) : given;
    this.#format = isKeyv ? given : new Keyv();
    this.#prefix = isKeyv && given.useKeyPrefix && given.namespace ? `${given.namespace}:` : '';
    this.#clock = clock;
    this.#errors = watchErrors(this.#adapter, isKeyv ? given : undefined);
  }

  /** Called for each error that the adapter tells while nothing is asked of it, until the returned function is. */
  onStrayError(listener: (error: unknown) => void): () => void {
    return this.#errors.listen((error) => {
      if (this.#inFlight.size === 0) listener(error);
    });
  }

  async get(key: string): Promise<string | undefined> {
    const raw: unknown = await this.#run(() => this.#adapter.get(this.#prefix + key));
    try {
      const data: unknown = typeof raw === 'string' ? await this.#format.deserializeData(raw) : raw;
      const value: unknown = isObject(data) ? data['value'] : undefined;
      return typeof value === 'string' ? value : undefined;
    } catch {
      // Not what was written here: foreign or damaged, so there is no record.
      return undefined;
    }
  }

  /** Without `life`, in milliseconds, it stays for as long as the adapter keeps it. */
  async set(key: string, value: string, life?: number): Promise<void> {
    const expires = life === undefined ? undefined : this.#clock.now() + life;
    const text = await this.#format.serializeData({ value, expires });
    const stored: unknown = await this.#run(() =>
      this.#adapter.set(this.#prefix + key, text, life === undefined ? undefined : this.#ttl(life)),
    );
    if (stored === false) throw new Error('the Keyv adapter did not store it');
  }

  async delete(key: string): Promise<void> {
    await this.#run(() => this.#adapter.delete(this.#prefix + key));
  }

  /** Whole seconds, upwards, as Memcached's adapter rounds down and takes 0 for "never": records know the exact time. */
  #ttl(life: number): number {
    const seconds = Math.max(1, Math.ceil(life / 1_000));
    const expiresBySelf = 'ttlSupport' in this.#adapter && this.#adapter.ttlSupport === true;
    return expiresBySelf ? Math.min(seconds * 1_000, LONGEST_TTL) : seconds * 1_000;
  }

  async #run<T>(operation: () => Promise<T>): Promise<T> {
    const flight = this.#begin();
    const before = this.#errors.count;
    let result: T;
    try {
      result = await operation();
    } finally {
      this.#end(flight);
    }
    // Somebody's operation failed, perhaps this one: an adapter may tell that by an event only.
    if (this.#errors.count !== before)
      throw new Error('the Keyv adapter told of an error', { cause: this.#errors.last });
    return result;
  }

  #begin(): { readonly at: number } {
    const flight = { at: this.#clock.now() };
    if (this.#inFlight.size < MAX_IN_FLIGHT) {
      this.#inFlight.add(flight);
      this.#triedAt = flight.at;
      return flight;
    }
    if (Math.abs(flight.at - this.#triedAt) < TRY_EVERY)
      throw new Error(`${MAX_IN_FLIGHT} operations are unanswered`);
    this.#triedAt = flight.at;
    return flight;
  }

  /** Some adapters never settle what a lost connection took with it. */
  #end(answered: { readonly at: number }): void {
    this.#inFlight.delete(answered);
    for (const oldest of this.#inFlight) {
      if (oldest.at > answered.at - LOST_AFTER) return;
      this.#inFlight.delete(oldest);
    }
  }
}

/** The same, where an operation that has no answer within `timeout` milliseconds has failed: it may still happen. */
export function withDeadline(
  records: KeyvRecords,
  clock: Clock,
  timeout: number,
): Pick<KeyvRecords, 'get' | 'set' | 'delete'> {
  const within = <T>(pending: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      const cancel = clock.after(timeout, () => reject(new Error(`no answer within ${timeout} ms`)));
      pending.then(resolve, reject).finally(cancel);
    });
  return {
    get: (key) => within(records.get(key)),
    set: (key, value, life) => within(records.set(key, value, life)),
    delete: (key) => within(records.delete(key)),
  };
}

import type { KeyvAdapter } from '../../../libs/caching/src/stores/keyv/keyv-adapter.js';

type Operation = 'get' | 'set' | 'delete';

/** What becomes of one operation: it goes through, or fails in one of the ways of real adapters. */
export type Fate = 'passes' | 'rejects' | 'emits' | 'hangs' | 'rejects and happens late';

/** An adapter in front of a real one, with the faults that a test asks for. */
export class FaultyAdapter {
  readonly opts = {};
  /** Operations in the order they came, as in `set books:state`. */
  readonly calls: string[] = [];
  /** Decides each operation. */
  fate: (operation: Operation, key: string) => Fate = () => 'passes';
  readonly #late: (() => Promise<unknown>)[] = [];
  readonly #listeners: ((error: unknown) => void)[] = [];

  constructor(private readonly inner: KeyvAdapter) {}

  get<Value>(key: string): Promise<Value | undefined> {
    return this.#meet('get', key, () => this.inner.get(key)) as Promise<Value | undefined>;
  }

  set(key: string, value: unknown, ttl?: number): Promise<unknown> {
    return this.#meet('set', key, async () => this.inner.set(key, value, ttl) as unknown);
  }

  delete(key: string): Promise<boolean> {
    return this.#meet('delete', key, () => this.inner.delete(key)) as Promise<boolean>;
  }

  clear(): Promise<void> {
    return Promise.reject(new Error('nobody may clear a store that is shared'));
  }

  on(event: string, listener: (error: unknown) => void): this {
    if (event === 'error') this.#listeners.push(listener);
    return this;
  }

  /** As an emitter does: without a listener it throws. */
  emitError(error: Error): void {
    if (this.#listeners.length === 0) throw error;
    for (const listener of this.#listeners) listener(error);
  }

  /** What was rejected happens now. */
  async happenLate(): Promise<number> {
    for (const operation of this.#late) await operation();
    return this.#late.length;
  }

  async #meet(operation: Operation, key: string, pass: () => Promise<unknown>): Promise<unknown> {
    this.calls.push(`${operation} ${key}`);
    const fate = this.fate(operation, key);
    if (fate === 'passes') return pass();
    if (fate === 'hangs') return new Promise(() => undefined);
    const error = new Error(`the store refuses to ${operation}`);
    if (fate === 'emits') {
      this.emitError(error);
      return undefined;
    }
    if (fate === 'rejects and happens late') this.#late.push(pass);
    throw error;
  }
}

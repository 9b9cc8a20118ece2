import { Keyv } from 'keyv';
import type { KeyvAdapter } from './keyv-adapter.js';

type ErrorListener = (error: unknown) => void;

interface Emitter {
  on(event: 'error', listener: ErrorListener): unknown;
}

/** Adapters that are listened to already, with what was heard: one listener each, however many tiers use it. */
const watched = new WeakMap<object, ErrorWatch>();

/** What an adapter tells by its `error` event. */
export class ErrorWatch {
  #count = 0;
  #last: unknown;
  readonly #listeners = new Set<ErrorListener>();

  /** How many there were. */
  get count(): number {
    return this.#count;
  }

  get last(): unknown {
    return this.#last;
  }

  /** @returns what ends it */
  listen(listener: ErrorListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  hear(error: unknown): void {
    this.#count++;
    this.#last = error;
    for (const listener of this.#listeners) listener(error);
  }
}

/**
 * Listens for as long as the adapter exists: an `error` event that nobody listens to ends the process, and the adapter
 * outlives the tier.
 */
export function watchErrors(adapter: KeyvAdapter, keyv: Keyv | undefined): ErrorWatch {
  let watch = watched.get(adapter);
  if (watch === undefined) {
    const fresh = new ErrorWatch();
    watch = fresh;
    watched.set(adapter, fresh);
    if (typeof adapter.on === 'function') (adapter as Emitter).on('error', (error) => fresh.hear(error));
    surviveForeignText(adapter);
  }
  // A Keyv repeats what its adapter tells: heard there already.
  if (keyv !== undefined && !watched.has(keyv)) {
    watched.set(keyv, watch);
    keyv.on('error', () => undefined);
  }
  return watch;
}

/**
 * `@keyv/memcache` parses what it read inside of a socket's event, where text that is no JSON ends the process. It is
 * given a parser that finds nothing instead.
 */
function surviveForeignText(adapter: KeyvAdapter): void {
  if (!('formatKey' in adapter)) return;
  const options = adapter.opts as { deserialize?: (text: string) => unknown };
  const parse = options.deserialize ?? new Keyv().deserialize;
  options.deserialize = (text) => {
    try {
      return parse?.(text);
    } catch {
      // Foreign or damaged: there is no record.
      return undefined;
    }
  };
}

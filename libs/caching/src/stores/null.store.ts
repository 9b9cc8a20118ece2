import { type Clock, systemClock } from '../cache/clock.js';
import type { Entry } from '../cache/entry.js';
import { EvictionLog, type StampPosition } from '../cache/stamps.js';
import type { CacheStore } from './store.js';

/** Keeps nothing, and still knows what was evicted, which fills in flight are checked against. Made with `nullStore()`. */
export class NullStore implements CacheStore {
  readonly name = 'null';
  readonly #log: EvictionLog;

  constructor(clock: Clock = systemClock) {
    this.#log = new EvictionLog({ clock });
  }

  get position(): StampPosition {
    return this.#log.position;
  }

  lookup(): StampPosition {
    return this.#log.position;
  }

  set(_entry: Entry): boolean {
    return false;
  }

  delete(): void {
    // There is nothing to remove.
  }

  evict(tags: readonly string[]): StampPosition {
    return this.#log.evict(tags);
  }

  isCurrent(start: StampPosition, tags: Iterable<string>): boolean {
    return this.#log.isCurrent(start, tags);
  }
}

/**
 * A store that keeps nothing, for development and tests: every request is a miss. All else goes on: keys are built,
 * inputs are checked, verdicts are told, and requests that come while a handler runs share its response (one run of a
 * handler for those that ask at once is no storing). To have none of it, say `enabled: false`.
 *
 * @example
 * CachingModule.forRoot({ store: nullStore() })
 */
export function nullStore(): NullStore {
  return new NullStore();
}

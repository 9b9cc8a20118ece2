import type { ValueStorage } from './shared-tier.js';

/** Values of a tier that is opened by the first operation on them. */
export function lateValues(opened: () => ValueStorage): ValueStorage {
  return {
    get: (key) => opened().get(key),
    set: (key, value, life) => opened().set(key, value, life),
    delete: (key) => opened().delete(key),
    has: (key) => opened().has(key),
    clear: () => opened().clear(),
  };
}

import type { ItemStorage, ValueStorage } from './shared-tier.js';

/**
 * Of a tier that knows of one kind of values only: no key of the other begins like these, and clearing these is an
 * eviction. Clearing the other takes these along.
 */
export function prefixedItems(values: ValueStorage): ItemStorage {
  const name = (key: string): string => `\u0001item:${key}`;
  return {
    clearedBy: '*items',
    get: (key) => values.get(name(key)),
    set: (key, value, life) => values.set(name(key), value, life),
    delete: (key) => values.delete(name(key)),
    has: (key) => values.has(name(key)),
    clear: () => Promise.reject(new Error('cleared by their tag')),
  };
}

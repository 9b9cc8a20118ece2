import { expect, it } from 'vitest';
import { EntryValues } from '../../libs/caching/src/stores/entry-values.js';
import { memory } from '../../libs/caching/src/stores/memory.store.js';
import type { CacheStore } from '../../libs/caching/src/stores/store.js';
import { FakeClock } from '../../libs/caching/src/testing.js';

it('plain values are deleted, one by one, also in a store that can only evict', async () => {
  const clock = new FakeClock();
  const inner = memory({ clock });
  const store: CacheStore = {
    name: 'evicts only',
    get position() {
      return inner.position;
    },
    lookup: (key) => inner.lookup(key),
    set: (entry) => inner.set(entry),
    evict: (tags) => inner.evict(tags),
    isCurrent: (start, tags) => inner.isCurrent(start, tags),
  };
  const values = new EntryValues(store, clock, 'books');
  await values.set('a', 'one', 60_000);
  await values.set('b', 'two', 60_000);
  expect(await values.delete('a')).toBe(true);
  expect(await values.delete('a')).toBe(false);
  expect([await values.get('a'), await values.get('b')]).toEqual([undefined, 'two']);
  await values.set('a', 'again', 60_000);
  expect(await values.get('a')).toBe('again');
});

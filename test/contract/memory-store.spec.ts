import { memory } from 'nestjs-caching';
import { describe, expect, it } from 'vitest';
import { sizeOf } from '../../libs/caching/src/cache/entry.js';
import { ChaosStore, FakeClock, storeContract } from '../../libs/caching/src/testing.js';
import { entry } from '../support/engine.js';
import { eventually, turns } from '../support/gate.js';
import { rowsOf } from '../support/store-promises.js';

describe.each([
  { name: 'memory()', make: (clock: FakeClock) => memory({ clock }) },
  { name: 'a store that answers with promises', make: (clock: FakeClock) => new ChaosStore({ clock }) },
])('what the engine relies on: $name', ({ make }) => {
  const contract = storeContract(() => {
    const clock = new FakeClock();
    return { store: make(clock), clock };
  });

  it.each(rowsOf(contract))('%s', async (_promise, check) => {
    await expect(check()).resolves.toBeUndefined();
  });
});

describe('memory()', () => {
  const open = (bounds: { maxBytes?: number; maxEntries?: number } = {}) => {
    const clock = new FakeClock();
    const store = memory({ ...bounds, clock });
    const make = (key: string, tags: readonly string[] = [], text = key, order = 1) =>
      entry(key, { start: store.position, storedAt: clock.now(), tags, text, order });
    return { clock, store, make, put: (...given: Parameters<typeof make>) => store.set(make(...given)) };
  };
  const has = (store: ReturnType<typeof memory>, key: string): boolean => 'response' in store.lookup(key);

  it('counts what it holds, byte by byte as `maxBytes` does', () => {
    const { store, make } = open();
    const [a, b] = [make('a', ['t:1'], 'x'.repeat(1_000)), make('b')];
    store.set(a);
    store.set(b);
    expect(store.entries).toBe(2);
    expect(store.bytes).toBe(sizeOf(a) + sizeOf(b));
    store.set(make('a', [], '', 2));
    expect(store.bytes).toBe(sizeOf(make('a', [], '')) + sizeOf(b));
    store.delete('a');
    store.delete('b');
    expect([store.entries, store.bytes]).toEqual([0, 0]);
  });

  it('frees the bytes of what was evicted within a few turns of the event loop', async () => {
    const { store, put } = open();
    for (let n = 0; n < 2_000; n++) put(`k${n}`, [n % 2 === 0 ? 't:even' : 't:odd'], 'x'.repeat(100));
    const full = store.bytes;
    store.evict(['t:even']);
    await turns(40);
    expect(store.entries).toBe(1_000);
    expect(store.bytes).toBeLessThan(full * 0.51);
    expect([has(store, 'k0'), has(store, 'k1')]).toEqual([false, true]);
  });

  it('frees all of it after several evictions in a row, without walking for each', async () => {
    const { clock, store, put } = open();
    for (let n = 0; n < 1_000; n++) put(`k${n}`, [`t:${n % 10}`]);
    store.evict(['t:0']);
    await turns(40);
    expect(store.entries).toBe(900);
    for (let n = 1; n < 10; n++) store.evict([`t:${n}`]);
    expect(clock.pending).toBe(1);
    clock.advance(1_000);
    await turns(40);
    expect([store.entries, store.bytes]).toEqual([0, 0]);
  });

  it('frees what is evicted while it frees', async () => {
    const { clock, store, put } = open();
    for (let n = 0; n < 5_000; n++) put(`k${n}`, [n < 2_500 ? 't:first' : 't:second']);
    store.evict(['t:second']);
    await turns(30);
    // The walk has passed these.
    store.evict(['t:first']);
    await turns(60);
    clock.advance(1_000);
    await turns(60);
    expect([store.entries, store.bytes]).toEqual([0, 0]);
  });

  it('never makes a turn of the event loop wait for the freeing of much', async () => {
    const { store, put } = open({ maxEntries: 100_000, maxBytes: 2 ** 30 });
    for (let n = 0; n < 100_000; n++) put(`k${n}`, ['t:all']);
    store.evict(['t:all']);
    const counts = [store.entries];
    await eventually(() => {
      counts.push(store.entries);
      return store.entries === 0;
    }, 'everything is freed');
    const steps = counts.slice(1).map((count, at) => (counts[at] as number) - count);
    expect(Math.max(...steps)).toBeLessThanOrEqual(1_000);
  });

  it('returns an entry with its order and its start, as it was given', () => {
    const { store, make } = open();
    const full = make('a', ['t:1'], 'body', 3);
    store.set(full);
    expect(store.lookup('a')).toEqual(full);
  });

  it('takes no entry that is a millisecond ahead of its clock: nobody else stores here', () => {
    const { clock, store, make } = open();
    store.set({ ...make('a'), storedAt: clock.now() + 1 });
    expect(has(store, 'a')).toBe(false);
  });

  it('lets go of expired entries when they are met', async () => {
    const { clock, store, put } = open();
    put('a');
    put('b', ['t:b']);
    clock.advance(60_000);
    expect(has(store, 'a')).toBe(false);
    expect(store.entries).toBe(1);
    store.evict(['t:other']);
    await turns(5);
    expect([store.entries, store.bytes]).toEqual([0, 0]);
  });

  it('stays within `maxEntries`, the least recently used going first', () => {
    const { store, put } = open({ maxEntries: 3 });
    for (const key of ['a', 'b', 'c']) put(key);
    has(store, 'a');
    put('d');
    expect(['a', 'b', 'c', 'd'].filter((key) => has(store, key))).toEqual(['a', 'c', 'd']);
    for (let n = 0; n < 1_000; n++) put(`k${n}`);
    expect(store.entries).toBe(3);
  });

  it('stays within `maxBytes`, the least recently used going first', () => {
    const { store, make, put } = open({ maxBytes: 100_000 });
    const size = sizeOf(make('k000', [], 'x'.repeat(9_000)));
    for (let n = 0; n < 1_000; n++) {
      put(`k${String(n).padStart(3, '0')}`, [], 'x'.repeat(9_000));
      expect(store.bytes).toBeLessThanOrEqual(100_000);
    }
    expect(store.entries).toBe(Math.floor(100_000 / size));
    expect(has(store, 'k999')).toBe(true);
  });

  it('takes no entry larger than `maxBytes`, and keeps the others for it', async () => {
    const { store, put } = open({ maxBytes: 10_000 });
    put('small');
    put('large', [], 'x'.repeat(10_000));
    expect([has(store, 'small'), has(store, 'large'), store.entries]).toEqual([true, false, 1]);
    // In place of a smaller one of its key it leaves none: what was there is outdated.
    put('small', [], 'x'.repeat(10_000), 2);
    expect([has(store, 'small'), store.entries, store.bytes]).toEqual([false, 0, 0]);
    store.evict(['t:any']);
    await turns(5);
    expect(store.bytes).toBe(0);
  });

  it('holds no more than its bounds where many are evicted and stored again', async () => {
    const { clock, store, put } = open({ maxEntries: 100 });
    for (let round = 0; round < 50; round++) {
      for (let n = 0; n < 150; n++) put(`k${n}`, [`t:${n % 7}`], String(round));
      store.evict([`t:${round % 7}`]);
      await turns(2);
      clock.advance(100);
      expect(store.entries).toBeLessThanOrEqual(100);
    }
    store.evict([0, 1, 2, 3, 4, 5, 6].map((n) => `t:${n}`));
    clock.advance(1_000);
    await turns(5);
    expect([store.entries, store.bytes]).toEqual([0, 0]);
  });

  it('is empty after it was closed, and stops what it was freeing', async () => {
    const { store, put } = open();
    for (let n = 0; n < 5_000; n++) put(`k${n}`, ['t:1']);
    store.evict(['t:1']);
    store.close();
    expect([store.entries, store.bytes]).toEqual([0, 0]);
    await turns(20);
    put('after');
    expect(has(store, 'after')).toBe(true);
  });
});

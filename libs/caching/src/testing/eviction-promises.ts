import assert from 'node:assert/strict';
import { type EntryLife, isFresh } from '../cache/entry.js';
import { softTag } from '../cache/soft.js';
import type { StampPosition } from '../cache/stamps.js';
import { type OpenedStore, placeOf } from './opened-store.js';
import type { Chapter } from './promises.js';

/** Tags that a store could take for something else than a name. */
export const ODD_TAGS: readonly string[] = [
  't:',
  't:a',
  't:a,b',
  't:"a"',
  't:a b',
  't:a\nb',
  't:a\0b',
  't:*',
  't:[ab]',
  't:é',
  't:e\u0301',
  't:🎈',
  't:\ud83c',
  't:\ud83d',
  '__proto__',
  'E1',
  'F',
  '-inf',
  '1',
  `t:${'x'.repeat(1_000)}`,
];

/** Evictions, and where fills stand to them. */
export const EVICTION_PROMISES: Chapter<OpenedStore> = {
  'evicts what carries any of the tags, its own key included, and nothing else': async (opened) => {
    const { store } = opened;
    await opened.put('a', { tags: ['t:1'] });
    await opened.put('b', { tags: ['t:1', 't:2'] });
    await opened.put('c', { tags: ['t:12'] });
    await store.evict(['t:2', 't:3']);
    assert.deepEqual(await readAll(opened, 'a', 'b', 'c'), ['a', undefined, 'c']);
    await store.evict(['c']);
    assert.deepEqual(await readAll(opened, 'a', 'c'), ['a', undefined]);
    await store.evict([]);
    assert.equal(await opened.read('a'), 'a');
  },

  'evicts by each tag what carries it, whatever it is made of': async (opened) => {
    for (const [at, tag] of ODD_TAGS.entries()) await opened.put(`k${at}`, { tags: [tag] });
    for (const [at, tag] of ODD_TAGS.entries()) {
      await opened.store.evict([tag]);
      assert.equal(await opened.read(`k${at}`), undefined, JSON.stringify(tag));
      const next = `k${at + 1}`;
      // Two lone halves of surrogate pairs may be one to the store, which evicts too much rather than too little.
      if (at + 1 < ODD_TAGS.length && !/\p{Surrogate}/u.test(tag))
        assert.equal(await opened.read(next), next, `evicting ${JSON.stringify(tag)} evicted another`);
    }
  },

  'evicts a thousand entries by one tag, and one entry by any of its 256': async (opened) => {
    const start = await opened.start();
    const keys = Array.from({ length: 1_000 }, (_, at) => `k${at}`);
    await Promise.all(keys.map((key) => opened.put(key, { start, tags: ['t:many'] })));
    const tags = Array.from({ length: 256 }, (_, at) => `t:${at}`);
    await opened.put('one', { start, tags });
    assert.equal(await opened.read('k999'), 'k999');
    await opened.store.evict(['t:many']);
    const left = await Promise.all(keys.map((key) => opened.read(key)));
    assert.deepEqual(new Set(left), new Set([undefined]));
    assert.equal(await opened.read('one'), 'one');
    await opened.store.evict(['t:255']);
    assert.equal(await opened.read('one'), undefined);
  },

  'evicts by any of a thousand tags at once': async (opened) => {
    await opened.put('a', { tags: ['t:999'] });
    await opened.put('b', { tags: ['t:1000'] });
    await opened.store.evict(Array.from({ length: 1_000 }, (_, at) => `t:${at}`));
    assert.deepEqual(await readAll(opened, 'a', 'b'), [undefined, 'b']);
  },

  'refuses what was started before an eviction that concerns it, whenever it is stored': async (opened) => {
    const before = await opened.start('a');
    await opened.store.evict(['t:1']);
    assert.equal(await opened.put('a', { start: before, tags: ['t:1'] }), false);
    assert.equal(await opened.read('a'), undefined);
    await opened.put('b', { start: before, tags: ['t:2'] });
    assert.equal(await opened.read('b'), 'b');
    opened.clock.advance(30_000);
    for (let n = 0; n < 100; n++) await opened.store.evict([`t:other ${n}`]);
    await opened.put('a', { start: before, tags: ['t:1'] });
    assert.equal(await opened.read('a'), undefined);
  },

  'takes what was started after the eviction': async (opened) => {
    await opened.store.evict(['t:1']);
    assert.equal(await opened.put('a', { start: await opened.start('a'), tags: ['t:1'] }), true);
    assert.equal(await opened.read('a'), 'a');
  },

  'refuses what was started in another epoch, or ahead of the sequence': async (opened) => {
    const now = await opened.start();
    const inBoth = (change: (position: StampPosition) => StampPosition): StampPosition => ({
      ...change(now),
      ...(now.shared !== undefined && { shared: change(now.shared) }),
    });
    await opened.put('epoch', { start: inBoth(({ n }) => ({ epoch: 'another', n })) });
    await opened.put('ahead', { start: inBoth(({ epoch, n }) => ({ epoch, n: n + 1 })) });
    assert.equal(await opened.read('epoch'), undefined);
    assert.equal(await opened.read('ahead'), undefined);
  },

  'counts its evictions up, one by one, in one epoch': async ({ store }) => {
    await store.lookup('a');
    const { epoch, n } = placeOf(store.position);
    assert.deepEqual(placeOf(await store.evict(['t:1'])), { epoch, n: n + 1 });
    assert.deepEqual(placeOf(await store.evict(['t:1', 't:2'])), { epoch, n: n + 2 });
    await store.lookup('a');
    assert.deepEqual(placeOf(store.position), { epoch, n: n + 2 });
  },

  'makes stale what is softly evicted, and ends nothing': async (opened) => {
    const { store, clock } = opened;
    if (store.softens !== true) return;
    const now = clock.now();
    const before = await opened.start();
    await opened.put('a', { tags: ['t:1'], freshness: lifeFrom(now) });
    await opened.put('b', { tags: ['t:2'], freshness: lifeFrom(now) });
    clock.advance(1_000);
    await store.evict([softTag('t:1'), softTag('t:3')]);
    const softly = await opened.find('a');
    assert.equal(isFresh(softly, clock.now()), false);
    assert.deepEqual(softly.freshness, {
      ...lifeFrom(now),
      freshUntil: now + 1_000,
      staleWhileRevalidateUntil: now + 11_000,
      staleIfErrorUntil: now + 21_000,
      softenedBy: lifeFrom(now).freshUntil - (now + 1_000),
    });
    assert.equal(isFresh(await opened.find('b'), clock.now()), true);
    // What began before it is as old.
    await opened.put('c', { start: before, tags: ['t:1'], freshness: lifeFrom(now + 1_000) });
    assert.equal(isFresh(await opened.find('c'), clock.now()), false);
    await opened.put('a', { tags: ['t:1'], freshness: lifeFrom(now + 1_000), order: 2 });
    assert.equal(isFresh(await opened.find('a'), clock.now()), true);
  },

  'ends what is evicted, whether it was softly evicted before or is after': async (opened) => {
    const { store } = opened;
    await opened.put('a', { tags: ['t:1'] });
    await store.evict([softTag('t:1')]);
    await store.evict(['t:1']);
    assert.equal(await opened.read('a'), undefined);
    const before = await opened.start();
    await store.evict(['t:1']);
    await store.evict([softTag('t:1')]);
    await opened.put('a', { start: before, tags: ['t:1'] });
    assert.equal(await opened.read('a'), undefined);
  },

  'gives where a fill may start to a look-up that finds nothing': async (opened) => {
    assert.deepEqual(await opened.start('a'), opened.store.position);
    const evicted = await opened.store.evict(['t:1']);
    assert.deepEqual(placeOf(await opened.start('a')), placeOf(evicted));
  },

  'says at once what is current': async (opened) => {
    const { store } = opened;
    const before = await opened.start();
    assert.equal(store.isCurrent(before, ['t:1']), true);
    await store.evict(['t:1']);
    assert.equal(store.isCurrent(before, ['t:2', 't:1']), false);
    assert.equal(store.isCurrent(before, ['t:2']), true);
    assert.equal(store.isCurrent(store.position, ['t:1']), true);
  },
};

/** Fresh for 40 s, to be served stale for 10 s and for 20 s after that. */
function lifeFrom(now: number): EntryLife {
  return {
    freshUntil: now + 40_000,
    ageAtStore: 0,
    staleWhileRevalidateUntil: now + 50_000,
    staleIfErrorUntil: now + 60_000,
    alwaysRevalidate: false,
    staleForbidden: false,
  };
}

function readAll(opened: OpenedStore, ...keys: string[]): Promise<(string | undefined)[]> {
  return Promise.all(keys.map((key) => opened.read(key)));
}

import type { CacheStore } from 'nestjs-caching';
import { describe, expect, it } from 'vitest';
import { type Entry, isEntry } from '../../libs/caching/src/cache/entry.js';
import type { StampPosition } from '../../libs/caching/src/cache/stamps.js';
import { entry } from '../support/engine.js';
import { FakeClock } from '../support/fake-clock.js';

type Given = Partial<Omit<Entry, 'key'>> & { life?: number; text?: string };

/** What the engine relies on, whatever the store is made of. Each store has a spec that runs this. */
export function storeContract(name: string, makeStore: (clock: FakeClock) => CacheStore): void {
  describe(`what the engine relies on: ${name}`, () => {
    const open = () => {
      const clock = new FakeClock();
      const store = makeStore(clock);
      return {
        clock,
        store,
        put: async (key: string, given: Given = {}) =>
          store.set(entry(key, { start: store.position, storedAt: clock.now(), ...given })),
        read: async (key: string): Promise<string | undefined> => {
          const found = await store.lookup(key);
          return isEntry(found) ? String(found.response.body) : undefined;
        },
        start: async (key: string): Promise<StampPosition> => {
          const found = await store.lookup(key);
          if (isEntry(found)) throw new Error(`${key} is there`);
          return found;
        },
      };
    };

    it('returns what was stored, under its key only', async () => {
      const { store, put, read, clock } = open();
      await put('a', { text: 'A' });
      expect(await read('a')).toBe('A');
      expect(await read('A')).toBeUndefined();
      expect(await read('')).toBeUndefined();
      expect(await read('__proto__')).toBeUndefined();
      const full = entry('full', {
        start: store.position,
        storedAt: clock.now(),
        order: 3,
        response: {
          status: 203,
          statusMessage: 'Fine',
          headers: [
            ['X-One', 'é'],
            ['Two', ['a', 'b']],
          ],
          removed: ['x-powered-by'],
          body: Buffer.from([0, 255, 13, 10]),
          delivery: 'raw',
        },
      });
      await store.set(full);
      expect(await store.lookup('full')).toEqual(full);
    });

    it('keeps no body and an empty body apart', async () => {
      const { store, put } = open();
      await put('none', {
        response: { ...entry('x', { start: store.position, storedAt: 0 }).response, body: undefined },
      });
      await put('empty', { text: '' });
      expect(await store.lookup('none')).toMatchObject({ response: { body: undefined } });
      expect(await store.lookup('empty')).toMatchObject({ response: { body: Buffer.alloc(0) } });
    });

    it('forgets an entry at the end of its life, to the millisecond', async () => {
      const { clock, put, read } = open();
      await put('a', { life: 1_000 });
      clock.advance(999);
      expect(await read('a')).toBe('a');
      clock.advance(1);
      expect(await read('a')).toBeUndefined();
    });

    it('stores nothing that is expired, or came from the future', async () => {
      const { clock, put, read } = open();
      await put('expired', { storedAt: clock.now() - 2_000, life: 2_000 });
      await put('future', { storedAt: clock.now() + 1 });
      expect(await read('expired')).toBeUndefined();
      expect(await read('future')).toBeUndefined();
    });

    it('removes one entry on request, and minds no key that is not there', async () => {
      const { store, put, read } = open();
      await put('a');
      await put('b');
      await store.delete('a');
      await store.delete('never');
      expect([await read('a'), await read('b')]).toEqual([undefined, 'b']);
    });

    it('evicts what carries any of the tags, its own key included, and nothing else', async () => {
      const { store, put, read } = open();
      await put('a', { tags: ['t:1'] });
      await put('b', { tags: ['t:1', 't:2'] });
      await put('c', { tags: ['t:12'] });
      await store.evict(['t:2', 't:3']);
      expect([await read('a'), await read('b'), await read('c')]).toEqual(['a', undefined, 'c']);
      await store.evict(['c']);
      expect([await read('a'), await read('c')]).toEqual(['a', undefined]);
      await store.evict([]);
      expect(await read('a')).toBe('a');
    });

    it('refuses what was started before an eviction that concerns it, whenever it is stored', async () => {
      const { store, put, read, start } = open();
      const before = await start('a');
      await store.evict(['t:1']);
      await put('a', { start: before, tags: ['t:1'] });
      expect(await read('a')).toBeUndefined();
      await put('b', { start: before, tags: ['t:2'] });
      expect(await read('b')).toBe('b');
    });

    it('takes what was started after the eviction', async () => {
      const { store, put, read, start } = open();
      await store.evict(['t:1']);
      await put('a', { start: await start('a'), tags: ['t:1'] });
      expect(await read('a')).toBe('a');
    });

    it('refuses what was started in another epoch, or ahead of the sequence', async () => {
      const { store, put, read } = open();
      await put('epoch', { start: { epoch: 'another', n: store.position.n } });
      await put('ahead', { start: { epoch: store.position.epoch, n: store.position.n + 1 } });
      expect([await read('epoch'), await read('ahead')]).toEqual([undefined, undefined]);
    });

    it('keeps what the later fill made, in whichever order the two arrive', async () => {
      const { put, read } = open();
      await put('a', { order: 2, text: 'later' });
      await put('a', { order: 1, text: 'earlier' });
      expect(await read('a')).toBe('later');
      await put('a', { order: 3, text: 'last' });
      expect(await read('a')).toBe('last');
    });

    it('prefers an earlier fill to a later one that was evicted', async () => {
      const { store, put, read } = open();
      await put('a', { order: 2, text: 'later', tags: ['t:1'] });
      await store.evict(['t:1']);
      await put('a', { order: 1, text: 'earlier', tags: ['t:2'] });
      expect(await read('a')).toBe('earlier');
    });

    it('counts its evictions up, one by one, in one epoch', async () => {
      const { store } = open();
      const { epoch, n } = store.position;
      expect(await store.evict(['t:1'])).toEqual({ epoch, n: n + 1 });
      expect(await store.evict(['t:1', 't:2'])).toEqual({ epoch, n: n + 2 });
      expect(store.position).toEqual({ epoch, n: n + 2 });
    });

    it('gives where a fill may start to a look-up that finds nothing', async () => {
      const { store, start } = open();
      expect(await start('a')).toEqual(store.position);
      const evicted = await store.evict(['t:1']);
      expect(await start('a')).toEqual(evicted);
    });

    it('says at once what is current', async () => {
      const { store } = open();
      const before = store.position;
      expect(store.isCurrent(before, ['t:1'])).toBe(true);
      await store.evict(['t:1']);
      expect(store.isCurrent(before, ['t:2', 't:1'])).toBe(false);
      expect(store.isCurrent(before, ['t:2'])).toBe(true);
      expect(store.isCurrent(store.position, ['t:1'])).toBe(true);
    });

    it('is not moved by names that objects have', async () => {
      const { store, put, read } = open();
      for (const key of ['constructor', '__proto__', 'toString']) {
        await put(key, { tags: ['hasOwnProperty'] });
        expect(await read(key)).toBe(key);
      }
      await store.evict(['__proto__']);
      expect(await read('__proto__')).toBeUndefined();
      expect(await read('constructor')).toBe('constructor');
    });
  });
}

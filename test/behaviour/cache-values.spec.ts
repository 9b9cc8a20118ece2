import { CACHE_MANAGER } from '@nestjs/cache-manager';
import type { Cache } from 'cache-manager';
import * as fc from 'fast-check';
import { CacheEvictionService, CacheUsageError, CacheValues } from 'nestjs-caching';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RunningApplication } from '../support/application.js';
import { Gate, turns } from '../support/gate.js';
import { poll } from '../support/redis/poll.js';
import { valuesToKeep } from '../support/random-values.js';
import { VALUE_STORES, type ValueStore } from '../support/values/value-stores.js';

describe.each(VALUE_STORES)('CacheValues on $name', ({ open }) => {
  let store: ValueStore;
  let running: RunningApplication;
  let values: CacheValues;

  beforeAll(async () => {
    store = await open();
  });
  beforeEach(async () => {
    running = await store.start();
    values = running.app.get(CacheValues, { strict: false });
    // Each server of a cluster has a connection of its own.
    await poll('all servers are reached', () =>
      values.clear().then(
        () => true,
        () => undefined,
      ),
    );
  });
  afterEach(() => running.close());
  afterAll(() => store.close());

  it('gets what was set as it was, each caller a copy of its own, and nothing after delete', async () => {
    const value = {
      at: new Date(5),
      by: new Map([['a', new Set([1n])]]),
      bytes: Buffer.from('x'),
      none: undefined,
    };
    expect(await values.get('a')).toBeUndefined();
    expect(await values.has('a')).toBe(false);
    expect(await values.set('a', value)).toBe(true);
    const first = (await values.get('a')) as typeof value;
    expect(first).toStrictEqual(value);
    first.by.clear();
    expect(await values.get('a')).toStrictEqual(value);
    expect(await values.has('a')).toBe(true);
    expect(await values.delete('a')).toBe(true);
    expect(await values.delete('a')).toBe(false);
    expect(await values.has('a')).toBe(false);
  });

  it.each([null, false, 0, '', -0, undefined])('keeps the value %o', async (value) => {
    expect(await values.set('falsy', value)).toBe(true);
    expect(await values.get('falsy')).toBe(value);
    expect(await values.has('falsy')).toBe(true);
    expect(await values.add('falsy', 1)).toBe(false);
    expect(await values.getOrSet('falsy', () => 'another')).toBe(value);
  });

  it('keeps any value that it takes: what comes back is equal', async () => {
    await fc.assert(
      fc.asyncProperty(valuesToKeep(), async (value) => {
        expect(await values.set('any', value)).toBe(true);
        expect(await values.get('any')).toStrictEqual(value);
        expect(await values.getOrSet('any', () => 'another')).toStrictEqual(value);
      }),
      { numRuns: 100 },
    );
  });

  it('refuses a value that would not come back as it was, and one that is too large', async () => {
    class Book {}
    await expect(values.set('a', { book: [new Book()] })).rejects.toThrow(
      /the value of "a" has an instance of Book at \.book\[0\]/,
    );
    await expect(values.add('a', () => 1)).rejects.toBeInstanceOf(CacheUsageError);
    await expect(values.getOrSet('a', () => Symbol('s'))).rejects.toBeInstanceOf(CacheUsageError);
    expect(await values.set('a', 'x'.repeat(2_000_000))).toBe(false);
    expect(await values.has('a')).toBe(false);
  });

  it('takes many at once, in their order', async () => {
    expect(
      await values.setMany(
        new Map([
          ['a', 1],
          ['b', 2],
        ]),
      ),
    ).toBe(true);
    expect(await values.getMany(['b', 'none', 'a'])).toEqual([2, undefined, 1]);
    expect(await values.deleteMany(['a', 'b', 'none'])).toBe(2);
    expect(await values.getMany(['a', 'b'])).toEqual([undefined, undefined]);
  });

  it('adds for one of all that try at once', async () => {
    const added = await Promise.all(Array.from({ length: 20 }, (_, at) => values.add('lock', `owner ${at}`)));
    expect(added.filter(Boolean)).toHaveLength(1);
    expect(await values.get('lock')).toBe(`owner ${added.indexOf(true)}`);
    await values.delete('lock');
    expect(await values.add('lock', 'next')).toBe(true);
  });

  it('adds in the place of what was evicted, for one of all that try', async () => {
    await values.set('lock', 'old', { tags: ['locks'] });
    expect(await values.add('lock', 'early')).toBe(false);
    await running.app.get(CacheEvictionService).byTag('locks');
    const added = await Promise.all(Array.from({ length: 20 }, (_, at) => values.add('lock', at)));
    expect(added.filter(Boolean)).toHaveLength(1);
    expect(await values.get('lock')).toBe(added.indexOf(true));
  });

  it('counts each of many at once, from what is there', async () => {
    const counts = await Promise.all(Array.from({ length: 100 }, () => values.inc('hits')));
    expect(counts.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, at) => at + 1));
    expect(await values.get('hits')).toBe(100);
    expect(await values.inc('hits', 10)).toBe(110);
    expect(await values.dec('hits', 11)).toBe(99);
    await values.set('hits', -5);
    expect(await values.inc('hits')).toBe(-4);
  });

  it('counts only whole numbers without tags', async () => {
    for (const value of ['5', 1.5, null, [1], 5n]) {
      await values.set('other', value);
      await expect(values.inc('other')).rejects.toThrow(/no whole number without tags/);
      expect(await values.get('other')).toStrictEqual(value);
    }
    await values.set('tagged', 5, { tags: ['t'] });
    await expect(values.inc('tagged')).rejects.toBeInstanceOf(CacheUsageError);
    await running.app.get(CacheEvictionService).byTag('t');
    expect(await values.inc('tagged')).toBe(1);
    await expect(values.inc('a', 0.5)).rejects.toThrow(/by is 0.5/);
  });

  it('is evicted by tag, also from a factory that runs, and not by all()', async () => {
    const evictions = running.app.get(CacheEvictionService);
    await values.set('a', 1, { tags: ['x', 'y'] });
    await values.set('b', 2, { tags: ['y'] });
    await values.set('c', 3);
    await evictions.all();
    expect(await values.getMany(['a', 'b', 'c'])).toEqual([1, 2, 3]);
    await evictions.byTag('x');
    expect(await values.getMany(['a', 'b', 'c'])).toEqual([undefined, 2, 3]);

    const gate = new Gate();
    const old = values.getOrSet('d', async () => (await gate.pass(), 'old'), { tags: ['x'] });
    await turns();
    while (gate.arrived === 0) await turns(1);
    await evictions.byTag('x');
    expect(await values.getOrSet('d', () => 'new', { tags: ['x'] })).toBe('new');
    gate.open();
    expect(await old).toBe('old');
    // Nobody waits for the store but whoever looks.
    await poll('the new one is stored', async () => (await values.has('d')) || undefined);
    expect(await values.get('d')).toBe('new');
  });

  it('makes a value once for all who ask at once; an error is theirs, and nobody keeps it', async () => {
    let runs = 0;
    const gate = new Gate();
    const make = async () => {
      runs++;
      await gate.pass();
      if (runs === 1) throw new Error('the first time');
      return { run: runs };
    };
    const ask = () => values.getOrSet('made', make).catch((error: Error) => error.message);
    const asking = Promise.all(Array.from({ length: 50 }, ask));
    while (gate.arrived === 0) await turns(1);
    await turns(200);
    gate.open();
    expect(new Set(await asking)).toEqual(new Set(['the first time']));
    expect(runs).toBe(1);
    expect(await values.getOrSet('made', make)).toEqual({ run: 2 });
    await poll('it is stored', async () => (await values.has('made')) || undefined);
    expect(await values.getOrSet('made', make)).toEqual({ run: 2 });
  });

  it('makes a value that can not be kept once for all who ask, each told what is wrong with it', async () => {
    let runs = 0;
    const gate = new Gate();
    const make = async () => {
      runs++;
      await gate.pass();
      return () => 1;
    };
    const asking = Promise.allSettled(Array.from({ length: 20 }, () => values.getOrSet('made', make)));
    while (gate.arrived === 0) await turns(1);
    await turns(200);
    gate.open();
    for (const result of await asking)
      expect(result).toMatchObject({ status: 'rejected', reason: { name: 'CacheUsageError' } });
    expect(runs).toBe(1);
    expect(await values.has('made')).toBe(false);
    expect(await values.getOrSet('made', () => 1)).toBe(1);
  });

  it('leaves a number as it is where what comes of it would not be exact', async () => {
    await values.set('large', Number.MAX_SAFE_INTEGER - 1);
    expect(await values.inc('large')).toBe(Number.MAX_SAFE_INTEGER);
    await expect(values.inc('large')).rejects.toThrow(/too large to be exact/);
    expect(await values.get('large')).toBe(Number.MAX_SAFE_INTEGER);
    expect(await values.dec('large', 10)).toBe(Number.MAX_SAFE_INTEGER - 10);
    await values.set('small', -Number.MAX_SAFE_INTEGER);
    await expect(values.dec('small', Number.MAX_SAFE_INTEGER)).rejects.toBeInstanceOf(CacheUsageError);
    expect(await values.get('small')).toBe(-Number.MAX_SAFE_INTEGER);
  });

  it('takes a value that is kept only for where no new one can be made for none', async () => {
    const outlive = async () => {
      await values.getOrSet('old', () => 5, { ttl: 30, staleIfError: '1h' });
      await poll('its time is over', async () => {
        running.clock.advance(10);
        return (await values.has('old')) ? undefined : true;
      });
    };
    await outlive();
    expect(await values.inc('old')).toBe(1);
    expect(await values.get('old')).toBe(1);
    await values.delete('old');
    await outlive();
    const added = await Promise.all(Array.from({ length: 10 }, (_, at) => values.add('old', at)));
    expect(added.filter(Boolean)).toHaveLength(1);
    expect(await values.get('old')).toBe(added.indexOf(true));
    await values.delete('old');
    await outlive();
    expect(await values.delete('old')).toBe(false);
    // It is gone for those, too.
    await expect(
      values.getOrSet('old', () => {
        throw new Error('no new one');
      }),
    ).rejects.toThrow('no new one');
  });

  it('keeps what is set or deleted while a factory runs', async () => {
    for (const write of [() => values.set('a', 'set'), () => values.delete('a'), () => values.clear()]) {
      await values.delete('a');
      const gate = new Gate();
      const old = values.getOrSet('a', async () => (await gate.pass(), 'old'));
      while (gate.arrived === 0) await turns(1);
      await write();
      const written = await values.get('a');
      gate.open();
      expect(await old).toBe('old');
      await turns(20);
      expect(await values.get('a')).toBe(written);
    }
  });

  it('clears all values of its namespace, and nothing else', async () => {
    const manager = running.app.get<Cache>(CACHE_MANAGER, { strict: false });
    await manager.set('a', 'of the manager');
    await values.setMany([
      ['a', 1],
      ['b', 'x'],
      ['c', [1]],
    ]);
    await values.inc('d');
    expect(await manager.get('a')).toBe('of the manager');
    await values.clear();
    expect(await values.getMany(['a', 'b', 'c', 'd'])).toEqual([undefined, undefined, undefined, undefined]);
    expect(await manager.get('a')).toBe('of the manager');
    await values.set('a', 2);
    await manager.clear();
    // A file has one kind of values only.
    expect(await values.get('a')).toBe(store.isApart === false ? undefined : 2);
  });

  it('names what is wrong with a call', async () => {
    await expect(values.get('')).rejects.toThrow(/get\(""\); allowed: a key/);
    await expect(values.set('a', 1, { ttl: 0 })).rejects.toThrow(/set: ttl is 0/);
    await expect(values.set('a', 1, { tags: [''] })).rejects.toThrow(/set: tags/);
    await expect(values.getOrSet('a', () => 1, { staleIfError: '5' as never })).rejects.toThrow(
      /getOrSet: staleIfError/,
    );
  });
});

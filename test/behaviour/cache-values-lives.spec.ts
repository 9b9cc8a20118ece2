import {
  type CacheEvent,
  CacheEvictionService,
  CacheStoreError,
  CacheValues,
  keyv,
  memory,
  redis,
} from 'nestjs-caching';
import { ChaosStore } from 'nestjs-caching/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { type RunningApplication, startApplication } from '../support/application.js';
import { FakeClock } from '../support/fake-clock.js';
import { Gate, turns } from '../support/gate.js';
import { startSqlite } from '../support/keyv/backends.js';
import { startOnRedis } from '../support/redis/applications.js';
import { poll } from '../support/redis/poll.js';
import { startRedis } from '../support/redis/redis-server.js';

const running: RunningApplication[] = [];

afterEach(() => Promise.all(running.splice(0).map((each) => each.close())));

async function start(caching: Parameters<typeof startApplication>[1]['caching'] = {}) {
  const app = await startApplication('fastify', { caching });
  running.push(app);
  return { app, clock: app.clock, values: app.app.get(CacheValues, { strict: false }) };
}

describe('the life of a value', () => {
  it("ends after its own time, or the module's, in milliseconds", async () => {
    const { values, clock } = await start({ ttl: '2m' });
    await values.set('own', 1, { ttl: 1_500 });
    await values.set('default', 1);
    await values.inc('count', 1, { ttl: '1m' });
    clock.advance(1_499);
    expect(await values.getMany(['own', 'default', 'count'])).toEqual([1, 1, 1]);
    clock.advance(1);
    expect(await values.getMany(['own', 'default', 'count'])).toEqual([undefined, 1, 1]);
    // Counting does not prolong it.
    expect(await values.inc('count', 1, { ttl: '1m' })).toBe(2);
    clock.advance(58_500);
    expect(await values.getMany(['default', 'count'])).toEqual([1, undefined]);
    clock.advance(60_000);
    expect(await values.has('default')).toBe(false);
  });

  it('goes on for those who ask, where it may be stale: while a new value is made, or none can be', async () => {
    const { values, clock } = await start();
    let runs = 0;
    let fails = false;
    const ask = () =>
      values.getOrSet(
        'a',
        async () => {
          runs++;
          if (fails) throw new Error('no new one');
          return runs;
        },
        { ttl: '1s', staleWhileRevalidate: '1s', staleIfError: '5s' },
      );
    expect(await ask()).toBe(1);
    clock.advance(1_500);
    expect(await values.get('a')).toBeUndefined();
    expect(await ask()).toBe(1);
    await turns(20);
    expect(await ask()).toBe(2);
    expect(runs).toBe(2);
    fails = true;
    clock.advance(3_000);
    expect(await ask()).toBe(2);
    expect(runs).toBe(3);
    clock.advance(3_000);
    await expect(ask()).rejects.toThrow('no new one');
  });

  it('does not begin where caching is switched off for factories; set and get work on', async () => {
    const { values } = await start({ enabled: false });
    let runs = 0;
    const ask = () => values.getOrSet('a', () => ++runs);
    expect([await ask(), await ask()]).toEqual([1, 2]);
    await values.set('b', 1);
    expect(await values.get('b')).toBe(1);
  });

  it('is held within the bounds of the one store', async () => {
    const store = memory({ maxEntries: 10, clock: new FakeClock() });
    const { values } = await start({ store });
    for (let at = 0; at < 100; at++) await values.set(`k${at}`, at);
    expect(store.entries).toBe(10);
    expect(await values.get('k99')).toBe(99);
  });

  it('is apart from that of another namespace on the same store', async () => {
    const store = memory({ clock: new FakeClock() });
    const first = await start({ store, namespace: 'first' });
    const second = await start({ store, namespace: 'second' });
    await first.values.set('a', 1);
    await second.values.set('a', 2);
    await first.values.clear();
    expect([await first.values.get('a'), await second.values.get('a')]).toEqual([undefined, 2]);
  });
});

describe('a store that fails', () => {
  it('is nothing found and nothing kept, and an error where that would be wrong', async () => {
    const store = new ChaosStore({ clock: new FakeClock() });
    const { values, app } = await start({ store });
    await values.set('a', 1);
    store.fail('reject');
    expect(await values.get('a')).toBeUndefined();
    expect(await values.has('a')).toBe(false);
    expect(await values.getMany(['a', 'b'])).toEqual([undefined, undefined]);
    expect(await values.set('b', 1)).toBe(false);
    expect(await values.getOrSet('a', () => 'made')).toBe('made');
    const failed = app.events.filter(
      (event): event is Extract<CacheEvent, { type: 'storeError' }> => event.type === 'storeError',
    );
    expect(new Set(failed.map(({ operation }) => operation))).toEqual(new Set(['lookup', 'set']));
    for (const call of [
      () => values.inc('n'),
      () => values.dec('n'),
      () => values.add('l', 1),
      () => values.delete('a'),
    ])
      await expect(call()).rejects.toBeInstanceOf(CacheStoreError);
    store.fail(undefined);
    expect(await values.get('a')).toBe(1);
    expect(await values.inc('n')).toBe(1);
  });
});

describe('values that instances share', () => {
  it('are seen, counted, locked and evicted by all at once; keys of others stay', async () => {
    const server = await startRedis();
    try {
      const open = async () => {
        const app = await startOnRedis('fastify', server.url, {
          caching: { store: redis({ url: server.url }) },
        });
        running.push(app);
        return { app, values: app.app.get(CacheValues, { strict: false }) };
      };
      const one = await open();
      const other = await open();
      await server.command('SET', 'cache:items', 'of somebody else');
      await server.command('SET', 'cacheitem:a', 'of somebody else');
      await one.values.set('a', new Map([['x', 1]]));
      expect(await other.values.get('a')).toEqual(new Map([['x', 1]]));
      await other.values.set('a', 2);
      expect(await one.values.get('a')).toBe(2);
      const counts = await Promise.all(
        Array.from({ length: 100 }, (_, at) => (at % 2 ? one : other).values.inc('n')),
      );
      expect(new Set(counts).size).toBe(100);
      expect(await one.values.get('n')).toBe(100);
      const added = await Promise.all([one, other, one, other].map(({ values }) => values.add('lock', 1)));
      expect(added.filter(Boolean)).toHaveLength(1);

      await one.values.set('t', 1, { tags: ['x'] });
      expect(await other.values.get('t')).toBe(1);
      await one.app.app.get(CacheEvictionService).byTag('x');
      expect(await other.values.get('t')).toBeUndefined();
      expect(await other.values.add('t', 2)).toBe(true);

      // A foreign text, and another key's, are no value.
      await server.command('SET', 'cache:item:foreign', '{"a":1}');
      await server.command('COPY', 'cache:item:lock', 'cache:item:copied');
      await one.values.set('list', [1]);
      await server.command('COPY', 'cache:item:list', 'cache:item:moved');
      expect(await one.values.getMany(['foreign', 'moved'])).toEqual([undefined, undefined]);
      expect(await one.values.add('foreign', 1)).toBe(true);
      expect(await one.values.inc('moved')).toBe(1);

      expect(Number(await server.command('PTTL', 'cache:item:n'))).toBeGreaterThan(0);
      await other.values.clear();
      expect(await server.command('KEYS', 'cache:item:*')).toEqual([]);
      expect(await server.command('MGET', 'cache:items', 'cacheitem:a')).toEqual([
        'of somebody else',
        'of somebody else',
      ]);
    } finally {
      await Promise.all(running.splice(0).map((each) => each.close()));
      await server.close();
    }
  });

  it('fail for as long as Redis is away, as said, and are there again after', async () => {
    const server = await startRedis();
    try {
      const app = await startOnRedis('fastify', server.url, {
        caching: { store: redis({ url: server.url }), storeTimeout: '200ms' },
      });
      running.push(app);
      const values = app.app.get(CacheValues, { strict: false });
      await values.set('a', 1, { ttl: '1h' });
      server.stop();
      expect(await values.get('a')).toBeUndefined();
      expect(await values.set('a', 2)).toBe(false);
      await expect(values.inc('n')).rejects.toBeInstanceOf(CacheStoreError);
      server.resume();
      await poll('the value is there again', async () => (await values.get('a')) ?? undefined, 10_000);
    } finally {
      await Promise.all(running.splice(0).map((each) => each.close()));
      await server.close();
    }
  });

  it('outlive the process on keyv, and so do their evictions', async () => {
    const backend = await startSqlite();
    try {
      const life = async () => {
        const app = await startApplication('fastify', {
          realTime: true,
          caching: { store: keyv(backend.connect()), storeTimeout: '5s' },
        });
        return { app, values: app.app.get(CacheValues, { strict: false }) };
      };
      const first = await life();
      await first.values.set('a', 1);
      await first.values.set('b', 2, { tags: ['x'] });
      await first.values.set('c', 3, { tags: ['y'] });
      await first.values.inc('n');
      await first.app.app.get(CacheEvictionService).byTag('x');
      await first.app.close();
      const second = await life();
      expect(await second.values.getMany(['a', 'b', 'c', 'n'])).toEqual([1, undefined, 3, 1]);
      await second.values.clear();
      await second.app.close();
      const third = await life();
      expect(await third.values.getMany(['a', 'c', 'n'])).toEqual([undefined, undefined, undefined]);
      await third.app.close();
    } finally {
      await backend.close();
    }
  });
});

describe('factories that overlap', () => {
  it('run one for each key', async () => {
    const { values } = await start();
    const gates = { a: new Gate(), b: new Gate() };
    const made = (['a', 'b'] as const).map((key) =>
      values.getOrSet(key, async () => (await gates[key].pass(), key)),
    );
    while (gates.a.arrived + gates.b.arrived < 2) await turns(1);
    gates.b.open();
    expect(await made[1]).toBe('b');
    gates.a.open();
    expect(await made[0]).toBe('a');
  });
});

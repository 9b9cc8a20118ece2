import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable } from '@nestjs/common';
import { CacheCallbackError, CacheEvictionService, Memoize, memory } from 'nestjs-caching';
import { ChaosStore } from 'nestjs-caching/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { type RunningApplication, startApplication } from '../support/application.js';
import { FakeClock } from '../support/fake-clock.js';
import { Gate, turns } from '../support/gate.js';
import { warningsAbout } from '../support/verdicts.js';

interface Result {
  readonly run: number;
  readonly value: unknown;
}

/** What the methods below do, told from outside. */
const world = { runs: 0, gate: undefined as Gate | undefined, fails: false, value: 1 as unknown };

async function work(): Promise<Result> {
  const run = ++world.runs;
  await world.gate?.pass();
  if (world.fails) throw new Error(`run ${run} failed`);
  return { run, value: world.value };
}

class Account {
  readonly id = 1;
}

@Injectable()
class Service {
  @Memoize({ tags: (id: string) => [`id:${id}`] })
  tagged(_id: string): Promise<Result> {
    return work();
  }

  @Memoize({ ttl: '1s', staleWhileRevalidate: '1s', staleIfError: '5s' })
  stale(_id: string): Promise<Result> {
    return work();
  }

  @Memoize({
    ttl: ({ value }: Result) => (value === 'short' ? '1s' : undefined),
    resultTags: ({ value }: Result) => [`value:${String(value)}`],
    filter: ({ value }: Result, _id: string) => value !== 'none',
    unless: (id: string) => id === 'bypass',
    refresh: (id: string) => id === 'refresh',
  })
  full(_id: string): Promise<Result> {
    return work();
  }

  @Memoize()
  async plain(): Promise<unknown> {
    return (await work()).value;
  }

  @Memoize({ freeze: true })
  async frozen(): Promise<unknown> {
    return (await work()).value;
  }

  @Memoize()
  throwing(): Promise<unknown> {
    world.runs++;
    throw new Error('at once');
  }

  @Memoize({ filter: () => 'yes' as never })
  badFilter(): Promise<Result> {
    return work();
  }

  @Memoize({
    tags: () => {
      throw new Error('no tags today');
    },
  })
  badTags(): Promise<Result> {
    return work();
  }

  @Memoize({ maxEntryBytes: 1_000 })
  async large(size: number): Promise<string> {
    await work();
    return 'x'.repeat(size);
  }
}

describe('a memoized method', () => {
  let running: RunningApplication;
  const start = async (caching: Parameters<typeof startApplication>[1]['caching'] = {}) => {
    Object.assign(world, { runs: 0, gate: undefined, fails: false, value: 1 });
    running = await startApplication('fastify', { caching, providers: [Service] });
    return {
      service: running.app.get(Service),
      evictions: running.app.get(CacheEvictionService),
      ...running,
    };
  };
  const arrived = async (count: number) => {
    while ((world.gate?.arrived ?? 0) < count) await turns(1);
  };

  afterEach(() => running?.close());

  it('runs once for all who call it meanwhile, each with a copy of its own', async () => {
    const { service, events } = await start();
    world.gate = new Gate();
    const calls = Array.from({ length: 100 }, () => service.tagged('a'));
    await arrived(1);
    world.gate.open();
    const results = await Promise.all(calls);
    expect(new Set(results.map(({ run }) => run))).toEqual(new Set([1]));
    expect(new Set(results).size).toBe(100);
    expect(events.filter(({ type }) => type === 'coalesced')).toHaveLength(99);
  });

  it('shares an error with those who wait, and nobody remembers it', async () => {
    const { service } = await start();
    Object.assign(world, { gate: new Gate(), fails: true });
    const calls = Array.from({ length: 50 }, () => service.tagged('a').catch((error: unknown) => error));
    await arrived(1);
    world.gate?.open();
    const errors = await Promise.all(calls);
    expect(new Set(errors).size).toBe(1);
    expect(world.runs).toBe(1);
    Object.assign(world, { gate: undefined, fails: false });
    expect(await service.tagged('a')).toEqual({ run: 2, value: 1 });
  });

  it('rejects with what it throws at once', async () => {
    const { service } = await start();
    await expect(service.throwing()).rejects.toThrow('at once');
    await expect(service.throwing()).rejects.toThrow('at once');
    expect(world.runs).toBe(2);
  });

  it('keeps null, undefined, false, 0 and the empty text', async () => {
    const { service, evictions } = await start();
    for (const value of [null, undefined, false, 0, '', -0, Number.NaN]) {
      await evictions.byMemoized(Service, 'plain');
      Object.assign(world, { runs: 0, value });
      expect([await service.plain(), await service.plain()]).toEqual([value, value]);
      expect(world.runs).toBe(1);
    }
  });

  it('gives nobody what it read before an eviction, and does not store it', async () => {
    const { service, evictions } = await start();
    for (const evict of [
      () => evictions.byTag('id:a'),
      () => evictions.byMemoized(Service, 'tagged'),
      () => evictions.byMemoized(Service, 'tagged', ['a']),
      () => evictions.all(),
    ]) {
      await evictions.all();
      Object.assign(world, { runs: 0, gate: new Gate() });
      const old = service.tagged('a');
      await arrived(1);
      await evict();
      const fresh = service.tagged('a');
      await arrived(2);
      world.gate?.open();
      expect([(await old).run, (await fresh).run, (await service.tagged('a')).run]).toEqual([1, 2, 2]);
    }
  });

  it('is evicted by tags of its arguments and of its result', async () => {
    const { service, evictions } = await start();
    world.value = 'x';
    await service.full('a');
    world.value = 'y';
    await service.full('b');
    await evictions.byTag('value:x');
    expect([(await service.full('b')).run, (await service.full('a')).run]).toEqual([2, 3]);
  });

  it('lives for what its result says', async () => {
    const { service, clock } = await start({ ttl: '1m' });
    world.value = 'short';
    await service.full('a');
    world.value = 'long';
    await service.full('b');
    clock.advance(1_000);
    expect([(await service.full('a')).run, (await service.full('b')).run]).toEqual([3, 2]);
  });

  it('runs each time where unless or refresh say so, and the latter replaces what is stored', async () => {
    const { service, events } = await start();
    await service.full('bypass');
    await service.full('bypass');
    expect(events.map(({ type }) => type)).toEqual(['bypassed', 'bypassed']);
    expect((await service.full('refresh')).run).toBe(3);
    expect((await service.full('refresh')).run).toBe(4);
    expect(events.filter(({ type }) => type === 'stored')).toHaveLength(2);
  });

  it('keeps only what the filter lets through, and gives the rest to those who wait', async () => {
    const { service } = await start();
    Object.assign(world, { value: 'none', gate: new Gate() });
    const calls = [service.full('a'), service.full('a')];
    await arrived(1);
    world.gate?.open();
    expect((await Promise.all(calls)).map(({ run }) => run)).toEqual([1, 1]);
    expect((await service.full('a')).run).toBe(2);
  });

  it('gives a stale result while it runs for a new one, and where it fails', async () => {
    const { service, clock, events } = await start();
    expect((await service.stale('a')).run).toBe(1);
    clock.advance(1_500);
    expect((await service.stale('a')).run).toBe(1);
    await turns();
    expect((await service.stale('a')).run).toBe(2);
    world.fails = true;
    clock.advance(3_000);
    expect((await service.stale('a')).run).toBe(2);
    const stale = events.filter((event) => event.type === 'stale').map(({ reason }) => reason);
    expect(stale).toEqual(['while-revalidate', 'if-error']);
    clock.advance(3_000);
    await expect(service.stale('a')).rejects.toThrow('run 4 failed');
  });

  it('gives no stale result that was evicted, also while it ran', async () => {
    const { service, clock, evictions } = await start();
    await service.stale('a');
    clock.advance(2_500);
    Object.assign(world, { fails: true, gate: new Gate() });
    const call = service.stale('a').catch((error: Error) => error.message);
    await arrived(1);
    await evictions.byMemoized(Service, 'stale');
    world.gate?.open();
    expect(await call).toBe('run 2 failed');
  });

  it('gives what can not be kept to its caller, says so once, and keeps nothing', async () => {
    const { service, events } = await start();
    const account = new Account();
    world.value = { list: [account] };
    expect(((await service.plain()) as { list: unknown[] }).list[0]).toBe(account);
    await service.plain();
    expect(world.runs).toBe(2);
    expect(warningsAbout(running, 'Service.plain')).toEqual([
      expect.stringContaining('its result has an instance of Account at .list[0]'),
    ]);
    expect(events.filter((event) => event.type === 'skipped').map(({ reason }) => reason)).toEqual([
      'value',
      'value',
    ]);
  });

  it('keeps nothing larger than its bound', async () => {
    const { service, events } = await start();
    await service.large(2_000);
    await service.large(2_000);
    await service.large(500);
    await service.large(500);
    expect(world.runs).toBe(3);
    expect(events.filter((event) => event.type === 'skipped').map(({ reason }) => reason)).toEqual([
      'too-large',
      'too-large',
    ]);
  });

  it('with freeze gives all the same frozen result, also the first, and refuses what can not be frozen', async () => {
    const { service } = await start();
    world.value = { list: [{ a: 1 }] };
    const [first, second] = (await Promise.all([service.frozen(), service.frozen()])) as {
      list: { a: number }[];
    }[];
    expect(first).toBe(second);
    expect(await service.frozen()).toBe(first);
    expect(() => {
      first!.list[0]!.a = 2;
    }).toThrow(TypeError);
    // What it was made from is the method's own.
    expect(Object.isFrozen(world.value)).toBe(false);
    await running.app.get(CacheEvictionService).all();
    world.value = { at: new Date(0) };
    expect(await service.frozen()).toBe(world.value);
    expect(warningsAbout(running, 'Service.frozen')).toEqual([expect.stringContaining("can't be frozen")]);
  });

  it("fails with an error that names a callback that fails, or returns what can't be meant", async () => {
    const { service } = await start();
    await expect(service.badFilter()).rejects.toThrow(
      /The filter callback of Service\.badFilter returned "yes"/,
    );
    await expect(service.badTags()).rejects.toThrow(
      /The tags callback of Service\.badTags failed: no tags today/,
    );
    await expect(service.badTags()).rejects.toBeInstanceOf(CacheCallbackError);
  });

  it('leaves each caller where it was: in its own async context, on a hit as on a miss', async () => {
    const { service } = await start();
    const context = new AsyncLocalStorage<string>();
    const ask = (user: string) =>
      context.run(user, async () => {
        const value = await service.plain();
        await service.plain();
        return [value, context.getStore()];
      });
    await service.plain();
    expect(await Promise.all([ask('a'), ask('b'), ask('c')])).toEqual([
      [1, 'a'],
      [1, 'b'],
      [1, 'c'],
    ]);
  });

  it('runs where the store fails or is silent', async () => {
    const store = new ChaosStore({ clock: new FakeClock() });
    const { service, clock } = await start({ store });
    await service.tagged('a');
    expect((await service.tagged('a')).run).toBe(1);
    store.fail('reject');
    expect((await service.tagged('a')).run).toBe(2);
    store.fail('hang');
    const waiting = service.tagged('a');
    await turns();
    clock.advance(100);
    expect((await waiting).run).toBe(3);
    store.fail(undefined);
  });

  it('asks the store once, whether or not it was called like that before', async () => {
    const store = memory({ clock: new FakeClock() });
    const asked: string[] = [];
    const lookup = store.lookup.bind(store);
    store.lookup = (key) => Promise.resolve(asked.push(key)).then(() => lookup(key)) as never;
    const { service, evictions } = await start({ store });
    for (const runs of [1, 1, 2]) {
      asked.length = 0;
      if (runs === 2) await evictions.all();
      expect((await service.tagged('a')).run).toBe(runs);
      expect(asked).toHaveLength(1);
    }
  });

  it('tells of each step under the digest of its key', async () => {
    const { service, events } = await start();
    for (let call = 0; call < 3; call++) await service.tagged('a');
    await service.tagged('b');
    const told = events.map((event) => ('request' in event ? event.request.keyDigest : undefined));
    expect(events.map(({ type }) => type)).toEqual([
      'miss',
      'handled',
      'stored',
      'hit',
      'hit',
      'miss',
      'handled',
      'stored',
    ]);
    expect(new Set(told.slice(0, 5))).toEqual(new Set([expect.stringMatching(/^[\w-]{12}$/)]));
    expect(told[5]).not.toBe(told[0]);
  });

  it('is held within the bounds of the store, as what it takes in memory', async () => {
    const store = memory({ maxBytes: 100_000, clock: new FakeClock() });
    const { service } = await start({ store });
    for (let size = 100; size < 300; size++) await service.large(size);
    expect(store.bytes).toBeLessThanOrEqual(100_000);
    expect(store.entries).toBeGreaterThan(50);
  });
});

import { type CacheStore, memory } from 'nestjs-caching';
import { describe, expect, it } from 'vitest';
import { ChaosStore } from '../../libs/caching/src/testing.js';
import type { Fill } from '../../libs/caching/src/cache/fill.js';
import { response, startEngine } from '../support/engine.js';
import { RENEWED_LEASE } from '../../libs/caching/src/cache/fill-lease.js';
import { FakeClock } from '../support/fake-clock.js';
import { Gate, turns } from '../support/gate.js';

const STORE_TIMEOUT = 100;

/** A memory store that gives leases, one for each key. */
function leasing(clock: FakeClock, leases: Map<string, string>, words: (number | undefined)[]): CacheStore {
  return Object.assign(memory({ clock }), {
    lease(key: string, token: string) {
      if (leases.has(key)) return 'theirs' as const;
      leases.set(key, token);
      return 'ours' as const;
    },
    release(key: string, token: string, uncacheableFor?: number) {
      if (leases.get(key) !== token) return;
      leases.delete(key);
      words.push(uncacheableFor);
    },
  });
}

function start() {
  const clock = new FakeClock();
  const leases = new Map<string, string>();
  const words: (number | undefined)[] = [];
  const store = new ChaosStore({ store: leasing(clock, leases, words) });
  const engine = startEngine({ store, storeTimeout: STORE_TIMEOUT }, clock);
  const lead = async (): Promise<Fill> => {
    const start = await engine.cache.lookup('k');
    const ticket = engine.cache.join({ route: 'r', key: 'k' }, start as never, []);
    if (ticket.role !== 'fill') throw new Error('expected a fill');
    return ticket.fill;
  };
  /** The lease is granted, only later than anybody waits for. */
  const claimTooLate = async (fill: Fill) => {
    store.faults.lease = { late: new Gate() };
    const claiming = engine.cache.claim(fill);
    await turns();
    clock.advance(STORE_TIMEOUT);
    return claiming;
  };
  return { ...engine, store, clock, leases, words, lead, claimTooLate };
}

describe('a lease', () => {
  it.each(['share', 'abort', 'reject', 'store'] as const)(
    'is given back when its fill ends: %s',
    async (end) => {
      const { cache, leases, lead } = start();
      const fill = await lead();
      await cache.claim(fill);
      expect(leases.size).toBe(1);
      if (end === 'store') fill.store(response('x'), 1_000);
      else if (end === 'share') fill.share(response('x'));
      else fill[end]();
      await turns();
      expect(leases.size).toBe(0);
    },
  );

  it.each([
    { end: 'an error that only those who wait are given', word: 1_000 },
    { end: 'a response for one client only', word: 2_000 },
    { end: 'a client that left', word: undefined },
  ])('leaves a word for other instances, for milliseconds: $end, $word', async ({ end, word }) => {
    const { cache, words, lead } = start();
    const fill = await lead();
    await cache.claim(fill);
    if (word === 1_000) fill.share(response('x'));
    else if (word === 2_000) fill.reject();
    else fill.abort();
    await turns();
    expect([end, words]).toEqual([end, [word]]);
  });

  it('is given back too where its grant was answered too late to be waited for', async () => {
    const { leases, lead, claimTooLate } = start();
    const fill = await lead();
    expect(await claimTooLate(fill)).toBeUndefined();
    expect(leases.size).toBe(1);
    fill.share(response('an error'));
    await turns();
    expect(leases.size).toBe(0);
  });

  it('is given back once the store can be reached again, not left to end by itself', async () => {
    const { cache, store, clock, leases, lead } = start();
    const fill = await lead();
    await cache.claim(fill);
    store.faults.release = 'reject';
    fill.store(response('x'), 60_000);
    await turns();
    expect(leases.size).toBe(1);
    delete store.faults.release;
    clock.advance(500);
    await turns();
    expect(leases.size).toBe(0);
  });

  it('is given back however late a store that stood still grants it', async () => {
    const { store, clock, leases, lead, claimTooLate } = start();
    const fill = await lead();
    await claimTooLate(fill);
    store.faults.release = 'reject';
    fill.share(response('x'));
    for (let halves = 0; halves < 120; halves++) {
      await turns();
      clock.advance(500);
    }
    expect(leases.size).toBe(1);
    delete store.faults.release;
    await turns();
    clock.advance(500);
    await turns();
    expect(leases.size).toBe(0);
  });

  it('is asked back by one try for all while the store is away, and by none once the cache is closed', async () => {
    const { cache, store, clock, leases } = start();
    for (let at = 0; at < 20; at++) {
      const key = `k${at}`;
      const ticket = cache.join({ route: 'r', key }, (await cache.lookup(key)) as never, []);
      if (ticket.role !== 'fill') throw new Error('expected a fill');
      await cache.claim(ticket.fill);
      store.faults.release = 'reject';
      ticket.fill.share(response('x'));
    }
    await turns();
    let tries = 0;
    Object.defineProperty(store.faults, 'release', {
      get() {
        tries++;
        return 'reject';
      },
    });
    for (let halves = 0; halves < 10; halves++) {
      clock.advance(500);
      await turns();
    }
    expect(tries).toBe(10);
    await cache.close();
    clock.advance(500);
    await turns();
    expect([tries, leases.size]).toEqual([10, 20]);
  });

  it('is given back where its fill ended before it was granted', async () => {
    const { cache, store, leases, lead } = start();
    const fill = await lead();
    const late = new Gate();
    store.faults.lease = { late };
    const claiming = cache.claim(fill);
    fill.abort();
    late.open();
    await claiming;
    await turns();
    expect(leases.size).toBe(0);
  });
});

describe('a lease that its holder can renew', () => {
  const COALESCE_TIMEOUT = 30_000;

  const startRenewing = () => {
    const clock = new FakeClock();
    /** How long it was asked for at first, and with each renewal. */
    const lives: number[] = [];
    const store: CacheStore = Object.assign(memory({ clock }), {
      lease(_key: string, _token: string, life: number) {
        lives.push(life);
        return 'ours' as const;
      },
      renew(_key: string, _token: string, life: number) {
        lives.push(life);
      },
    });
    const { cache } = startEngine({ store, coalesceTimeout: COALESCE_TIMEOUT }, clock);
    const ticket = cache.join({ route: 'r', key: 'k' }, cache.lookup('k') as never, []);
    if (ticket.role !== 'fill') throw new Error('expected a fill');
    const pass = (milliseconds: number): void => {
      for (let at = 0; at < milliseconds; at += 500) clock.advance(500);
    };
    return { cache, fill: ticket.fill, lives, pass };
  };

  it('is a short one, so that nobody waits for long where the holder is lost', async () => {
    const { cache, fill, lives, pass } = startRenewing();
    await cache.claim(fill);
    expect(lives).toEqual([RENEWED_LEASE]);
    pass(RENEWED_LEASE);
    expect(lives.length).toBeGreaterThan(2);
    expect(new Set(lives)).toEqual(new Set([RENEWED_LEASE]));
  });

  it.each(['share', 'abort', 'reject', 'store'] as const)(
    'is not renewed after its fill: %s',
    async (end) => {
      const { cache, fill, lives, pass } = startRenewing();
      await cache.claim(fill);
      pass(RENEWED_LEASE);
      if (end === 'store') fill.store(response('x'), 1_000);
      else if (end === 'share') fill.share(response('x'));
      else fill[end]();
      await turns();
      const before = lives.length;
      pass(COALESCE_TIMEOUT);
      expect(lives).toHaveLength(before);
    },
  );

  it('ends at coalesceTimeout where its handler never does', async () => {
    const { cache, fill, lives, pass } = startRenewing();
    await cache.claim(fill);
    pass(2 * COALESCE_TIMEOUT);
    expect(lives.at(-1)).toBeLessThan(RENEWED_LEASE);
    const before = lives.length;
    pass(COALESCE_TIMEOUT);
    expect(lives).toHaveLength(before);
  });
});

describe('closing the engine', () => {
  it('waits until what was filled last is stored, and its lease given back', async () => {
    const { cache, store, leases, lead } = start();
    const fill = await lead();
    await cache.claim(fill);
    const late = new Gate();
    store.faults.set = { late };
    fill.store(response('x'), 1_000);
    let isClosed = false;
    const closing = cache.close().then(() => (isClosed = true));
    await turns();
    expect([isClosed, leases.size]).toEqual([false, 1]);
    late.open();
    await closing;
    expect(leases.size).toBe(0);
  });

  it('does not wait for ever for a store that is silent, by a clock that stands still', async () => {
    const { cache, store, lead } = start();
    const fill = await lead();
    store.faults.set = 'hang';
    fill.store(response('x'), 1_000);
    const begin = performance.now();
    await cache.close();
    expect(performance.now() - begin).toBeLessThan(2 * STORE_TIMEOUT + 500);
    expect(store.calls).toContain('set');
  });
});

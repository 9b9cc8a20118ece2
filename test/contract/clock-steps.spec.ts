import { beforeEach, describe, expect, it } from 'vitest';
import { isEntry } from '../../libs/caching/src/cache/entry.js';
import { HIT_FOR_MISS_LIFE } from '../../libs/caching/src/cache/hit-for-miss.js';
import { SharedLog } from '../../libs/caching/src/cache/shared-log.js';
import type { Ticket, ViewCache } from '../../libs/caching/src/cache/view-cache.js';
import { UnconfirmedEvictionError } from '../../libs/caching/src/caching.errors.js';
import { MemoryStore } from '../../libs/caching/src/stores/memory.store.js';
import { PendingEvictions } from '../../libs/caching/src/stores/pending-evictions.js';
import { TieredStore } from '../../libs/caching/src/stores/tiered.store.js';
import { entry, response, startEngine } from '../support/engine.js';
import { turns } from '../support/gate.js';
import { ManualTier } from '../support/manual-tier.js';
import { SteppedClock } from '../support/stepped-clock.js';

const HOUR = 3_600_000;
const VIEW = { route: 'Books.list', key: 'k' };

let clock: SteppedClock;

beforeEach(() => {
  clock = new SteppedClock();
});

function join(cache: ViewCache): Ticket {
  return cache.join(VIEW, cache.lookup(VIEW.key) as never, ['t:books']);
}

describe('while the clock is set by an hour', () => {
  it.each([-HOUR, HOUR])('those who wait for a fill wait for no longer and no less (%i ms)', async (step) => {
    const { cache } = startEngine({ coalesceTimeout: 30_000 }, clock);
    expect(join(cache).role).toBe('fill');
    clock.advance(10_000);
    clock.set(step);
    const ticket = join(cache);
    if (ticket.role !== 'wait') throw new Error('expected to wait');
    let outcome: unknown;
    void ticket.outcome.then((came) => (outcome = came));
    clock.advance(19_999);
    await turns();
    expect(outcome).toBeUndefined();
    clock.advance(1);
    await turns();
    expect(outcome).toBe('late');
  });

  it('nobody joins a fill whose time is over', () => {
    const { cache } = startEngine({ coalesceTimeout: 30_000 }, clock);
    expect(join(cache).role).toBe('fill');
    clock.set(-HOUR);
    clock.advance(30_000);
    expect(join(cache).role).toBe('fill');
  });

  it('a response that could not be stored lets no more requests pass by each other', () => {
    const { cache } = startEngine({}, clock);
    const first = join(cache);
    if (first.role === 'fill') first.fill.reject();
    clock.set(-HOUR);
    expect([join(cache).role, join(cache).role]).toEqual(['fill', 'fill']);
    clock.advance(HIT_FOR_MISS_LIFE);
    expect([join(cache).role, join(cache).role]).toEqual(['fill', 'wait']);
  });

  it('evicted bytes are freed as before', async () => {
    const store = new MemoryStore({ clock });
    const put = (key: string) =>
      store.set(entry(key, { start: store.position, storedAt: clock.now(), tags: ['t'] }));
    put('a');
    store.evict(['t']);
    await turns(20);
    expect(store.entries).toBe(0);
    clock.set(-HOUR);
    put('b');
    store.evict(['t']);
    clock.advance(1_000);
    await turns(20);
    expect(store.entries).toBe(0);
  });

  it('an eviction that may be lost is asked about as often', async () => {
    const tier = new ManualTier();
    tier.after = () => {
      throw new UnconfirmedEvictionError(tier.at, new Error('no replica'));
    };
    let asked = 0;
    tier.confirm = async () => {
      asked++;
      throw new Error('no replica');
    };
    const log = new SharedLog(clock, '*');
    const pending = new PendingEvictions({
      tier,
      log,
      clock,
      heartbeat: 500,
      everything: '*',
      onAcknowledged: () => undefined,
    });
    await pending.evict(['t']).catch(() => undefined);
    await pending.replay().catch(() => undefined);
    clock.set(-HOUR);
    clock.advance(500);
    await pending.replay().catch(() => undefined);
    expect(asked).toBe(2);
  });
});

describe('while the clock is set back by a moment', () => {
  it('memory is trusted for no longer than a heartbeat and a time-out', async () => {
    const tier = new ManualTier();
    const store = new TieredStore({
      tier,
      local: new MemoryStore({ clock }),
      clock,
      namespace: 'steps',
      coherence: 'bus',
      heartbeat: 500,
      timeout: 100,
      longestLife: () => 60_000,
      maxEntryBytes: () => 1024,
      everything: '*',
      onError: () => undefined,
      onCaveat: () => undefined,
    });
    store.open();
    tier.host.onHearing(true);
    await turns();
    await store.set({
      ...entry('a', { start: store.position, storedAt: clock.now() - 1_000 }),
      response: response('a'),
    });
    const isTrusted = (): boolean => {
      const found = store.lookup('a');
      if (found instanceof Promise) found.catch(() => undefined);
      return !(found instanceof Promise) && isEntry(found);
    };
    // From here on nothing comes back.
    tier.before = () => new Promise(() => undefined);
    clock.advance(499);
    expect(isTrusted()).toBe(true);
    clock.set(-400);
    clock.advance(101);
    expect(isTrusted()).toBe(true);
    clock.advance(1);
    expect(isTrusted()).toBe(false);
  });
});

import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { encodeEntry } from '../../libs/caching/src/cache/entry-codec.js';
import { isEntry } from '../../libs/caching/src/cache/entry.js';
import { MemoryStore } from '../../libs/caching/src/stores/memory.store.js';
import { TieredStore } from '../../libs/caching/src/stores/tiered.store.js';
import { FakeClock, sampleEntry, sampleResponse } from '../../libs/caching/src/testing.js';
import { Gate, turns } from '../support/gate.js';
import { ManualTier } from '../support/manual-tier.js';

const TIMES = { heartbeat: 500, timeout: 100 } as const;
const HOUR = 3_600_000;

let clock: FakeClock;
let tier: ManualTier;
let store: TieredStore;
let errors: string[];

function open(memory = true): void {
  store = new TieredStore({
    tier,
    local: new MemoryStore(memory ? { clock } : { clock, maxBytes: 1, maxEntries: 1 }),
    clock,
    namespace: 'trust',
    coherence: 'bus',
    ...TIMES,
    longestLife: () => 60_000,
    maxEntryBytes: () => 1024 * 1024,
    everything: '*',
    onError: (operation, error) => errors.push(`${operation}: ${String(error)}`),
    onCaveat: (caveat) => errors.push(caveat),
  });
  store.open();
}

/** Whether it is a hit that nobody was asked about. */
const isTrusted = () => {
  const found = store.lookup('a');
  if (found instanceof Promise) found.catch(() => undefined);
  return !(found instanceof Promise) && isEntry(found);
};

const syncs = () => tier.calls.filter((call) => call === 'sync').length;

beforeEach(async () => {
  clock = new FakeClock();
  tier = new ManualTier();
  errors = [];
  open();
  tier.host.onHearing(true);
  await turns();
  await store.set(sampleEntry('a', { start: store.position, storedAt: clock.now(), tags: ['t:1'] }));
});

afterEach(async () => {
  tier.before = tier.after = () => undefined;
  await store.close();
});

describe('what was read from the shared tier', () => {
  it.each([100, 10_000, 600_000])('is held in memory of its own, made once, at %i bytes', async (length) => {
    const body = Buffer.alloc(length, 'x');
    const read = sampleEntry('b', { start: store.position, storedAt: clock.now(), tags: ['t:1'] });
    const frame = encodeEntry({ ...read, response: { ...read.response, body } }, tier.at) as Buffer;
    // As of what has come from a socket, in whose memory other replies are as well.
    const received = Buffer.alloc(frame.length + 100);
    frame.copy(received, 50);
    tier.frames.set('b', received.subarray(50, 50 + frame.length));
    const made = vi.spyOn(Buffer, 'allocUnsafeSlow');
    onTestFinished(() => made.mockRestore());
    await store.lookup('b');
    expect(made.mock.calls.filter(([size]) => size >= length)).toHaveLength(1);
    received.fill(0);
    const found = store.local.lookup('b');
    const held = isEntry(found) ? found.response.body : undefined;
    expect(held).toEqual(body);
    expect(held?.buffer.byteLength).toBeLessThanOrEqual(length * (17 / 16));
  });
});

describe('what is in process', () => {
  it('is a hit without a question while nothing was missed', () => {
    expect(isTrusted()).toBe(true);
  });

  it('is not trusted from the moment on that a message shows a gap', async () => {
    const gate = new Gate();
    tier.after = () => gate.pass();
    tier.evictUnheard('t:1');
    tier.host.onEviction(tier.evictUnheard('t:2'), ['t:2']);
    expect(isTrusted()).toBe(false);
    gate.open();
    await turns();
    expect(isEntry(await store.lookup('a'))).toBe(false);
    expect(isTrusted()).toBe(false);
  });

  it('is not trusted because of an answer that is older than the gap', async () => {
    const gate = new Gate();
    tier.after = () => gate.pass();
    clock.advance(TIMES.heartbeat);
    await turns();
    expect(syncs()).toBe(2);
    tier.evictUnheard('t:other');
    tier.host.onEviction(tier.evictUnheard('t:2'), ['t:2']);
    // The answer to what was asked before: nothing had happened then.
    tier.before = () => new Gate().pass();
    gate.open();
    await turns();
    expect(isTrusted()).toBe(false);
    expect(syncs()).toBe(3);
  });

  it('is trusted again as soon as what was missed is known', async () => {
    tier.evictUnheard('t:other');
    tier.host.onEviction(tier.evictUnheard('t:2'), ['t:2']);
    await turns();
    expect(isTrusted()).toBe(true);
  });

  it('is not trusted because of an answer from before it heard again', async () => {
    const gate = new Gate();
    tier.after = () => gate.pass();
    clock.advance(TIMES.heartbeat);
    await turns();
    tier.evictUnheard('t:1');
    tier.host.onHearing(false);
    tier.host.onHearing(true);
    gate.open();
    await turns();
    expect(isEntry(await store.lookup('a'))).toBe(false);
  });

  it("stays trusted among messages of other sequences, after it has asked whether they are this one's", async () => {
    for (let n = 1; n <= 100; n++) {
      for (const epoch of ['another-database', 'a-stranger']) tier.host.onEviction({ epoch, n }, ['t:1']);
      await turns();
      expect(isTrusted()).toBe(true);
    }
    expect(syncs()).toBeLessThanOrEqual(3);
  });

  it('goes on in an epoch that others have begun', async () => {
    tier.host.onEviction({ epoch: 'next', n: 1 }, ['t:2']);
    await turns();
    tier.at = { epoch: 'next', n: 5 };
    clock.advance(TIMES.heartbeat);
    await turns();
    expect(isEntry(await store.lookup('a'))).toBe(false);
    // It is no stranger's any more.
    await store.set(sampleEntry('a', { start: store.position, storedAt: clock.now(), tags: ['t:1'] }));
    tier.evictUnheard('t:1');
    tier.host.onEviction(tier.at, ['t:1']);
    expect(isEntry(await store.lookup('a'))).toBe(false);
  });
});

describe('a store that is closed', () => {
  it('evicts first what it could not before', async () => {
    tier.before = (operation) => {
      if (operation.startsWith('evict')) throw new Error('away');
    };
    await expect(store.evict(['t:1'])).rejects.toThrow('away');
    tier.before = () => undefined;
    tier.calls.length = 0;
    await store.close();
    expect(tier.calls).toEqual(['evict 1', 'close']);
  });

  it('waits for that no longer than the time-out', async () => {
    tier.before = (operation) => {
      if (operation.startsWith('evict')) throw new Error('away');
    };
    await expect(store.evict(['t:1'])).rejects.toThrow('away');
    tier.before = () => new Promise(() => undefined);
    const closing = store.close();
    await turns();
    expect(tier.calls.at(-1)).toBe('evict 1');
    clock.advance(TIMES.timeout);
    await closing;
    expect(tier.calls.at(-1)).toBe('close');
  });
});

describe('what others have stored', () => {
  const stored = (life: number, text = 'theirs') => {
    const response = { ...sampleResponse(text), body: Buffer.from(text) };
    const entry = sampleEntry('b', { start: tier.at, storedAt: clock.now(), life, response });
    tier.frames.set('b', encodeEntry(entry, tier.at) as Buffer);
  };

  it('keeps stamps for as long as it lives', async () => {
    expect(tier.host.longestLife()).toBe(60_000);
    stored(7 * HOUR);
    expect(isEntry(await store.lookup('b'))).toBe(true);
    expect(tier.host.longestLife()).toBe(7 * HOUR);
  });

  it('is not copied for a memory that has no room for it', async () => {
    await store.close();
    open(false);
    stored(HOUR, 'x'.repeat(12_345));
    const allocating = vi.spyOn(Buffer, 'allocUnsafeSlow');
    onTestFinished(() => allocating.mockRestore());
    expect(isEntry(await store.lookup('b'))).toBe(true);
    expect(allocating.mock.calls).not.toContainEqual([12_345]);
  });
});

import { Keyv } from 'keyv';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KeyvAdapter } from '../../libs/caching/src/stores/keyv/keyv-adapter.js';
import { keyv } from '../../libs/caching/src/stores/keyv/keyv.store.js';
import { FakeClock } from '../support/fake-clock.js';
import { startSqlite } from '../support/keyv/backends.js';
import { FaultyAdapter } from '../support/keyv/faulty-adapter.js';
import { openTier } from '../support/keyv/tier.js';

const HOUR = 3_600_000;
const MAIN = 'books:state';
const FRAME = Buffer.from('frame');

describe('keyv() on a store that fails', () => {
  let backend: Awaited<ReturnType<typeof startSqlite>>;
  let adapter: FaultyAdapter;

  beforeEach(async () => {
    backend = await startSqlite();
    adapter = new FaultyAdapter(backend.connect());
  });

  afterEach(() => backend.close());

  function open(given?: Parameters<typeof openTier>[2], store: Keyv | KeyvAdapter = adapter) {
    return openTier(store, 'books', given);
  }

  const mainWrites = () => adapter.calls.filter((call) => call === `set ${MAIN}`).length;

  it.each(['rejects', 'emits'] as const)(
    'rejects an eviction that could not be written (%s)',
    async (fate) => {
      const { tier } = open();
      const start = await tier.position();
      adapter.fate = (operation, key) => (operation === 'set' && key === MAIN ? fate : 'passes');
      await expect(tier.evict(['a'])).rejects.toThrow(/refuses|told of an error/);
      expect(await tier.position()).toEqual(start);
      adapter.fate = () => 'passes';
      const { n } = await tier.evict(['b']);
      expect((await tier.sync(start)).stamps.map(([tag]) => tag)).toEqual(['a', 'b']);
      expect(n).toBe(start.n + 2);
    },
  );

  it('tells no place that is not written down, and hides no earlier eviction by one that is not', async () => {
    const { tier } = open();
    const start = await tier.position();
    const first = await tier.evict(['a']);
    adapter.fate = () => 'rejects';
    await expect(tier.evict(['a'])).rejects.toThrow(/refuses|told of an error/);
    expect(await tier.position()).toEqual(first);
    expect(await tier.sync(start)).toMatchObject({ position: first, stamps: [['a', first.n]] });
  });

  it('keeps an acknowledged eviction when an earlier write that failed happens after it', async () => {
    const before = open();
    const start = await before.tier.position();
    let failures = 0;
    adapter.fate = (operation, key) =>
      operation === 'set' && key === MAIN && failures++ === 0 ? 'rejects and happens late' : 'passes';
    await expect(before.tier.evict(['a'])).rejects.toThrow(/refuses|told of an error/);
    const acknowledged = await before.tier.evict(['b']);
    expect(await adapter.happenLate()).toBe(1);
    const { tier } = open({}, backend.connect());
    const { position, stamps } = await tier.sync(start);
    const isKnown = stamps.some(([tag, n]) => tag === 'b' && n === acknowledged.n);
    expect(isKnown || position.epoch !== acknowledged.epoch).toBe(true);
  });

  it('keeps an acknowledged eviction when a write of the life before happens after it', async () => {
    const killed = open();
    const start = await killed.tier.position();
    adapter.fate = () => 'rejects and happens late';
    await expect(killed.tier.evict(['a'])).rejects.toThrow(/refuses|told of an error/);
    const second = open({}, backend.connect());
    const acknowledged = await second.tier.evict(['b']);
    await adapter.happenLate();
    const { tier } = open({}, backend.connect());
    const { position, stamps } = await tier.sync(start);
    const isKnown = stamps.some(([tag, n]) => tag === 'b' && n === acknowledged.n);
    expect(isKnown || position.epoch !== acknowledged.epoch).toBe(true);
  });

  it('keeps an acknowledged eviction when a write of a failed start happens after it', async () => {
    const before = open({}, backend.connect());
    const start = await before.tier.evict(['a']);
    adapter.fate = (operation, key) =>
      operation === 'set' && key === MAIN ? 'rejects and happens late' : 'passes';
    const second = open();
    await expect(second.tier.position()).rejects.toThrow('refuses');
    adapter.fate = () => 'passes';
    const acknowledged = await second.tier.evict(['b']);
    expect(await adapter.happenLate()).toBeGreaterThan(0);
    const { tier } = open({}, backend.connect());
    const { position, stamps } = await tier.sync(start);
    const isKnown = stamps.some(([tag, n]) => tag === 'b' && n === acknowledged.n);
    expect(isKnown || position.epoch !== acknowledged.epoch).toBe(true);
  });

  it('goes on in the same epoch after failures that left nothing behind', async () => {
    const before = open();
    const start = await before.tier.position();
    adapter.fate = () => 'rejects';
    for (let i = 0; i < 5; i++)
      await expect(before.tier.evict([`a${i}`])).rejects.toThrow(/refuses|told of an error/);
    adapter.fate = () => 'passes';
    const acknowledged = await before.tier.evict(['b']);
    const { tier } = open({}, backend.connect());
    expect(await tier.position()).toEqual(acknowledged);
    expect(acknowledged.epoch).toBe(start.epoch);
    expect((await tier.sync(start)).stamps).toHaveLength(6);
  });

  it('writes evictions of one turn together, in their order', async () => {
    const { tier } = open();
    const start = await tier.position();
    const before = mainWrites();
    const places = await Promise.all(Array.from({ length: 100 }, (_, i) => tier.evict([`tag:${i}`])));
    expect(places.map(({ n }) => n - start.n)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
    expect(mainWrites() - before).toBeLessThanOrEqual(2);
  });

  it('leaves no record behind that nothing refers to', async () => {
    const { tier } = open();
    const tags = Array.from({ length: 1_000 }, (_, i) => `tag:${i}:${'x'.repeat(30)}`);
    for (let i = 0; i < 100; i++) await tier.evict(tags.slice(0, 500));
    await tier.close();
    const present = new Set<string>();
    for (const call of adapter.calls) {
      const [operation, key] = call.split(' ') as [string, string];
      if (operation === 'set') present.add(key);
      if (operation === 'delete') present.delete(key);
    }
    expect([...present].filter((key) => key.includes(':anchor:'))).toHaveLength(1);
    expect([...present].filter((key) => key.includes(':part:')).length).toBeLessThanOrEqual(64);
  });

  it('forgets stamps that are older than any entry, and says so', async () => {
    const { tier, clock } = open();
    const start = await tier.position();
    const old = await tier.evict(['old']);
    clock.advance(3 * HOUR);
    await tier.evict(['new']);
    const { floor, stamps } = await tier.sync(start);
    expect(floor).toBe(old.n);
    expect(stamps.map(([tag]) => tag)).toEqual(['new']);
  });

  it('evicts everything for a tag that is too long to be written down', async () => {
    const { tier } = open();
    const { n } = await tier.evict(['x'.repeat(20_000)]);
    expect((await tier.sync(undefined)).floor).toBe(n);
    const next = open({}, backend.connect());
    expect((await next.tier.sync(undefined)).floor).toBe(n);
  });

  it.each(['rejects', 'emits'] as const)(
    'fails until the state can be read, then works (%s)',
    async (fate) => {
      adapter.fate = () => fate;
      const heard: boolean[] = [];
      const { tier, failures } = open({ onHearing: (hears) => heard.push(hears) });
      await expect(tier.lookup('key')).rejects.toThrow(/refuses|told of an error/);
      await expect(tier.evict(['a'])).rejects.toThrow(/refuses|told of an error/);
      expect(failures).toContain('load');
      expect(heard).toEqual([]);
      adapter.fate = () => 'passes';
      await tier.evict(['a']);
      expect(heard).toEqual([true]);
    },
  );

  it('does not take a failed read for a lost state', async () => {
    const before = open();
    const known = await before.tier.evict(['a']);
    const faulty = new FaultyAdapter(backend.connect());
    faulty.fate = (operation) => (operation === 'get' ? 'emits' : 'passes');
    const { tier } = open({}, faulty);
    await expect(tier.position()).rejects.toThrow(/refuses|told of an error/);
    faulty.fate = () => 'passes';
    expect(await tier.position()).toEqual(known);
  });

  it('fails an eviction that has no answer in time, and goes on with the next', async () => {
    const clock = new FakeClock();
    const { tier } = open({ clock, timeout: 100 });
    await tier.position();
    adapter.fate = () => 'hangs';
    const eviction = tier.evict(['a']).catch((error: unknown) => error);
    while (clock.pending === 0) await Promise.resolve();
    clock.advance(100);
    expect(await eviction).toMatchObject({ message: 'no answer within 100 ms' });
    adapter.fate = () => 'passes';
    await expect(tier.evict(['b'])).resolves.toBeDefined();
  });

  it('bounds what a silent store holds', async () => {
    const { tier } = open();
    await tier.position();
    adapter.fate = () => 'hangs';
    const before = adapter.calls.length;
    const outcomes = Array.from({ length: 5_000 }, () => tier.lookup('key').catch(() => 'refused'));
    expect(await Promise.race(outcomes)).toBe('refused');
    expect(adapter.calls.length - before).toBe(4_096);
  });

  it('works again after operations that are never answered, once the store answers others', async () => {
    const { tier, clock } = open();
    await tier.position();
    adapter.fate = () => 'hangs';
    for (let times = 0; times < 5_000; times++) tier.lookup('key').catch(() => undefined);
    adapter.fate = () => 'passes';
    await expect(tier.lookup('key')).rejects.toThrow('4096 operations are unanswered');
    clock.advance(10_000);
    await expect(tier.lookup('key')).resolves.toBeDefined();
    const many = Array.from({ length: 1_000 }, () => tier.lookup('key'));
    await expect(Promise.all(many)).resolves.toHaveLength(1_000);
  });

  it('asks a silent store no more than once a second, when it holds as much as it may', async () => {
    const { tier, clock } = open();
    await tier.position();
    adapter.fate = () => 'hangs';
    for (let times = 0; times < 4_096; times++) tier.lookup('key').catch(() => undefined);
    const before = adapter.calls.length;
    for (let seconds = 0; seconds < 60; seconds++) {
      clock.advance(1_000);
      for (let times = 0; times < 10; times++) tier.lookup('key').catch(() => undefined);
    }
    expect(adapter.calls.length - before).toBe(60);
  });

  it('tells of errors that nobody waits for, and is ended by none, even when it is closed', async () => {
    const { tier, failures } = open();
    await tier.position();
    adapter.emitError(new Error('the connection is gone'));
    expect(failures).toEqual(['connection']);
    await tier.close();
    expect(() => adapter.emitError(new Error('the connection is gone'))).not.toThrow();
    expect(failures).toEqual(['connection']);
  });

  it('uses prefix and format of a Keyv that was given, and leaves it as it was', async () => {
    const given = new Keyv({ store: backend.connect(), namespace: 'mine' });
    const before = { namespace: given.namespace, throwOnErrors: given.throwOnErrors };
    const { tier } = open({}, given);
    await tier.set('key', FRAME, HOUR);
    await tier.evict(['a']);
    await tier.close();
    expect({ namespace: given.namespace, throwOnErrors: given.throwOnErrors }).toEqual(before);
    expect(await given.get(MAIN)).toContain('"epoch"');
    expect(await backend.connect().get(`mine:${MAIN}`)).toBeDefined();
    await given.set('own', 'value');
    expect(await given.get('own')).toBe('value');
  });

  it('works on a Keyv in memory', async () => {
    const given = new Keyv();
    const { tier } = open({}, given);
    await tier.set('key', FRAME, HOUR);
    const place = await tier.evict(['a']);
    const next = open({}, given);
    expect(await next.tier.position()).toEqual(place);
    expect((await next.tier.lookup('key')).frame).toEqual(FRAME);
  });

  it('says at start what it can not guarantee', () => {
    expect(keyv(adapter).caveat).toContain("don't see each other's evictions");
  });

  it.each([undefined, null, 5, 'sqlite://cache.sqlite', {}, { get: 1 }, () => undefined])(
    'refuses %j, and names keyv()',
    (given) => {
      expect(() => keyv(given as unknown as Keyv)).toThrow(
        expect.objectContaining({
          code: 'CACHING_CONFIG',
          message: expect.stringMatching(/^keyv\(\): /) as string,
        }),
      );
    },
  );
});

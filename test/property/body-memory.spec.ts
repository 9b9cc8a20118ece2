import * as fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { type Entry, isEntry } from '../../libs/caching/src/cache/entry.js';
import type { EntryFacts } from '../../libs/caching/src/cache/entry-facts.js';
import { BodyMemory } from '../../libs/caching/src/stores/body-memory.js';
import { MemoryStore } from '../../libs/caching/src/stores/memory.store.js';
import { entry } from '../support/engine.js';
import { FakeClock } from '../support/fake-clock.js';
import { turns } from '../support/gate.js';

const KEYS = ['k:1', 'k:2', 'k:3', 'k:4', 'k:5', 'k:6'] as const;
const TAGS = ['t:1', 't:2'] as const;
/** Of few classes, so that what one leaves is soon another's, and one that is never copied. */
const LENGTHS = [100, 2_048, 2_100, 2_170, 4_000] as const;

const key = fc.constantFrom(...KEYS);
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      act: fc.constant('set' as const),
      key,
      length: fc.constantFrom(...LENGTHS),
      tag: fc.constantFrom(...TAGS),
    }),
  },
  { weight: 3, arbitrary: fc.record({ act: fc.constant('lookup' as const), key }) },
  fc.record({ act: fc.constant('peek' as const), key }),
  fc.record({ act: fc.constant('each' as const) }),
  fc.record({ act: fc.constant('delete' as const), key }),
  fc.record({ act: fc.constant('evict' as const), tag: fc.constantFrom(...TAGS) }),
  fc.record({ act: fc.constant('pass' as const) }),
);

/** Every byte of a body says which it is of. */
function bodyOf(n: number, length: number): Buffer {
  return Buffer.alloc(length, `<${n}>`);
}

function withBody(name: string, store: MemoryStore, clock: FakeClock, body: Buffer, order = 1): Entry {
  const made = entry(name, { start: store.position, storedAt: clock.now(), order });
  return { ...made, response: { ...made.response, body } };
}

describe('memory that is used again for bodies', () => {
  it('never changes what anybody was given, nor what is held, whatever comes and goes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 100 }), async (steps) => {
        const clock = new FakeClock();
        // Room for some of the keys only: the others are dropped.
        const store = new MemoryStore({ clock, maxEntries: 4, maxBytes: 400_000 });
        const stored = new Map<string, Buffer>();
        const given = new Map<Entry, Buffer>();
        const take = (found: Entry): true => {
          given.set(found, given.get(found) ?? (stored.get(found.key) as Buffer));
          return true;
        };
        const look = ({ key: name, bodyBytes }: EntryFacts): true => {
          expect(bodyBytes).toBe(stored.get(name)?.length);
          return true;
        };
        const lookUp = (name: string): void => {
          const found = store.lookup(name);
          if (isEntry(found)) take(found);
        };
        for (const [n, each] of steps.entries()) {
          if (each.act === 'set') {
            const made = withBody(each.key, store, clock, bodyOf(n, each.length), n);
            const isStored = store.set({ ...made, tags: [each.tag, each.key] });
            if (isStored) stored.set(each.key, bodyOf(n, each.length));
          } else if (each.act === 'lookup') lookUp(each.key);
          else if (each.act === 'peek') {
            const facts = store.peek(each.key);
            if (facts !== undefined) look(facts);
          } else if (each.act === 'each') store.each(look);
          else if (each.act === 'delete') store.delete(each.key);
          else if (each.act === 'evict') store.evict([each.tag]);
          else {
            clock.advance(10_000);
            await turns(3);
          }
        }
        for (const name of KEYS) lookUp(name);
        for (const [found, body] of given) expect(found.response.body).toEqual(body);
        const memories = [...given.keys()].map((found) => (found.response.body as Buffer).buffer);
        expect(new Set(memories).size).toBe(memories.length);
        store.close();
      }),
      { numRuns: 1_000 },
    );
  });

  it('holds what is dropped without having been asked for, so that misses get none from the system', () => {
    const clock = new FakeClock();
    const store = new MemoryStore({ clock, maxEntries: 10 });
    const bodies = Array.from({ length: 200 }, (_, n) => bodyOf(n, 9_900 + (n % 100)));
    const allocations = vi.spyOn(Buffer, 'allocUnsafeSlow');
    try {
      for (const [n, body] of bodies.entries()) store.set(withBody(`k:${n}`, store, clock, body));
      expect(allocations.mock.calls.length).toBeLessThanOrEqual(11);
    } finally {
      allocations.mockRestore();
    }
    for (let n = 190; n < 200; n++)
      expect(store.lookup(`k:${n}`)).toMatchObject({ response: { body: bodies[n] } });
  });

  it('holds it as well where somebody has looked at all that there is, which gives no bodies', () => {
    const clock = new FakeClock();
    const store = new MemoryStore({ clock, maxEntries: 10 });
    const facts: EntryFacts[] = [];
    const allocations = vi.spyOn(Buffer, 'allocUnsafeSlow');
    try {
      for (let n = 0; n < 100; n++) {
        store.set(withBody(`k:${n}`, store, clock, bodyOf(n, 9_900)));
        store.each((each) => facts.push(each) > 0);
        facts.push(store.peek(`k:${n}`) as EntryFacts);
      }
      expect(allocations.mock.calls.length).toBeLessThanOrEqual(11);
    } finally {
      allocations.mockRestore();
    }
    expect(facts.length).toBeGreaterThan(1_000);
    expect(new Set(facts.map(({ bodyBytes }) => bodyBytes))).toEqual(new Set([9_900]));
    expect(facts.filter((each) => 'response' in each || 'body' in each)).toEqual([]);
  });

  it('counts all that a copy takes', () => {
    const clock = new FakeClock();
    const store = new MemoryStore({ clock });
    const sizes = [2_100, 2_176].map((length) => {
      const before = store.bytes;
      store.set(withBody(`k:${length}`, store, clock, bodyOf(1, length)));
      return store.bytes - before;
    });
    expect(sizes[0]).toBe(sizes[1]);
  });

  it('refuses what is too large for the store without losing count of its memory', () => {
    const clock = new FakeClock();
    const store = new MemoryStore({ clock, maxEntries: 10, maxBytes: 100_000 });
    const large = withBody('k:large', store, clock, bodyOf(1, 3_000));
    const heavy = { ...large, tags: ['k:large', 'x'.repeat(200_000)] };
    expect(store.set(heavy)).toBe(false);
    store.set(withBody('k:1', store, clock, bodyOf(2, 3_000)));
    store.set(withBody('k:2', store, clock, bodyOf(3, 3_000)));
    expect(store.lookup('k:1')).toMatchObject({ response: { body: bodyOf(2, 3_000) } });
    expect(store.lookup('k:2')).toMatchObject({ response: { body: bodyOf(3, 3_000) } });
  });

  it('shows nothing of another body behind its own', () => {
    const memory = new BodyMemory(1_000_000);
    const first = memory.copyOf(bodyOf(1, 2_176)) as Buffer;
    memory.reuse(first);
    const second = memory.copyOf(bodyOf(2, 2_100)) as Buffer;
    expect(second.buffer).toBe(first.buffer);
    expect(Buffer.from(second.buffer, second.length).equals(Buffer.alloc(76))).toBe(true);
  });

  it('lets no more wait than it may, and takes no body that is small or larger than half of that', () => {
    const memory = new BodyMemory(10_000);
    expect([2_047, 5_001].map((length) => memory.copyOf(Buffer.alloc(length)))).toEqual([
      undefined,
      undefined,
    ]);
    const copies = Array.from({ length: 10 }, () => memory.copyOf(Buffer.alloc(4_000)) as Buffer);
    for (const copy of copies) memory.reuse(copy);
    const known = new Set(copies.map(({ buffer }) => buffer));
    const again = Array.from({ length: 10 }, () => (memory.copyOf(Buffer.alloc(4_000)) as Buffer).buffer);
    expect(again.filter((buffer) => known.has(buffer)).length).toBe(2);
  });
});

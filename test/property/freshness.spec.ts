import { memory } from 'nestjs-caching';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isEntry } from '../../libs/caching/src/cache/entry.js';
import { behindConnection } from '../support/race.js';
import { entry, startEngine } from '../support/engine.js';
import { FakeClock } from '../support/fake-clock.js';

const KEYS = ['k0', 'k1', 'k2'] as const;
const TAGS = ['t:0', 't:1'] as const;

const step = fc.oneof(
  fc.record({
    do: fc.constant('set' as const),
    key: fc.constantFrom(...KEYS),
    tags: fc.subarray([...TAGS]),
    life: fc.integer({ min: 1, max: 1_000 }),
  }),
  fc.record({ do: fc.constant('advance' as const), by: fc.integer({ min: 0, max: 600 }) }),
  fc.record({ do: fc.constant('delete' as const), key: fc.constantFrom(...KEYS) }),
  fc.record({ do: fc.constant('evict' as const), tag: fc.constantFrom(...TAGS) }),
);

type AnyStep = typeof step extends fc.Arbitrary<infer T> ? T : never;
type Step<Kind extends AnyStep['do']> = Extract<AnyStep, { do: Kind }>;

interface Kept {
  readonly text: string;
  readonly tags: readonly string[];
  readonly expiresAt: number;
}

describe('freshness, over any course of time', () => {
  it('serves what was stored last exactly until it expires, is removed or evicted', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const clock = new FakeClock();
        const store = memory({ clock, maxEntries: 100 });
        const model = new Map<string, Kept>();
        const act = {
          advance: ({ by }: Step<'advance'>) => clock.advance(by),
          delete({ key }: Step<'delete'>) {
            store.delete(key);
            model.delete(key);
          },
          evict({ tag }: Step<'evict'>) {
            store.evict([tag]);
            for (const [key, { tags }] of model) if (tags.includes(tag)) model.delete(key);
          },
          set({ key, tags, life }: Step<'set'>, order: number) {
            const text = `${order}`;
            const made = entry(key, {
              start: store.position,
              storedAt: clock.now(),
              tags,
              life,
              order,
              text,
            });
            store.set(made);
            model.set(key, { text, tags, expiresAt: made.expiresAt });
          },
        };
        steps.forEach((given, at) => {
          act[given.do](given as never, at);
          const served = KEYS.map((key) => store.lookup(key)).map((found) =>
            isEntry(found) ? String(found.response.body) : undefined,
          );
          const kept = KEYS.map((key) => model.get(key)).map((found) =>
            found !== undefined && clock.now() < found.expiresAt ? found.text : undefined,
          );
          expect(served).toEqual(kept);
        });
      }),
      { numRuns: 300 },
    );
  });

  it('once over does not come back by itself, and what is left to live only shrinks', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000 }),
        fc.array(fc.integer({ min: 0, max: 3_000 }), { minLength: 1, maxLength: 20 }),
        (life, waits) => {
          const clock = new FakeClock();
          const store = memory({ clock, maxEntries: 100 });
          store.set(entry('k', { start: store.position, storedAt: clock.now(), life }));
          let left = life;
          for (const wait of waits) {
            clock.advance(wait);
            left -= wait;
            const found = store.lookup('k');
            expect(isEntry(found) ? found.expiresAt - clock.now() : 'over').toBe(left > 0 ? left : 'over');
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('is over where the clock was set back: nobody knows how old an entry is then', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), (back) => {
        const clock = new FakeClock();
        const store = memory({ clock, maxEntries: 100 });
        store.set(entry('k', { start: store.position, storedAt: clock.now() }));
        clock.advance(-back);
        expect(isEntry(store.lookup('k'))).toBe(false);
        clock.advance(back);
        expect(isEntry(store.lookup('k'))).toBe(false);
      }),
      { numRuns: 100 },
    );
  });

  it('is counted from when the response was complete, and the same behind a slow store', async () => {
    const clock = new FakeClock();
    const remote = behindConnection(memory({ clock, maxEntries: 100 }), async () => Promise.resolve());
    const { cache } = startEngine({ store: remote }, clock);
    const start = await cache.lookup('k');
    if (isEntry(start)) throw new Error('nothing was stored yet');
    const ticket = cache.join({ route: 'r', key: 'k' }, start, []);
    if (ticket.role !== 'fill') throw new Error('expected to fill');
    clock.advance(5_000);
    ticket.fill.store(entry('k', { start, storedAt: 0 }).response, 1_000);
    clock.advance(999);
    expect(isEntry(await cache.lookup('k'))).toBe(true);
    clock.advance(1);
    expect(isEntry(await cache.lookup('k'))).toBe(false);
  });
});

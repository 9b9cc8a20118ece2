import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isEntry, isFresh } from '../../libs/caching/src/cache/entry.js';
import { softTag } from '../../libs/caching/src/cache/soft.js';
import type { StampPosition } from '../../libs/caching/src/cache/stamps.js';
import { MemoryStore } from '../../libs/caching/src/stores/memory.store.js';
import { sampleEntry } from '../../libs/caching/src/testing/sample-entry.js';
import { FakeClock } from '../support/fake-clock.js';

const KEYS = ['k:1', 'k:2'] as const;
const TAGS = ['t:1', 't:2', 't:3'] as const;
const FRESH = 4_000;
const WINDOW = 3_000;

type State = 'fresh' | 'stale' | 'gone';

/** A fill, and what has happened to its tags since it began. */
interface Filled {
  readonly start: StampPosition;
  readonly tags: readonly string[];
  state: State;
}

const step = fc.oneof(
  fc.record({ act: fc.constant('begin' as const), tags: fc.subarray([...TAGS]) }),
  fc.record({ act: fc.constant('end' as const), key: fc.constantFrom(...KEYS) }),
  fc.record({ act: fc.constant('soft' as const), tag: fc.constantFrom(...TAGS) }),
  fc.record({ act: fc.constant('hard' as const), tag: fc.constantFrom(...TAGS) }),
  // Within a minute in all: a stamp that is older than any life is dropped, and what began before it with it.
  fc.record({ act: fc.constant('pass' as const), time: fc.integer({ min: 1, max: 900 }) }),
);

describe('soft evictions', () => {
  it('make stale what they concern, and take nothing from hard ones', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const clock = new FakeClock();
        const store = new MemoryStore({ clock, maxEntries: 10 });
        const running: Filled[] = [];
        const stored = new Map<string, Filled & { readonly at: number }>();
        let order = 0;
        const concerned = (tag: string) =>
          [...running, ...stored.values()].filter(({ tags }) => tags.includes(tag));
        for (const each of steps) {
          if (each.act === 'begin') running.push({ start: store.position, tags: each.tags, state: 'fresh' });
          else if (each.act === 'pass') clock.advance(each.time);
          else if (each.act === 'soft') {
            store.evict([softTag(each.tag)]);
            for (const fill of concerned(each.tag)) if (fill.state === 'fresh') fill.state = 'stale';
          } else if (each.act === 'hard') {
            store.evict([each.tag]);
            for (const fill of concerned(each.tag)) fill.state = 'gone';
          } else {
            const fill = running.shift();
            if (fill === undefined) continue;
            const now = clock.now();
            const freshness = {
              freshUntil: now + FRESH,
              ageAtStore: 0,
              staleWhileRevalidateUntil: now + FRESH + WINDOW,
              staleIfErrorUntil: now + FRESH + WINDOW,
              alwaysRevalidate: false,
              staleForbidden: false,
            };
            const { start, tags } = fill;
            const given = { start, tags, freshness, storedAt: now, life: FRESH + WINDOW, order: ++order };
            store.set(sampleEntry(each.key, given));
            if (fill.state !== 'gone') stored.set(each.key, Object.assign(fill, { at: now }));
          }
          for (const [key, fill] of stored) {
            const found = store.lookup(key);
            const age = clock.now() - fill.at;
            const expected: State =
              fill.state === 'gone' || age >= FRESH + WINDOW
                ? 'gone'
                : fill.state === 'stale' || age >= FRESH
                  ? 'stale'
                  : 'fresh';
            const actual: State = !isEntry(found) ? 'gone' : isFresh(found, clock.now()) ? 'fresh' : 'stale';
            expect(`${key} is ${actual}`).toBe(`${key} is ${expected}`);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryStore } from '../../libs/caching/src/stores/memory.store.js';
import { entry } from '../support/engine.js';
import { FakeClock } from '../support/fake-clock.js';

const KEYS = Array.from({ length: 12 }, (_, n) => `k:${n}`);
const MAX_BYTES = 20_000;

const key = fc.constantFrom(...KEYS);
const act = fc.oneof(
  fc.record({ does: fc.constant('set' as const), key, length: fc.integer({ min: 100, max: 4_000 }) }),
  fc.record({ does: fc.constantFrom('look up', 'evict and look up', 'delete'), key }),
);
type Act = typeof act extends fc.Arbitrary<infer T> ? T : never;

describe('whoever hears that memory had no room for an entry', () => {
  it('may look up, store, evict and delete at once: each key still has its own, within the bounds', () => {
    fc.assert(
      fc.property(
        fc.array(act, { minLength: 50, maxLength: 300 }),
        fc.array(act, { minLength: 1, maxLength: 20 }),
        (acts, whenTold) => {
          const clock = new FakeClock();
          const store = new MemoryStore({ clock, maxBytes: MAX_BYTES, maxEntries: 10 });
          let order = 0;
          const run = (each: Act): void => {
            if (each.does === 'set') {
              const made = entry(each.key, { start: store.position, storedAt: clock.now(), order: ++order });
              const body = Buffer.alloc('length' in each ? each.length : 0, each.key);
              store.set({ ...made, tags: [each.key], response: { ...made.response, body } });
            } else if (each.does === 'delete') store.delete(each.key);
            else {
              if (each.does === 'evict and look up') store.evict([each.key]);
              store.lookup(each.key);
            }
          };
          let isTelling = false;
          store.onDropped = () => {
            // What it stores makes others go, which it hears of in turn.
            if (isTelling) return;
            isTelling = true;
            whenTold.forEach(run);
            isTelling = false;
          };
          for (const each of acts) {
            run(each);
            expect(store.bytes).toBeLessThanOrEqual(MAX_BYTES);
            expect(store.entries).toBeLessThanOrEqual(10);
            for (const name of KEYS) {
              // Looking at all would leave them in the same order each time.
              const found = name === each.key ? store.lookup(name) : store.peek(name);
              if (found === undefined || 'n' in found) continue;
              expect(found.key).toBe(name);
              const body = 'response' in found ? found.response.body : undefined;
              expect(body?.equals(Buffer.alloc(body.length, name))).not.toBe(false);
            }
          }
          store.close();
          expect([store.entries, store.bytes]).toEqual([0, 0]);
        },
      ),
      { numRuns: 100 },
    );
  });
});

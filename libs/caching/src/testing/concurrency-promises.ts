import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isEntry } from '../cache/entry.js';
import { type OpenedStore, placeOf } from './opened-store.js';
import type { Chapter } from './promises.js';
import { randomNumbers } from './random.js';
import { sampleEntry } from './sample-entry.js';

const PARTS = ['a', 'b', 'c'] as const;
type Part = (typeof PARTS)[number];

/** What happens at once, and how often each of them does it. */
const RACE = { readers: 12, writers: 3, rounds: 40 } as const;

/** Many who ask at the same time. */
export const CONCURRENCY_PROMISES: Chapter<OpenedStore> = {
  'gives each of many that ask at once its own entry': async (opened) => {
    const keys = Array.from({ length: 300 }, (_, at) => `k${at}`);
    const start = await opened.start();
    await Promise.all(keys.map((key) => opened.put(key, { start })));
    assert.deepEqual(await Promise.all(keys.map((key) => opened.read(key))), keys);
  },

  'gives each of many evictions at once a place of its own, without a gap': async ({ store }) => {
    await store.lookup('a');
    const { epoch, n } = placeOf(store.position);
    const evictions = Array.from({ length: 100 }, async (_, at) => store.evict([`t:${at % 7}`]));
    const places = (await Promise.all(evictions)).map(placeOf);
    assert.deepEqual(new Set(places.map((place) => place.epoch)), new Set([epoch]));
    assert.deepEqual(
      places.map((place) => place.n).sort((a, b) => a - b),
      evictions.map((_, at) => n + at + 1),
    );
  },

  'serves nothing that is older than an eviction that was acknowledged, among fills and writes at once':
    async (opened) => {
      const race = new Race(opened);
      await race.run();
      assert.ok(race.hits > 0, 'no read found anything');
    },
};

/** Readers that fill what they don't find, and writers that evict what they changed. Time is the event loop's. */
class Race {
  hits = 0;
  readonly #random = randomNumbers(7);
  readonly #data: Record<Part, number> = { a: 0, b: 0, c: 0 };
  readonly #acknowledged: Record<Part, number> = { a: 0, b: 0, c: 0 };
  #fills = 0;

  constructor(private readonly opened: OpenedStore) {}

  async run(): Promise<void> {
    const readers = Array.from({ length: RACE.readers }, () => this.#repeat(() => this.#read()));
    const writers = Array.from({ length: RACE.writers }, () => this.#repeat(() => this.#write()));
    await Promise.all([...readers, ...writers]);
  }

  async #repeat(step: () => Promise<void>): Promise<void> {
    for (let round = 0; round < RACE.rounds; round++) {
      await this.#pause();
      await step();
    }
  }

  async #read(): Promise<void> {
    const { store, clock } = this.opened;
    const part = this.#part();
    const key = `key of ${part}`;
    const atLeast = this.#acknowledged[part];
    const found = await store.lookup(key);
    if (isEntry(found)) {
      this.hits++;
      const seen = Number(found.response.body);
      assert.ok(seen >= atLeast, `stale: ${seen} was served after ${atLeast} was acknowledged`);
      return;
    }
    const order = ++this.#fills;
    const text = String(this.#data[part]);
    await this.#pause();
    await store.set(
      sampleEntry(key, { start: found, storedAt: clock.now(), order, text, tags: [`t:${part}`] }),
    );
  }

  async #write(): Promise<void> {
    const part = this.#part();
    const written = ++this.#data[part];
    await this.#pause();
    await this.opened.store.evict([`t:${part}`]);
    this.#acknowledged[part] = Math.max(this.#acknowledged[part], written);
  }

  #part(): Part {
    return PARTS[Math.floor(this.#random() * PARTS.length)] as Part;
  }

  async #pause(): Promise<void> {
    for (let turns = Math.floor(this.#random() * 6); turns > 0; turns--) await nextTurn();
  }
}

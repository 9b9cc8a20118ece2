import * as fc from 'fast-check';
import { type CacheStore, CacheStoreError, memory } from 'nestjs-caching';
import type { MaybePromise } from '../../libs/caching/src/cache/maybe-promise.js';
import { isEntry } from '../../libs/caching/src/cache/entry.js';
import type { Fill, ViewKey } from '../../libs/caching/src/cache/fill.js';
import type { Ticket, ViewCache } from '../../libs/caching/src/cache/view-cache.js';
import { response, startEngine } from './engine.js';
import { FakeClock } from './fake-clock.js';

/** What the application's data consists of. Each part has a tag of its name. */
export const PARTS = ['a', 'b'] as const;
export type Part = (typeof PARTS)[number];
export type Versions = Record<Part, number>;

/** The data, and what every read that starts now must see at least. */
export class RaceWorld {
  readonly data: Versions = { a: 0, b: 0 };
  readonly acknowledged: Versions = { a: 0, b: 0 };

  /** Fails where a read got something older than it had to see when it started. */
  judge(seen: Versions, atStart: Versions): void {
    for (const part of PARTS) {
      if (seen[part] < atStart[part]) {
        throw new Error(
          `stale: ${part}${seen[part]} was served after ${part}${atStart[part]} was acknowledged`,
        );
      }
    }
  }

  write(part: Part): number {
    return ++this.data[part];
  }

  acknowledge(part: Part, written: number): void {
    this.acknowledged[part] = Math.max(this.acknowledged[part], written);
  }
}

/** What happens in a race, each of it at a time that the scheduler chooses. */
export const race = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constantFrom('read' as const, 'read' as const, 'read' as const, 'refresh' as const),
        ending: fc.constantFrom('store', 'store', 'store', 'share', 'reject', 'abort'),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('write' as const), part: fc.constantFrom(...PARTS) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('time' as const),
        milliseconds: fc.constantFrom(100, 30_000),
      }),
    },
  ),
  { minLength: 3, maxLength: 9 },
);

export type RaceAction = typeof race extends fc.Arbitrary<(infer T)[]> ? T : never;
export type Pause = (what: string) => Promise<void>;

const VIEW: ViewKey = { route: 'Race.view', key: 'view' };

/** The engine as the interceptor drives it, with handlers that take their time. */
class RaceRun {
  readonly world = new RaceWorld();

  constructor(
    private readonly cache: ViewCache,
    private readonly clock: FakeClock,
    private readonly pause: Pause,
  ) {}

  async act(action: RaceAction): Promise<void> {
    await this.pause(action.kind);
    if (action.kind === 'time') this.clock.advance(action.milliseconds);
    else if (action.kind === 'write') await this.#write(action.part);
    else await this.#read(action.kind === 'refresh', action.ending);
  }

  async #write(part: Part): Promise<void> {
    const written = this.world.write(part);
    await this.pause(`evict ${part}`);
    try {
      await this.cache.evict([part]);
    } catch (error) {
      if (error instanceof CacheStoreError) return;
      throw error;
    }
    this.world.acknowledge(part, written);
  }

  async #read(isRefresh: boolean, ending: string): Promise<void> {
    const atStart = { ...this.world.acknowledged };
    const seen = await (isRefresh
      ? this.#fill(this.cache.alone(VIEW, ['a']).fill, ending)
      : this.#lookUp(ending));
    this.world.judge(seen, atStart);
  }

  async #lookUp(ending: string): Promise<Versions> {
    const found = await this.cache.lookup(VIEW.key);
    if (isEntry(found)) return parse(found.response.body);
    return this.#follow(this.cache.join(VIEW, found, ['a']), ending);
  }

  async #follow(ticket: Ticket, ending: string): Promise<Versions> {
    if (ticket.role === 'fill') return this.#fill(ticket.fill, ending);
    const outcome = await ticket.outcome;
    if (typeof outcome !== 'string') return parse(outcome.response.body);
    return this.#follow(
      outcome === 'alone' ? this.cache.alone(VIEW, ['a']) : this.cache.rejoin(VIEW, ['a']),
      ending,
    );
  }

  /** Reads all data when it starts, and says only later that it depends on `b` as well. */
  async #fill(fill: Fill, ending: string): Promise<Versions> {
    const seen = { ...this.world.data };
    await this.pause('tag b');
    fill.addTag('b');
    await this.pause(ending);
    if (ending === 'store') fill.store(response(JSON.stringify(seen)), 60_000);
    else if (ending === 'share') fill.share(response(JSON.stringify(seen)));
    else if (ending === 'reject') fill.reject();
    else fill.abort();
    return seen;
  }
}

function parse(body: Buffer | undefined): Versions {
  return JSON.parse(String(body)) as Versions;
}

/** A store behind a connection: what is asked arrives later, and so does the answer. */
export function behindConnection(inner: CacheStore, pause: Pause): CacheStore {
  const remote = async <T>(name: string, work: () => MaybePromise<T>): Promise<T> => {
    await pause(`${name} arrives`);
    const result = await work();
    await pause(`${name} is answered`);
    return result;
  };
  return {
    name: 'remote',
    get position() {
      return inner.position;
    },
    isCurrent: (start, tags) => inner.isCurrent(start, tags),
    lookup: (key) => remote('lookup', () => inner.lookup(key)),
    set: (entry) => remote('set', () => inner.set(entry)),
    evict: (tags) => remote('evict', () => inner.evict(tags)),
  };
}

/** Every order that the scheduler finds is one run of this. */
export function raceProperty(makeStore: (inner: CacheStore, pause: Pause) => CacheStore) {
  return fc.asyncProperty(race, fc.scheduler(), async (actions, scheduler) => {
    const pause: Pause = async (what) => {
      await scheduler.schedule(Promise.resolve(), what);
    };
    const clock = new FakeClock();
    const { cache } = startEngine({ store: makeStore(memory({ clock, maxEntries: 100 }), pause) }, clock);
    const run = new RaceRun(cache, clock, pause);
    await scheduler.waitFor(Promise.all(actions.map((action) => run.act(action))));
    // A last read, when all is over, sees everything.
    await scheduler.waitFor(run.act({ kind: 'read', ending: 'store' }));
  });
}

import { setImmediate as nextTurn } from 'node:timers/promises';
import * as fc from 'fast-check';
import type { Coherence } from '../../../libs/caching/src/stores/tiered.store.js';
import { FakeClock } from '../fake-clock.js';
import type { Defect } from './defects.js';
import { ENDINGS, HistoryInstance, view } from './history-instance.js';
import { JudgedInstance } from './judged-instance.js';
import { LOSSES, MemoryServer } from './memory-server.js';
import { type Fate, FATES, ScheduledTier } from './scheduled-tier.js';
import { ObservedTier } from './observed-tier.js';
import { HistoryWorld } from './world.js';

const HEARTBEAT = 500;
const TIMEOUT = 100;
const INSTANCES = 3;
const VIEWS = [view('a'), view('a', 'b')] as const;

const instance = fc.nat({ max: INSTANCES - 1 });
const ending = fc.constantFrom(...ENDINGS, 'store' as const, 'store' as const, 'store' as const);

/** What happens in a race, each of it at a time that the scheduler chooses. */
const action = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('read' as const),
      instance,
      of: fc.constantFrom(...VIEWS),
      ending,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('refresh' as const),
      instance,
      of: fc.constantFrom(...VIEWS),
      ending,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      instance,
      part: fc.constantFrom('a' as const, 'b' as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('time' as const),
      milliseconds: fc.constantFrom(30, 120, HEARTBEAT, HEARTBEAT + TIMEOUT + 1),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('lose' as const), what: fc.constantFrom(...LOSSES) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const), instance }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('deafen' as const), instance }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('cut off' as const, 'heal' as const), instance }),
  },
);
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

/** Of so many questions one meets any fate. */
const fates = fc
  .constantFrom(2, 6, 20)
  .chain((reliability) =>
    fc.infiniteStream(
      fc.oneof(
        { weight: reliability, arbitrary: fc.constant<Fate>('arrives') },
        { weight: 1, arbitrary: fc.constantFrom(...FATES) },
      ),
    ),
  );

/** Turns that a part of a handler's work takes: much happens meanwhile. */
const work = fc.infiniteStream(
  fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.constant(25) }),
);

/** Several instances of the shipped engine and store, in front of one server, with everything between them late. */
class TierRace {
  readonly clock = new FakeClock();
  readonly world: HistoryWorld;
  readonly #server = new MemoryServer();
  readonly #tiers: ScheduledTier[] = [];
  readonly #instances: JudgedInstance<HistoryInstance>[] = [];

  constructor(
    private readonly coherence: Coherence,
    private readonly defect: Defect | undefined,
    private readonly pause: (what: string) => Promise<void>,
    private readonly nextFate: () => Fate,
    private readonly nextWork: () => number,
  ) {
    this.world = new HistoryWorld(this.clock, coherence === 'strict' ? 0 : HEARTBEAT + TIMEOUT);
    for (let place = 0; place < INSTANCES; place++) this.#start(place);
  }

  /** Reads that were hits. */
  get hits(): number {
    return this.#instances.reduce((sum, { hits }) => sum + hits, 0);
  }

  async act(action: Action): Promise<void> {
    await this.pause(action.kind);
    switch (action.kind) {
      case 'time':
        this.clock.advance(action.milliseconds);
        return;
      case 'lose':
        this.#server.lose(action.what);
        return;
      case 'read':
        await this.#at(action.instance).read(action.of, action.ending);
        return;
      case 'refresh':
        await this.#at(action.instance).instance.refresh(action.of, action.ending);
        return;
      case 'write':
        await this.#at(action.instance).write(action.part, () => this.pause(`evict ${action.part}`));
        return;
      case 'restart':
        this.#at(action.instance).end();
        await this.#at(action.instance).instance.end();
        this.#start(action.instance);
        return;
      case 'deafen':
        await this.#tierAt(action.instance).deafen();
        return;
      case 'cut off':
      case 'heal':
        this.#tierAt(action.instance).isCutOff = action.kind === 'cut off';
    }
  }

  async readAll(): Promise<void> {
    for (const each of this.#instances) for (const of of VIEWS) await each.read(of);
  }

  heal(): void {
    for (const tier of this.#tiers) tier.isCutOff = false;
  }

  async end(): Promise<void> {
    await Promise.all(this.#instances.map(({ instance }) => instance.end()));
  }

  #at(place: number): JudgedInstance<HistoryInstance> {
    return this.#instances[place] as JudgedInstance<HistoryInstance>;
  }

  #tierAt(place: number): ScheduledTier {
    return this.#tiers[place] as ScheduledTier;
  }

  #start(place: number): void {
    const { world, clock, coherence, defect, pause, nextFate } = this;
    const tier = new ScheduledTier({ server: this.#server, pause, nextFate });
    this.#tiers[place] = tier;
    const instance = new HistoryInstance({
      tier: new ObservedTier(tier, world, clock),
      clock,
      coherence,
      heartbeat: HEARTBEAT,
      storeTimeout: TIMEOUT,
      coalesceTimeout: 30_000,
      life: 60_000,
      query: (parts) => world.read(parts),
      pause: async (what) => {
        for (let turns = this.nextWork(); turns > 0; turns--) await pause(what);
      },
      defect,
    });
    this.#instances[place] = new JudgedInstance(`instance ${place}`, world, instance);
  }
}

export interface RaceCount {
  runs: number;
  hits: number;
}

/** Every order that the scheduler finds is one run of this. */
export function tierRaceProperty(
  coherence: Coherence,
  defect?: Defect,
  count: RaceCount = { runs: 0, hits: 0 },
) {
  return fc.asyncProperty(
    fc.array(action, { minLength: 4, maxLength: 14 }),
    fates,
    work,
    fc.boolean(),
    fc.scheduler(),
    async (actions, fate, turns, isWarm, scheduler) => {
      let isWarming = isWarm;
      const pause = async (what: string) => {
        if (!isWarming) await scheduler.schedule(Promise.resolve(), what);
      };
      const nextFate = () => (isWarming ? 'arrives' : (fate.next().value as Fate));
      const race = new TierRace(coherence, defect, pause, nextFate, () => turns.next().value as number);
      // What is stored already is what can be stale.
      if (isWarm) await race.readAll();
      isWarming = false;
      await scheduler.waitFor(Promise.all(actions.map((each) => race.act(each))));
      // When all is over everybody sees what they have to: at once, and once more when every bound has passed.
      await scheduler.waitFor(race.readAll());
      race.heal();
      race.clock.advance(HEARTBEAT + TIMEOUT + 1);
      await scheduler.waitFor(race.readAll());
      await scheduler.waitFor(race.end());
      // What frees evicted entries waits for it, and all of a race is kept until then.
      await nextTurn();
      count.runs++;
      count.hits += race.hits;
      const [violation] = race.world.violations;
      if (violation !== undefined) throw new Error(violation);
    },
  );
}

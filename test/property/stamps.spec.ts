import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EvictionLog, type StampPosition } from '../../libs/caching/src/cache/stamps.js';
import { FakeClock } from '../support/fake-clock.js';
import { runAllOrders, type Step } from '../support/interleavings.js';

/** The data, the log, and a shared place where one entry lies that depends on the tags `a` and `b`. */
class World {
  readonly clock = new FakeClock();
  log: EvictionLog;
  data = 0;
  /** What every read that starts now must have seen. */
  acknowledged = 0;
  stored: { readonly start: StampPosition; readonly data: number } | undefined;

  constructor(readonly options: { readonly maxTags?: number; readonly noCheck?: boolean } = {}) {
    this.log = this.newLog();
  }

  newLog(epoch?: string): EvictionLog {
    const { maxTags } = this.options;
    return new EvictionLog({ clock: this.clock, ...(maxTags && { maxTags }), ...(epoch && { epoch }) });
  }

  readonly check = (): string | undefined => {
    const { stored, acknowledged, log } = this;
    if (stored === undefined || stored.data >= acknowledged) return undefined;
    if (this.options.noCheck !== true && !log.isCurrent(stored.start, ['a', 'b'])) return undefined;
    return `served ${stored.data} after ${acknowledged} was acknowledged`;
  };

  /** A handler's run: its position is noted first, then it reads, then its response is stored. */
  fill(): Step[] {
    let start: StampPosition;
    let data: number;
    return [
      () => (start = this.log.position),
      () => (data = this.data),
      () => (this.stored = { start, data }),
    ] as Step[];
  }

  fillThatNotesItsPositionLate(): Step[] {
    let start: StampPosition;
    let data: number;
    return [
      () => (data = this.data),
      () => (start = this.log.position),
      () => (this.stored = { start, data }),
    ] as Step[];
  }

  /** A write: commit, evict, tell. */
  write(tag: string): Step[] {
    let written: number;
    return [
      () => (written = ++this.data),
      () => this.log.evict([tag]),
      () => (this.acknowledged = Math.max(this.acknowledged, written)),
    ] as Step[];
  }

  writeThatEvictsFirst(tag: string): Step[] {
    const [commit, evict, tell] = this.write(tag) as [Step, Step, Step];
    return [evict, commit, tell];
  }
}

const explore = (begin: (world: World) => Step[][], options?: ConstructorParameters<typeof World>[0]) =>
  runAllOrders(() => {
    const world = new World(options);
    return { processes: begin(world), check: world.check };
  });

describe('stamps, over all interleavings of small models', () => {
  it('two fills and a write: nothing old is served after the write', () => {
    const { orders, violations } = explore((world) => [world.fill(), world.fill(), world.write('a')]);
    expect(orders).toBe(1_680);
    expect(violations).toEqual([]);
  });

  it('a fill and two writes that evict different tags', () => {
    const { orders, violations } = explore((world) => [world.fill(), world.write('a'), world.write('b')]);
    expect(orders).toBe(1_680);
    expect(violations).toEqual([]);
  });

  it('two fills, a write, and the loss of the whole state, which begins a new epoch', () => {
    const { orders, violations } = explore((world) => [
      world.fill(),
      world.fill(),
      world.write('a'),
      [() => (world.log = world.newLog()) as never],
    ]);
    expect(orders).toBe(16_800);
    expect(violations).toEqual([]);
  });

  it('a fill, two writes, and the loss of the whole state twice', () => {
    const lose =
      (world: World): Step =>
      () =>
        void (world.log = world.newLog());
    const { orders, violations } = explore((world) => [
      world.fill(),
      world.write('a'),
      world.write('b'),
      [lose(world), lose(world)],
    ]);
    expect(orders).toBe(92_400);
    expect(violations).toEqual([]);
  });

  it('two fills, a write, and evictions of so many others that stamps are dropped', () => {
    const { orders, violations } = explore(
      (world) => [
        world.fill(),
        world.fill(),
        world.write('a'),
        [() => void world.log.evict(['x', 'y', 'z'])],
      ],
      { maxTags: 2 },
    );
    expect(orders).toBe(16_800);
    expect(violations).toEqual([]);
  });

  it.each<[string, (world: World) => Step[][], ConstructorParameters<typeof World>[0]?]>([
    ['is not checked', (world) => [world.fill(), world.write('a')], { noCheck: true }],
    ['is noted after the handler', (world) => [world.fillThatNotesItsPositionLate(), world.write('a')]],
    ['is raised before the write', (world) => [world.fill(), world.writeThatEvictsFirst('a')]],
    [
      'is lost without a new epoch',
      (world) => [
        world.fill(),
        world.write('a'),
        [
          () => void (world.log = world.newLog(world.log.position.epoch)),
          () => void world.log.evict(['other']),
        ],
      ],
    ],
  ])('such a model finds the order that goes wrong where the stamp %s', (_case, begin, options) => {
    expect(explore(begin, options).violations).not.toEqual([]);
  });
});

const tag = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
const tags = fc.uniqueArray(tag, { maxLength: 4 });
const operation = fc.oneof(
  fc.record({ kind: fc.constant('evict' as const), tags }),
  fc.record({ kind: fc.constant('start' as const), tags }),
  fc.record({ kind: fc.constant('wait' as const), milliseconds: fc.integer({ min: 1, max: 50_000 }) }),
);

type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

describe('stamps, over any sequence of evictions', () => {
  /** Remembers every eviction, which the shipped log can't. */
  class FullLog {
    readonly evictions: string[][] = [];
    isCurrent(start: number, tags: readonly string[]): boolean {
      return !this.evictions.slice(start).some((evicted) => evicted.some((tag) => tags.includes(tag)));
    }
  }

  const play = (
    operations: readonly Operation[],
    maxTags: number,
    see: (given: { shipped: boolean; full: boolean; size: number }) => void,
  ): void => {
    const clock = new FakeClock();
    const log = new EvictionLog({ clock, maxTags });
    const full = new FullLog();
    const entries: { start: StampPosition; at: number; tags: readonly string[] }[] = [];
    for (const step of operations) {
      if (step.kind === 'wait') clock.advance(step.milliseconds);
      else if (step.kind === 'start')
        entries.push({ start: log.position, at: full.evictions.length, tags: step.tags });
      else {
        log.evict(step.tags);
        full.evictions.push([...step.tags]);
      }
      for (const { start, at, tags } of entries) {
        see({ shipped: log.isCurrent(start, tags), full: full.isCurrent(at, tags), size: log.size });
      }
    }
  };

  it('never take for current what a log that forgets nothing does not, and are never more than `maxTags`', () => {
    fc.assert(
      fc.property(
        fc.array(operation, { maxLength: 60 }),
        fc.integer({ min: 1, max: 5 }),
        (operations, maxTags) => {
          play(operations, maxTags, ({ shipped, full, size }) => {
            expect(size).toBeLessThanOrEqual(maxTags);
            expect(full || !shipped).toBe(true);
          });
        },
      ),
      { numRuns: 500 },
    );
  });

  it('are exact while none had to be dropped', () => {
    const brief = fc.array(
      operation.filter((step) => step.kind !== 'wait'),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(brief, (operations) => {
        play(operations, 100, ({ shipped, full }) => expect(shipped).toBe(full));
      }),
      { numRuns: 500 },
    );
  });

  it('are dropped when no entry can live that was started before them, which causes misses only', () => {
    const clock = new FakeClock();
    const log = new EvictionLog({ clock });
    log.expectLife(3_600_000);
    const before = log.position;
    log.evict(['a']);
    const after = log.position;
    clock.advance(3_600_000);
    log.evict(['b']);
    expect(log.size).toBe(2);
    expect(log.isCurrent(before, ['c'])).toBe(true);
    clock.advance(1);
    log.evict(['b']);
    expect(log.size).toBe(1);
    // Older than the floor now, whatever its tags are.
    expect(log.isCurrent(before, ['c'])).toBe(false);
    expect(log.isCurrent(before, ['a'])).toBe(false);
    expect(log.isCurrent(after, ['a'])).toBe(true);
  });

  it('of 1,000,000 tags, each evicted once, take the room of `maxTags`', () => {
    const log = new EvictionLog({ clock: new FakeClock(), maxTags: 1_000 });
    for (let n = 0; n < 1_000_000; n += 100) log.evict(Array.from({ length: 100 }, (_, at) => `t:${n + at}`));
    expect(log.size).toBe(1_000);
    expect(log.position.n).toBe(10_000);
    expect(log.isCurrent(log.position, ['t:0'])).toBe(true);
  });
});

import type { Ending, HistoryView, Instance } from './history-instance.js';
import type { HistoryWorld, Part, Versions } from './world.js';

/** What was done and seen, for the report. */
export interface HistoryCount {
  reads: number;
  hits: number;
  joined: number;
  evictions: number;
  acknowledged: number;
}

export function countAll(instances: readonly HistoryCount[]): HistoryCount {
  const sum = (field: keyof HistoryCount) => instances.reduce((total, each) => total + each[field], 0);
  return {
    reads: sum('reads'),
    hits: sum('hits'),
    joined: sum('joined'),
    evictions: sum('evictions'),
    acknowledged: sum('acknowledged'),
  };
}

/** An instance under the eyes of the world: what it was asked, and whether what it answered could be. */
export class JudgedInstance<T extends Instance = Instance> implements HistoryCount {
  /** What holds here at once: what it evicted itself, acknowledged or not, and what it found when it started. */
  readonly #applied: Versions;
  isOver = false;
  reads = 0;
  hits = 0;
  joined = 0;
  evictions = 0;
  acknowledged = 0;

  constructor(
    readonly name: string,
    private readonly world: HistoryWorld,
    readonly instance: T,
  ) {
    this.#applied = world.acknowledged;
  }

  /** Nothing that it still says counts: its process has ended. */
  end(): void {
    this.isOver = true;
  }

  /** Tells whether it was a hit. */
  async read(of: HistoryView, ending?: Ending): Promise<boolean> {
    const floor = this.world.floor(this.#applied);
    const { versions, by } = await this.instance.read(of, ending);
    const isHit = by === 'a hit';
    if (this.isOver) return isHit;
    this.reads++;
    if (isHit) this.hits++;
    if (by === 'a fill that it joined') this.joined++;
    this.world.judge(`${by} of ${this.name}`, versions, floor);
    return isHit;
  }

  async write(part: Part, pause: () => Promise<unknown>): Promise<void> {
    const { instance, world } = this;
    const version = world.write(part);
    await pause();
    if (this.isOver) return;
    if (instance.evictsAtOnce) this.#apply(part, version);
    const isAcknowledged = await instance.evict(part);
    this.evictions++;
    if (isAcknowledged) {
      this.acknowledged++;
      world.acknowledge(part, version);
    }
    this.#apply(part, version);
  }

  #apply(part: Part, version: number): void {
    this.#applied[part] = Math.max(this.#applied[part], version);
  }
}

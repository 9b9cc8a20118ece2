import type { Clock } from '../../../libs/caching/src/cache/clock.js';

/** What the application's data consists of. Each part has a tag of its name, and a version that only rises. */
export const PARTS = ['a', 'b', 'c', 'd'] as const;
export type Part = (typeof PARTS)[number];
export type Versions = Record<Part, number>;

export const NOTHING: Versions = { a: 0, b: 0, c: 0, d: 0 };

interface Acknowledged {
  readonly version: number;
  readonly at: number;
}

/**
 * The data behind several instances, and the checker of what they serve: it knows every acknowledged eviction, and when
 * it was acknowledged.
 */
export class HistoryWorld {
  readonly data: Versions = { ...NOTHING };
  readonly violations: string[] = [];
  /** Newest versions whose eviction was acknowledged. */
  readonly #acknowledged: Versions = { ...NOTHING };
  /** Those that every instance has to know by now. */
  readonly #due: Versions = { ...NOTHING };
  readonly #recent: Record<Part, Acknowledged[]> = { a: [], b: [], c: [], d: [] };

  /**
   * @param bound milliseconds after which an acknowledged eviction holds on instances that did not make it; 0 where it
   *   holds at once
   */
  constructor(
    private readonly clock: Clock,
    private readonly bound: number,
  ) {}

  get acknowledged(): Versions {
    return { ...this.#acknowledged };
  }

  read(parts: readonly Part[]): Partial<Versions> {
    return Object.fromEntries(parts.map((part) => [part, this.data[part]]));
  }

  write(part: Part): number {
    return ++this.data[part];
  }

  acknowledge(part: Part, version: number): void {
    this.#acknowledged[part] = Math.max(this.#acknowledged[part], version);
    if (this.bound > 0) this.#recent[part].push({ version, at: this.clock.now() });
  }

  /**
   * What a read that starts now has to see at least.
   *
   * @param applied what holds at once on the instance that is asked
   */
  floor(applied: Versions): Versions {
    const due = this.bound === 0 ? this.#acknowledged : this.#dueNow();
    const floor = { ...NOTHING };
    for (const part of PARTS) floor[part] = Math.max(due[part], applied[part]);
    return floor;
  }

  /** Notes where a read got something older than it had to see when it started. */
  judge(who: string, seen: Partial<Versions>, floor: Versions): void {
    for (const part of PARTS) {
      const version = seen[part];
      if (version === undefined || version >= floor[part]) continue;
      this.violations.push(`stale: ${who} served ${part}${version} where ${part}${floor[part]} was due`);
    }
  }

  #dueNow(): Versions {
    const now = this.clock.now();
    for (const part of PARTS) {
      const recent = this.#recent[part];
      while (recent[0] !== undefined && recent[0].at + this.bound < now) {
        this.#due[part] = Math.max(this.#due[part], recent[0].version);
        recent.shift();
      }
    }
    return this.#due;
  }
}

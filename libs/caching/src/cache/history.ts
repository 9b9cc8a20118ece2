import { RecentMap } from '../recent-map.js';
import type { Clock } from './clock.js';
import type { SkipReason } from './reasons.js';

/** Who evicted. */
export interface EvictionSource {
  /** `elsewhere`: another instance, of which only the tags are heard. */
  readonly via: 'decorator' | 'auto-evict' | 'service' | 'dashboard' | 'elsewhere';
  /** The handler whose success evicted. */
  readonly route?: string;
}

/** An eviction that is remembered. */
export interface PastEviction {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The first of them. */
  readonly tags: readonly string[];
  /** How many there were. */
  readonly count: number;
  readonly by: EvictionSource;
}

/** What became of the last fill of a key. */
export interface PastFill {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly outcome: 'stored' | SkipReason;
}

const MAX_EVICTIONS = 256;
const MAX_TAGS_EACH = 64;
/** At least as many are remembered, and at most twice. */
const FILLS = 1_000;

/**
 * What happened lately, so that it can be explained: a bounded number of evictions and, by key, what became of fills.
 * Nothing is noted on hits.
 */
export class History {
  readonly #evictions: PastEviction[] = [];
  readonly #fills = new RecentMap<PastFill>(FILLS);

  constructor(private readonly clock: Clock) {}

  evicted(tags: readonly string[], by: EvictionSource): void {
    if (this.#evictions.length === MAX_EVICTIONS) this.#evictions.shift();
    this.#evictions.push({
      at: this.clock.now(),
      tags: tags.slice(0, MAX_TAGS_EACH),
      count: tags.length,
      by,
    });
  }

  filled(key: string, outcome: PastFill['outcome']): void {
    this.#fills.set(key, { at: this.clock.now(), outcome });
  }

  /** The last eviction of anything among `tags`, and by which of them. */
  lastEvictionOf(
    tags: Iterable<string>,
  ): (PastEviction & { readonly matched: readonly string[] }) | undefined {
    const wanted = new Set(tags);
    for (let at = this.#evictions.length - 1; at >= 0; at--) {
      const eviction = this.#evictions[at] as PastEviction;
      const matched = eviction.tags.filter((tag) => wanted.has(tag));
      if (matched.length > 0) return { ...eviction, matched };
    }
    return undefined;
  }

  lastFillOf(key: string): PastFill | undefined {
    return this.#fills.get(key);
  }

  /** The last ones, newest first. */
  evictions(limit: number): readonly PastEviction[] {
    return this.#evictions.slice(-limit).toReversed();
  }
}

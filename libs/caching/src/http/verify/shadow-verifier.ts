import type { Clock } from '../../cache/clock.js';
import { describe } from '../../caching.errors.js';
import { type Entry, isEntry } from '../../cache/entry.js';
import type { ViewCache } from '../../cache/view-cache.js';
import type { CacheEvents } from '../../observe/events.js';
import type { DispatchOutcome } from '../background/dispatch.js';
import type { Redispatcher } from '../background/redispatch.js';
import { copyRequest } from '../background/request-copy.js';
import type { Exchange, RequestObserver } from '../delivery.js';
import { listOf } from '../header-diff.js';
import type { ViewPolicy } from '../route-policy.js';
import { storedField } from '../selected-answer.js';
import { differences } from './difference.js';

/** How many hits are verified at a time; of those that come meanwhile none is. */
const MAX_RUNNING = 2;

/**
 * A write commits before it evicts: what differs is looked at again after this time, in milliseconds, whether an
 * eviction has come that explains it. Longer than evictions by other instances may go unnoticed.
 */
export const GRACE = 2_000;

/** One warning for each route in this time, in milliseconds: a forgotten eviction shows with each hit. */
const REST = 60_000;

/** Tags that a warning names. */
const MAX_TAGS = 10;

export interface ShadowVerifierHost {
  /** The share of hits that are verified, 0 to 1. */
  readonly share: number;
  readonly cache: ViewCache;
  readonly background: Pick<Redispatcher, 'run' | 'hasRoom'>;
  readonly clock: Clock;
  readonly events: CacheEvents;
  readonly warn: (message: string) => void;
  /** Default `Math.random`. */
  readonly random?: () => number;
}

/**
 * Runs the handler for a share of the hits, off the client's path, and compares what it says with what was served:
 * where they differ though nothing was evicted, an eviction was forgotten, or the key lacks something.
 */
export class ShadowVerifier implements Pick<RequestObserver, 'onHit'> {
  readonly #host: ShadowVerifierHost;
  readonly #random: () => number;
  #running = 0;
  /** When each route was warned of: as many as the application has routes. */
  readonly #warnedAt = new Map<string, number>();

  constructor(host: ShadowVerifierHost) {
    this.#host = host;
    this.#random = host.random ?? Math.random;
  }

  /** Verifies the hit, or does not, as chance has it. Never waits, never throws. */
  onHit(policy: ViewPolicy, exchange: Exchange, entry: Entry): void {
    const { share, background, events } = this.#host;
    // Other methods may change something.
    if (policy.method !== 'GET' || this.#running >= MAX_RUNNING || this.#random() >= share) return;
    if (!background.hasRoom) return;
    const varied = listOf(storedField(entry.response, 'vary'));
    const request = copyRequest(policy, exchange.request, varied);
    if (request === undefined) return;
    const trace = exchange.trace ?? events.begin(policy.route);
    this.#running++;
    // What is asked for is the stored response, whichever way the client asked for it.
    void background
      .run({ ...request, method: 'GET' }, { purpose: 'verify', key: entry.key })
      .then((outcome) => this.#judge(entry, outcome))
      .then((found) => {
        if (typeof found === 'string') trace?.verified(found);
        else {
          const tags = ownTags(entry);
          trace?.verified('different', found, tags);
          this.#warn(policy.route, found, tags);
        }
      })
      .finally(() => this.#running--);
  }

  async #judge(
    entry: Entry,
    outcome: DispatchOutcome,
  ): Promise<'same' | 'superseded' | 'unknown' | readonly string[]> {
    // Of a response that is not stored nothing can be said: the handler may have failed.
    if (outcome.result !== 'recorded') return 'unknown';
    const found = differences(entry.response, outcome.response);
    if (found.length === 0) return 'same';
    await new Promise<void>((resolve) => this.#host.clock.after(GRACE, resolve));
    return (await this.#isSuperseded(entry)) ? 'superseded' : found;
  }

  /** Evicted, or filled anew by another request. */
  async #isSuperseded(entry: Entry): Promise<boolean> {
    const { cache } = this.#host;
    if (!cache.isCurrent(entry.start, entry.tags)) return true;
    const found = await cache.lookup(entry.key);
    const present = isEntry(found) ? found : found.stale;
    // It may have taken an answer of the shared tier to know.
    return (
      !cache.isCurrent(entry.start, entry.tags) ||
      (present !== undefined && present.storedAt !== entry.storedAt)
    );
  }

  #warn(route: string, paths: readonly string[], tags: readonly string[]): void {
    const { clock, warn } = this.#host;
    const now = clock.now();
    const last = this.#warnedAt.get(route);
    if (last !== undefined && now - last >= 0 && now - last < REST) return;
    this.#warnedAt.set(route, now);
    // They may be made of what clients send.
    const named = tags.slice(0, MAX_TAGS).map(describe).join(', ');
    const more = tags.length > MAX_TAGS ? ` and ${tags.length - MAX_TAGS} more` : '';
    const carried = tags.length === 0 ? 'no tags' : `the tags ${named}${more}`;
    warn(
      `${route}: a response that was served from the cache is not what its handler says now. It differs in ` +
        `${paths.join(', ')}; it carried ${carried}, and nothing has evicted it. Evict it where that data changes, or ` +
        `add to its key what it depends on.`,
    );
  }
}

/** Tags that the application gave, as it gave them. */
function ownTags({ tags }: Entry): readonly string[] {
  return tags.filter((tag) => tag.startsWith('t:')).map((tag) => tag.slice(2));
}

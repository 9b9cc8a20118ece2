import type { Clock } from '../../../libs/caching/src/cache/clock.js';
import { isEntry, type StoredResponse } from '../../../libs/caching/src/cache/entry.js';
import type { StampPosition } from '../../../libs/caching/src/cache/stamps.js';
import type { Fill, ViewKey } from '../../../libs/caching/src/cache/fill.js';
import { type Ticket, ViewCache } from '../../../libs/caching/src/cache/view-cache.js';
import { CacheEvents } from '../../../libs/caching/src/observe/events.js';
import { memory } from '../../../libs/caching/src/stores/memory.store.js';
import type { SharedTier } from '../../../libs/caching/src/stores/shared-tier.js';
import { type Coherence, TieredStore } from '../../../libs/caching/src/stores/tiered.store.js';
import { type Defect, trustLocal } from './defects.js';
import type { Part, Versions } from './world.js';

/** A tag that every view carries. */
const EVERYTHING = 'everything';

/** A view of parts of the data. The tag of the first is the route's; those of the others are added by the handler. */
export interface HistoryView extends ViewKey {
  readonly parts: readonly [Part, ...Part[]];
  /** One fill among all instances. */
  readonly claims?: boolean;
}

export function view(...parts: [Part, ...Part[]]): HistoryView {
  return { route: `Books.${parts.join('')}`, key: `key ${parts.join('')}`, parts };
}

/** How a handler's run ends. */
export const ENDINGS = ['store', 'share', 'reject', 'abort'] as const;
export type Ending = (typeof ENDINGS)[number];

/** What a read got, and from where. */
export interface Seen {
  readonly versions: Partial<Versions>;
  readonly by: 'a hit' | 'a fill' | 'a fill that it joined' | 'a claim';
}

/** An instance as its clients see it, in this process or another. */
export interface Instance {
  /** Whether an eviction holds there as soon as it was asked for, or as soon as that has come back. */
  readonly evictsAtOnce: boolean;
  read(of: HistoryView, ending?: Ending): Promise<Seen>;
  /** Tells whether it was acknowledged. */
  evict(part: Part): Promise<boolean>;
}

export interface HistoryInstanceOptions {
  readonly tier: SharedTier;
  readonly clock: Clock;
  readonly coherence: Coherence;
  readonly heartbeat: number;
  readonly storeTimeout: number;
  readonly coalesceTimeout: number;
  readonly life: number;
  /** What the database says now. */
  readonly query: (parts: readonly Part[]) => Partial<Versions> | Promise<Partial<Versions>>;
  /** Something that takes its time. */
  readonly pause: (what: string) => Promise<void>;
  readonly defect?: Defect | undefined;
}

/** One instance of an application: the shipped engine and store, driven as the interceptor does. */
export class HistoryInstance implements Instance {
  readonly evictsAtOnce = true;
  readonly #options: HistoryInstanceOptions;
  readonly #cache: ViewCache;
  readonly #store: TieredStore;

  constructor(options: HistoryInstanceOptions) {
    const { tier, clock, coherence, heartbeat, storeTimeout, coalesceTimeout, life, defect } = options;
    this.#options = options;
    const local = memory({ clock, maxEntries: 100 });
    this.#store = new TieredStore({
      tier,
      local,
      clock,
      namespace: 'history',
      coherence,
      heartbeat,
      timeout: storeTimeout,
      longestLife: () => life,
      maxEntryBytes: () => 1_000_000,
      everything: EVERYTHING,
      // Failures are what a history is made of.
      onError: () => undefined,
      onCaveat: () => undefined,
    });
    this.#store.open();
    if (defect === 'trusted memory') trustLocal(this.#store, local);
    const events = new CacheEvents((error) => {
      throw new Error('a listener failed', { cause: error });
    }, clock);
    this.#cache = new ViewCache({
      store: this.#store,
      clock,
      events,
      storeTimeout,
      coalesceTimeout,
      onStoreFailure: 'queue',
    });
  }

  async end(): Promise<void> {
    await this.#store.close();
  }

  async evict(part: Part): Promise<boolean> {
    return (await this.#cache.evict([part])).acknowledged;
  }

  async read(of: HistoryView, ending: Ending = 'store'): Promise<Seen> {
    const found = await this.#cache.lookup(of.key);
    return isEntry(found) ? { versions: parse(found.response), by: 'a hit' } : this.#miss(of, found, ending);
  }

  /** Runs the handler whatever is stored, and replaces that. */
  async refresh(of: HistoryView, ending: Ending = 'store'): Promise<void> {
    await this.#fill(of, this.#cache.alone(of, tagsOf(of)).fill, ending);
  }

  async #miss(of: HistoryView, start: StampPosition, ending: Ending): Promise<Seen> {
    if (this.#options.defect === 'late start') return this.#fillFirst(of);
    return this.#follow(of, this.#cache.join(of, start, tagsOf(of)), ending);
  }

  async #follow(of: HistoryView, ticket: Ticket, ending: Ending): Promise<Seen> {
    if (ticket.role === 'fill') {
      const claimed =
        of.claims === true && ticket.fill.leads ? await this.#cache.claim(ticket.fill) : undefined;
      return claimed === undefined
        ? this.#fill(of, ticket.fill, ending)
        : { versions: parse(claimed.response), by: 'a claim' };
    }
    const outcome = await ticket.outcome;
    if (typeof outcome !== 'string')
      return { versions: parse(outcome.response), by: 'a fill that it joined' };
    const tags = tagsOf(of);
    const next = outcome === 'alone' ? this.#cache.alone(of, tags) : this.#cache.rejoin(of, tags);
    return this.#follow(of, next, ending);
  }

  /** Reads the database at one moment, and says only later what else the response depends on. */
  async #fill(of: HistoryView, fill: Fill, ending: Ending): Promise<Seen> {
    const { query, pause, life } = this.#options;
    await pause('query');
    const versions = await query(of.parts);
    await pause('tag');
    for (const part of of.parts.slice(1)) fill.addTag(part);
    await pause(ending);
    if (ending === 'store') fill.store(print(versions), life);
    else if (ending === 'share') fill.share(print(versions));
    else if (ending === 'reject') fill.reject();
    else fill.abort();
    return { versions, by: 'a fill' };
  }

  /** The defect of an engine that notes where a fill starts after its handler. */
  async #fillFirst(of: HistoryView): Promise<Seen> {
    const { query, pause, life } = this.#options;
    const versions = await query(of.parts);
    await pause('answer');
    this.#cache.alone(of, [...of.parts, EVERYTHING]).fill.store(print(versions), life);
    return { versions, by: 'a fill' };
  }
}

function tagsOf(of: HistoryView): string[] {
  return [of.parts[0], EVERYTHING];
}

function print(versions: Partial<Versions>): StoredResponse {
  const body = Buffer.from(JSON.stringify(versions));
  return { status: 200, headers: [], removed: [], body, delivery: 'framework' };
}

function parse({ body }: StoredResponse): Partial<Versions> {
  return JSON.parse(String(body)) as Partial<Versions>;
}

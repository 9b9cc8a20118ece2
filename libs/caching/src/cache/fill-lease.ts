import { randomUUID } from 'node:crypto';
import type { CacheStore } from '../stores/store.js';
import type { BackgroundWork } from './background-work.js';
import { type Clock, elapsed } from './clock.js';
import { type Entry, isEntry } from './entry.js';
import type { StoreGuard } from './guard.js';
import { chain, type MaybePromise } from './maybe-promise.js';
import type { StampPosition } from './stamps.js';

/** What a look-up finds: an entry, or that there are none but under keys of their variants. */
export type Found = Entry | (StampPosition & { readonly vary?: readonly string[] });

/** There are responses of the key, told apart by these request fields. */
export interface Varied {
  readonly variedBy: readonly string[];
}

/**
 * What whoever asked for a lease has to do: fill with it, fill without it, take what another has filled, or ask for
 * the variant of its own.
 */
export type Claim = { readonly token: string } | 'without' | Entry | Varied;

export interface FillLeaseOptions {
  readonly store: CacheStore;
  readonly guard: StoreGuard;
  readonly clock: Clock;
  /** How long a fill may keep its lease, and how long others wait for its holder, in milliseconds. */
  readonly timeout: number;
  readonly lookup: (key: string, spent: number) => MaybePromise<Found>;
  /** As `lookup`, past what only this process holds. */
  readonly newest: (key: string, spent: number) => MaybePromise<Found>;
  /** Where giving a lease back goes on. */
  readonly background: BackgroundWork;
  /** Default `Math.random`. */
  readonly random?: () => number;
}

/** How long a lease lasts that its holder renews: others wait no longer for one that is lost. Milliseconds. */
export const RENEWED_LEASE = 5_000;

/** How often it is renewed in that time: one that is late or lost ends no lease. */
const RENEWALS = 3;

/** Milliseconds after which a lease that could not be given back is tried again. */
const RETRY = 500;

/** Leases that wait to be given back; of more, the rest end by themselves. */
const MAX_UNRETURNED = 1_000;

/** Milliseconds between two looks for what another instance fills: short at first, as most fills are. */
const WAIT = { shortest: 10, longest: 250, growth: 1.5 } as const;

/** A lease that could not be given back. */
interface Unreturned {
  readonly key: string;
  readonly token: string;
  readonly uncacheableFor: number | undefined;
  /** When it has ended by itself, by the clock of durations. */
  readonly end: number;
}

/**
 * One fill per key among all instances of a store. A holder that is lost blocks nobody for longer than its lease, which
 * is short where holders can renew it, a store that is lost nobody at all.
 */
export class FillLease {
  readonly #options: FillLeaseOptions;
  readonly #unreturned = new Set<Unreturned>();
  #isReturning = false;
  #isClosed = false;
  /** Tokens of leases that may be granted at any time yet: a server that stood still does then what it was asked for. */
  readonly #unsure = new Set<string>();
  /** By token, the next renewal of those that are held. */
  readonly #renewals = new Map<string, () => void>();

  constructor(options: FillLeaseOptions) {
    this.#options = options;
  }

  /**
   * @param spent milliseconds that the same request has waited for the store already; a pause begins a new budget
   * @param known what is to be renewed though it is fresh: only what was stored later is taken instead
   */
  async claim(key: string, spent: number, known?: Entry): Promise<Claim> {
    const { store, guard, clock, timeout, random = Math.random } = this.#options;
    const token = randomUUID();
    const life = store.renew === undefined ? timeout : Math.min(RENEWED_LEASE, timeout);
    const deadline = elapsed(clock) + timeout;
    let budgetFrom = elapsed(clock) - spent;
    let wait: number = WAIT.shortest;
    for (;;) {
      const lease = await guard.tolerate(
        'lease',
        () => store.lease?.(key, token, life) ?? 'uncacheable',
        () => 'unknown' as const,
        elapsed(clock) - budgetFrom,
      );
      if (lease === 'uncacheable') return 'without';
      // It may have been granted, the answer late or lost: then the end of the fill gives it back.
      if (lease === 'unknown') {
        if (this.#unsure.size < MAX_UNRETURNED) this.#unsure.add(token);
        return this.#held(key, token, timeout);
      }
      // Whoever held it before may have filled since the last look, so there is another, also with the lease in hand.
      const found = await this.#look(key, elapsed(clock) - budgetFrom, known);
      if (isEntry(found) || found.vary !== undefined) {
        if (lease === 'ours') this.release(key, token);
        return isEntry(found) ? found : { variedBy: found.vary ?? [] };
      }
      if (lease === 'ours') return this.#held(key, token, timeout);
      if (elapsed(clock) >= deadline) return 'without';
      // Jitter, so that those who wait don't all ask at once.
      await this.#pause(wait * (0.5 + random() / 2));
      wait = Math.min(wait * WAIT.growth, WAIT.longest);
      budgetFrom = elapsed(clock);
    }
  }

  async #look(key: string, spent: number, known: Entry | undefined): Promise<Found> {
    const { lookup, newest, store } = this.#options;
    if (known === undefined) return lookup(key, spent);
    const found = await newest(key, spent);
    return isEntry(found) && found.storedAt <= known.storedAt ? store.position : found;
  }

  /** Lets the next one fill, or all of them run their own handlers for `uncacheableFor` milliseconds. */
  release(key: string, token: string, uncacheableFor?: number): void {
    this.#renewals.get(token)?.();
    this.#renewals.delete(token);
    // Off the response path.
    this.#options.background.add(this.#giveBack(key, token, uncacheableFor));
  }

  #held(key: string, token: string, longest: number): { readonly token: string } {
    if (this.#options.store.renew !== undefined && longest > RENEWED_LEASE)
      this.#renewLater(key, token, elapsed(this.#options.clock) + longest);
    return { token };
  }

  /** Until it is given back, but not past `end`: a handler that never ends keeps nobody from running another. */
  #renewLater(key: string, token: string, end: number): void {
    const { store, guard, clock, background } = this.#options;
    const cancel = clock.after(RENEWED_LEASE / RENEWALS, () => {
      const left = end - elapsed(clock);
      this.#renewals.delete(token);
      if (left <= 0) return;
      this.#renewLater(key, token, end);
      const renewing = guard.tolerate(
        'renew',
        () => store.renew?.(key, token, Math.min(RENEWED_LEASE, left)),
        () => undefined,
      );
      background.add(renewing);
    });
    this.#renewals.set(token, cancel);
  }

  /** No lease is given back any more. */
  close(): void {
    this.#isClosed = true;
    this.#unreturned.clear();
  }

  async #giveBack(key: string, token: string, uncacheableFor?: number): Promise<void> {
    const { clock, timeout, background } = this.#options;
    const isUnsure = this.#unsure.delete(token);
    const end = isUnsure ? Number.POSITIVE_INFINITY : elapsed(clock) + timeout;
    const lease: Unreturned = { key, token, uncacheableFor, end };
    if ((await this.#isReturned(lease)) || this.#isClosed || this.#unreturned.size >= MAX_UNRETURNED) return;
    this.#unreturned.add(lease);
    if (!this.#isReturning) background.add(this.#returnAll());
  }

  /** One after the other until one fails, as that shows whether the store can be reached. */
  async #returnAll(): Promise<void> {
    this.#isReturning = true;
    while (this.#unreturned.size > 0) {
      await this.#pause(RETRY);
      for (const lease of this.#unreturned) {
        const isOver = lease.end <= elapsed(this.#options.clock);
        const isReturned = isOver || (await this.#isReturned(lease));
        const wasWaiting = this.#unreturned.delete(lease);
        if (isReturned) continue;
        // Another is the next to be tried: it may lie where the store can be reached.
        if (wasWaiting) this.#unreturned.add(lease);
        break;
      }
    }
    this.#isReturning = false;
  }

  #isReturned({ key, token, uncacheableFor }: Unreturned): MaybePromise<boolean> {
    const { store, guard } = this.#options;
    return guard.tolerate(
      'release',
      () => chain(store.release?.(key, token, uncacheableFor), () => true),
      () => false,
    );
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.#options.clock.after(milliseconds, resolve));
  }
}

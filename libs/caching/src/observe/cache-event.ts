import type { BypassReason, SkipReason } from '../cache/reasons.js';

/** Where an entry was found: in this process or a store of the application's own, or in the tier that is shared. */
export type CacheTier = 'local' | 'shared';

/** Why an entry answered that was not fresh any more. */
export type StaleReason =
  /** While another request, or one in the background, fetches a new response (RFC 5861 §3). */
  | 'while-revalidate'
  /** The handler failed (RFC 5861 §4). */
  | 'if-error'
  /** The handler has not answered within `softTimeout`. */
  | 'timeout'
  /** The client accepts it: `Cache-Control: max-stale`. */
  | 'request';

/** Why a handler ran though there may have been an entry. */
export type RefreshReason =
  /** The route's `refresh` callback said so. */
  | 'callback'
  /** `Cache-Control` of the request, where the route honours it. */
  | 'request'
  /** In the background, as the entry had become stale. */
  | 'stale'
  /** In the background, before anybody asked. */
  | 'warm';

/** What became of a refresh. */
export type RefreshOutcome =
  | 'started'
  /** There is a new response in place of the old one. */
  | 'stored'
  /** The old one is as good as new, as the route's `validator` said. */
  | 'renewed'
  /** The response was not stored; the `skipped` event says why. */
  | 'skipped'
  /** Its key was another one, or it was 401 or 403: what is stored stays. */
  | 'dropped'
  | 'failed';

/** The request that an event belongs to: the same object in all events of one request. */
export interface RequestRef {
  /** Counted from 1, in each process. */
  readonly id: number;
  /**
   * What stands for the key, so that requests for the same entry can be told from others. It holds for this process
   * only, as it can't be made from a key alone. Nothing where the key is not known. Worked out when it is read.
   */
  readonly keyDigest: string | undefined;
}

interface Happened {
  /** When, in milliseconds since the epoch. */
  readonly at: number;
}

interface OfRoute extends Happened {
  /** `BooksController.list`. */
  readonly route: string;
  readonly request: RequestRef;
  /** Since the cache was given the request, in milliseconds. */
  readonly durationMs: number;
}

/** A response that came from an entry. */
interface FromEntry extends OfRoute {
  readonly tier: CacheTier;
  readonly status: number;
  /** Of the body. */
  readonly bytes: number;
  /** Since it was stored, in milliseconds. */
  readonly ageMs: number;
  /** What the handler took when the entry was filled, in milliseconds; nothing where that is not known. */
  readonly savedMs: number | undefined;
}

/** The store was asked. */
export interface LookupEvent extends OfRoute {
  readonly type: 'lookup';
  readonly found: 'fresh' | 'stale' | 'nothing';
  /** Where it was found. */
  readonly tier: CacheTier | undefined;
  /** `shared` where the answer had to be waited for. */
  readonly asked: CacheTier;
  /** What the question alone took, in milliseconds. */
  readonly lookupMs: number;
}

/** Answered with a stored response. */
export interface HitEvent extends FromEntry {
  readonly type: 'hit';
  /** It was not fresh enough, and is fresh again, as the route's `validator` said that it holds. */
  readonly reason: 'renewed' | undefined;
}

/** Answered with a stored response that was not fresh any more. */
export interface StaleEvent extends FromEntry {
  readonly type: 'stale';
  readonly reason: StaleReason;
}

/** Nothing stored that could answer by itself. What does in the end, another event tells. */
export interface MissEvent extends OfRoute {
  readonly type: 'miss';
  readonly reason: 'absent' | 'stale';
}

/** Nothing stored is sent: the handler answers, or the error that came of the request does. */
export interface HandledEvent extends OfRoute {
  readonly type: 'handled';
  /** Of its `miss`, or of its `refresh`. */
  readonly reason: MissEvent['reason'] | 'callback' | 'request';
}

/** Waited for another request's fill, maybe that of another instance, and was given its response. */
export interface CoalescedEvent extends OfRoute {
  readonly type: 'coalesced';
  /** Why it had to. */
  readonly reason: MissEvent['reason'];
  readonly status: number;
  readonly bytes: number;
  /** What the handler took for the request that ran it, in milliseconds. */
  readonly savedMs: number | undefined;
}

/** A response is kept: the handler's, or what was stored before, which a validator has renewed. */
export interface StoredEvent extends OfRoute {
  readonly type: 'stored';
  readonly status: number;
  readonly bytes: number;
  /** For how long it is fresh. */
  readonly ttlMs: number;
  readonly tags: number;
  /** Nothing where no handler ran. */
  readonly handlerMs: number | undefined;
  /** What it took to store it, which no request waits for, in milliseconds. */
  readonly storeMs: number;
}

/** The handler ran and its response is not kept. */
export interface SkippedEvent extends OfRoute {
  readonly type: 'skipped';
  readonly reason: SkipReason;
  /** Nothing where there was no response. */
  readonly status: number | undefined;
  readonly handlerMs: number;
}

/** Neither read nor written. */
export interface BypassedEvent extends OfRoute {
  readonly type: 'bypassed';
  readonly reason: BypassReason;
}

/** A handler runs, or a validator is asked, though nobody missed, or has. */
export interface RefreshEvent extends OfRoute {
  readonly type: 'refresh';
  readonly reason: RefreshReason;
  readonly outcome: RefreshOutcome;
}

/** A hit was compared with what the handler says now, which no client waited for. */
export interface VerifiedEvent extends OfRoute {
  readonly type: 'verified';
  /**
   * `superseded`: they differ, and it was evicted or filled anew meanwhile. `unknown`: the handler's response is none that
   * would be stored, or it did not run.
   */
  readonly outcome: 'same' | 'different' | 'superseded' | 'unknown';
  /** Where they differ: `status`, `headers.vary`, `body`, or paths such as `$.books[3].price`. 20 at the most. */
  readonly differences: readonly string[];
  /** The tags that the application gave the entry, where they differ. */
  readonly tags: readonly string[];
}

/** Somebody evicted by tags, which every eviction comes to; or memory was full. */
export type EvictedEvent =
  | (Happened & {
      readonly type: 'evicted';
      readonly cause: 'tags';
      /** How many were named. */
      readonly tags: number;
      /** What carries them is stale rather than gone. */
      readonly soft: boolean;
      /** False: a shared store could not be told yet, and will be. */
      readonly acknowledged: boolean;
      /** Until the store acknowledged it or could not, in milliseconds. */
      readonly evictMs: number;
    })
  | (Happened & {
      readonly type: 'evicted';
      /** There was no room for it beside newer ones. */
      readonly cause: 'capacity';
      readonly bytes: number;
    });

/** The store failed, or did not answer in time. */
export interface StoreErrorEvent extends Happened {
  readonly type: 'storeError';
  /** What was asked of it, such as `lookup`, `set`, `evict` or `sync`. */
  readonly operation: string;
  readonly error: unknown;
}

/** A circuit breaker of the store: `open`, operations fail at once, as no answer can be expected. */
export interface BreakerEvent extends Happened {
  readonly type: 'breaker';
  readonly store: string;
  readonly state: 'open' | 'closed';
  /** How many are open now. A cluster has one for each of its servers. */
  readonly open: number;
}

/** What this instance knows of evictions by others. */
export type CoherenceEvent =
  /** It has asked what was evicted. */
  | (Happened & {
      readonly type: 'coherence';
      readonly change: 'synchronized';
      /** For how long evictions by others may have gone unnoticed until now, in milliseconds; nothing the first time. */
      readonly lagMs: number | undefined;
      /** Tags that had been evicted without its hearing of it; `'all'` where that is not known. */
      readonly missed: number | 'all';
    })
  | (Happened & {
      readonly type: 'coherence';
      /**
       * `gap`: a message was missed. `deaf`: the subscription is down, and each hit is asked for, until it `hears` again.
       */
      readonly change: 'gap' | 'deaf' | 'hears';
    });

/**
 * What the cache did, as one union. A request that is not in the background ends in one of `hit`, `stale`, `coalesced`,
 * `handled` and `bypassed`, once. No bodies, no keys, no credentials: events are safe to log. What `type` and
 * reasons there are is closed, and `route` is one of the application's, so that they can be labels of metrics.
 */
export type CacheEvent =
  | LookupEvent
  | HitEvent
  | StaleEvent
  | MissEvent
  | HandledEvent
  | CoalescedEvent
  | StoredEvent
  | SkippedEvent
  | BypassedEvent
  | RefreshEvent
  | VerifiedEvent
  | EvictedEvent
  | StoreErrorEvent
  | BreakerEvent
  | CoherenceEvent;

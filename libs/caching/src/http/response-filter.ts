import { isPromiseLike } from '../cache/maybe-promise.js';
import type { SkipReason } from '../cache/reasons.js';
import type { Variant } from '../cache/variants.js';
import { CacheCallbackError, describe } from '../caching.errors.js';
import type { HeaderBag } from './header-diff.js';
import { type FreshnessPolicy, lifeOf, type LifeRefusal, type StoredLife } from './semantics/freshness.js';
import { parseVary, UNSEEN_BY_HANDLERS } from './semantics/vary.js';

/** What a response filter callback sees: what is about to be sent, not what the handler returned. */
export interface FilteredResponse {
  readonly status: number;
  /** All fields of the response, by lower-case name. */
  readonly headers: HeaderBag;
  /**
   * The body before any content coding; empty where there is none. These are the bytes that are stored and sent: to be
   * read and kept, never to be written to.
   */
  readonly body: Buffer;
}

/** True keeps the response. */
export type ResponseFilter = (response: FilteredResponse) => boolean;

/** What the route says about what is kept of its responses. */
interface FilteringPolicy {
  readonly route: string;
  readonly filter: ResponseFilter | undefined;
}

/**
 * Whether the route's own filter keeps a response.
 *
 * @throws CacheCallbackError where the filter throws or returns no boolean
 */
export function passesFilter({ filter, route }: FilteringPolicy, response: FilteredResponse): boolean {
  if (filter === undefined) return true;
  let kept: unknown;
  try {
    kept = filter(response);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw new CacheCallbackError('filter', route, `failed: ${problem}`, { cause: error });
  }
  if (typeof kept === 'boolean') return kept;
  // It is refused below; its own failure, which nobody waits for, must not end the process.
  if (isPromiseLike(kept)) kept.then(undefined, () => undefined);
  throw new CacheCallbackError('filter', route, `returned ${describe(kept)}; allowed: true or false`);
}

/** What the route says about storing. */
export interface StoringPolicy {
  /** Milliseconds to live, by status; a status that is not here is not stored. */
  readonly statuses: ReadonlyMap<number, number>;
  /** Who says how long a response lives, and the route's part of it beside the time by status. */
  readonly freshness: Omit<FreshnessPolicy, 'ttl'>;
  /** Lower-case names of the request headers that the key covers. */
  readonly keyedHeaders: ReadonlySet<string>;
  /** Lower-case names in the handler's own `@Header('Vary', …)`, which Nest sets before the handler runs. */
  readonly declaredVary: ReadonlySet<string>;
}

/** What is known of the response when its head is about to be sent. */
export interface ResponseHead {
  readonly status: number;
  /** All of its fields by lower-case name, middleware's included. */
  readonly headers: HeaderBag;
  /** `Vary` members that were there before the handler ran: they are middleware's, which varies hits as well. */
  readonly varyBefore: readonly string[];
  /** Whether a `Set-Cookie` came since the handler started. */
  readonly cookieAdded: boolean;
  /** When its handler was started, and now, in milliseconds since the epoch. */
  readonly requestedAt: number;
  readonly receivedAt: number;
  /** What it is, where it varies on more than the key covers. `undefined` where requests can't be told apart by that. */
  readonly variantBy: (names: readonly string[]) => Variant | undefined;
  /** RFC 9111 §3.5 counts: the request had `Authorization`, and the response is to say that it may be shared. */
  readonly isAuthorized: boolean;
}

/** What the handler said through `CacheContext`, and its client about storing. */
export interface HandlerWish {
  readonly refusal: SkipReason | undefined;
  readonly ttl: number | undefined;
  /** What was said before it ran of the state of its data: only by that can what must be asked about be used again. */
  readonly validator: string | undefined;
}

export type StoringVerdict = (
  { readonly store: true; readonly life: StoredLife } | { readonly store: false; readonly reason: SkipReason }
) & {
  /** Where it is not for all requests of its key, which those who wait have to know of what is not stored, too. */
  readonly variant?: Variant | undefined;
};

/** Of those of a response's own reasons that don't make it its own client's: an error may have no life at all. */
const SHAREABLE: ReadonlySet<LifeRefusal> = new Set(['stale']);

/** Of a status that is not stored nobody asks how long; what else forbids storing it has to be known all the same. */
const ANY_TTL = 1;

/**
 * May a response with this head be stored, and for how long? The one place that decides; its result feeds the
 * event, the log and the `Cache-Status` field. Reasons that make a response its own client's come before `status`,
 * which those who wait for the fill may share.
 */
export function mayStore(policy: StoringPolicy, head: ResponseHead, wish: HandlerWish): StoringVerdict {
  const own = ownReason(head, wish);
  if (own !== undefined) return { store: false, reason: own };
  const ttl = policy.statuses.get(head.status);
  const { mode, staleWhileRevalidate, staleIfError, canRevalidate } = policy.freshness;
  const rules: FreshnessPolicy = {
    mode,
    ttl: wish.ttl ?? ttl ?? ANY_TTL,
    staleWhileRevalidate,
    staleIfError,
    canRevalidate: canRevalidate && wish.validator !== undefined,
  };
  const verdict = lifeOf(rules, head);
  if (!verdict.store && !SHAREABLE.has(verdict.reason)) return verdict;
  const names = uncoveredVary(policy, head);
  const variant = names?.length === 0 ? undefined : names && head.variantBy(names);
  if (names === undefined || (names.length > 0 && variant === undefined))
    return { store: false, reason: 'vary' };
  const { headers } = head;
  if (headers['content-encoding'] !== undefined || headers.trailer !== undefined)
    return { store: false, reason: 'encoded' };
  const decided: StoringVerdict = ttl === undefined ? { store: false, reason: 'status' } : verdict;
  return variant === undefined ? decided : { ...decided, variant };
}

const EVENT_STREAM = /^text\/event-stream\s*(?:;|$)/i;

function ownReason(
  { status, headers, cookieAdded }: ResponseHead,
  wish: HandlerWish,
): SkipReason | undefined {
  if (cookieAdded) return 'set-cookie';
  if (wish.refusal !== undefined) return wish.refusal;
  // RFC 9111 §3.3 and §4.3.4: parts and 304s are of use only to who knows how to put them together.
  if (status === 206 || headers['content-range'] !== undefined) return 'partial';
  if (EVENT_STREAM.test(String(headers['content-type'] ?? ''))) return 'event-stream';
  return status === 304 ? 'not-modified' : undefined;
}

/**
 * RFC 9111 §4.1: a response may be reused only for requests with the same values of the fields it varies on. Those that
 * the key does not cover; `undefined` where nobody can tell which they are.
 */
function uncoveredVary(
  { keyedHeaders, declaredVary }: StoringPolicy,
  { headers, varyBefore }: ResponseHead,
): readonly string[] | undefined {
  if (headers.vary === undefined) return NONE;
  return parseVary(headers.vary)?.filter(
    (name) =>
      !keyedHeaders.has(name) &&
      !UNSEEN_BY_HANDLERS.has(name) &&
      // Middleware's own, which varies hits as well.
      !(varyBefore.includes(name) && !declaredVary.has(name)),
  );
}

const NONE: readonly string[] = [];

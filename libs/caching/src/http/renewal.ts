import { createHash } from 'node:crypto';
import { defer, mergeAll, type Observable, tap } from 'rxjs';
import type { Entry, EntryLife } from '../cache/entry.js';
import type { Fill } from '../cache/fill.js';
import { isPromiseLike } from '../cache/maybe-promise.js';
import { CacheCallbackError, describe } from '../caching.errors.js';
import { type Exchange, SENT } from './delivery.js';
import type { ViewPolicy } from './route-policy.js';
import { lifeOf } from './semantics/freshness.js';
import { callUser } from './user-callback.js';

/** Longer ones are stored as their digests. */
const MAX_TEXT = 128;

export interface RenewalOutcomes {
  /** What is stored holds still, and is fresh again. */
  readonly renewed: (entry: Entry) => Observable<unknown>;
  /** It does not, or there is nothing that could be renewed. */
  readonly otherwise: () => Observable<unknown>;
}

/**
 * Asks the route's `validator`, where it has one, before the handler of a fill runs: what is stored by the same word is
 * renewed without it (RFC 9111 §4.3.4). The position of the sequence of evictions has been read before, and the word is
 * taken before the handler runs: a change that comes later is one that the word knows nothing of.
 *
 * @param stale what is stored and may not answer by itself
 */
export function renewOr(
  policy: ViewPolicy,
  exchange: Exchange,
  fill: Fill,
  stale: Entry | undefined,
  { renewed, otherwise }: RenewalOutcomes,
): Observable<unknown> {
  const { validator, route } = policy;
  if (validator === undefined) return otherwise();
  fill.trace = exchange.trace;
  let known: Entry | undefined;
  const decide = (said: unknown): Observable<unknown> => {
    fill.validator = textOf(said, route);
    if (known === undefined || fill.validator === undefined || known.validator !== fill.validator)
      return otherwise();
    const entry = renew(policy, exchange, fill, known);
    return entry === undefined ? otherwise() : renewed(entry);
  };
  // All that wait would ask in vain, one after the other.
  const failed = (error: unknown): never => {
    fill.reject();
    throw error;
  };
  return defer(() => {
    // What is evicted from here on is evicted after the start of the fill, which then stores nothing.
    known = stale !== undefined && fill.mayRenew(stale) ? stale : undefined;
    const said = attempt(() => callUser('validator', route, () => validator(exchange.request)), failed);
    if (!isPromiseLike(said)) return attempt(() => decide(said), failed);
    const decided = said.then((value) => {
      if (!exchange.platform.isGone(exchange.response)) return decide(value);
      fill.abort();
      return SENT;
    });
    let isAnswered = false;
    return defer(() =>
      decided.then((answer) => {
        isAnswered = true;
        return answer;
      }, failed),
    ).pipe(
      mergeAll(),
      // Nest has torn it down while the application was asked.
      tap({
        unsubscribe: () => {
          if (!isAnswered) fill.abort();
        },
      }),
    );
  });
}

function attempt<T>(act: () => T, failed: (error: unknown) => never): T {
  try {
    return act();
  } catch (error) {
    return failed(error);
  }
}

function renew(policy: ViewPolicy, { request }: Exchange, fill: Fill, stale: Entry): Entry | undefined {
  const now = fill.now();
  const freshness = renewedLife(policy, stale, now);
  if (freshness === undefined) return undefined;
  const { storedAt, expiresAt } = stale;
  const keptFor = expiresAt - storedAt;
  // What is asked about before each use would be written at each use.
  const isSaved = !freshness.alwaysRevalidate || expiresAt - now < keptFor / 2;
  const variant = policy.learned.variantOf(fill.view, [], request.headers);
  return fill.renew({ ...stale, freshness, storedAt: now, expiresAt: now + keptFor }, isSaved, variant);
}

/**
 * For as long as when it was stored, and never longer than its fields allow now: an `Expires` has come nearer. It has
 * just been found valid, so its age begins anew (RFC 9111 §4.2.3).
 */
function renewedLife(
  { freshness: policy, ttl }: ViewPolicy,
  { response, storedAt, expiresAt, freshness }: Entry,
  now: number,
): EntryLife | undefined {
  const {
    freshUntil = expiresAt,
    staleWhileRevalidateUntil = freshUntil,
    staleIfErrorUntil = freshUntil,
  } = freshness ?? {};
  const headers = Object.fromEntries(
    response.headers
      .map(([name, value]) => [name.toLowerCase(), typeof value === 'string' ? value : [...value]] as const)
      .filter(([name]) => name !== 'age' && name !== 'date'),
  );
  const { status } = response;
  const received = { status, headers, requestedAt: now, receivedAt: now, isAuthorized: false };
  const said = lifeOf({ ...policy, ttl }, received);
  if (!said.store) return undefined;
  // A soft eviction ended its time early, which says nothing of how long it lives when it holds.
  const lifetime = freshUntil + (freshness?.softenedBy ?? 0) - storedAt;
  const span = Math.min(lifetime, said.life.freshUntil - now);
  return {
    freshUntil: now + span,
    ageAtStore: 0,
    staleWhileRevalidateUntil: now + span + staleWhileRevalidateUntil - freshUntil,
    staleIfErrorUntil: now + span + staleIfErrorUntil - freshUntil,
    alwaysRevalidate: freshness?.alwaysRevalidate ?? false,
    staleForbidden: freshness?.staleForbidden ?? false,
  };
}

/** By type, as 7 and '7' need not be the same state; `undefined` where the application does not know. */
function textOf(said: unknown, route: string): string | undefined {
  if (said === undefined || said === null) return undefined;
  if (typeof said === 'string')
    return said.length <= MAX_TEXT
      ? `s${said}`
      : `#${createHash('sha256').update(said, 'utf16le').digest('base64url')}`;
  if (typeof said === 'bigint' || (typeof said === 'number' && Number.isFinite(said)))
    return `n${String(said)}`;
  if (said instanceof Date && !Number.isNaN(said.getTime())) return `d${said.getTime()}`;
  throw new CacheCallbackError(
    'validator',
    route,
    `returned ${describe(said)}; allowed: a string, a number, a bigint or a valid Date, or undefined where it is not known`,
  );
}

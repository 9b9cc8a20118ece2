import type { EntryLife } from '../../cache/entry.js';
import { MAX_DURATION } from '../../duration.js';
import type { HeaderBag } from '../header-diff.js';
import { parseCacheControl, type ResponseDirectives } from './cache-control.js';
import { parseDelta } from './directive-list.js';
import { linesOf } from './field-lines.js';
import { parseHttpDate } from './http-date.js';
import { parseTargetedCacheControl } from './targeted-cache-control.js';

/**
 * Who says how long a response lives, where the response says something; otherwise the route does in any case.
 *
 * - `min`: whichever is shorter
 * - `response`: the response
 * - `route`: the route; what the response forbids stays forbidden
 */
export type FreshnessMode = 'min' | 'response' | 'route';

/** What a route says about the life of its responses. */
export interface FreshnessPolicy {
  readonly mode: FreshnessMode;
  /** Milliseconds from when the response was complete. */
  readonly ttl: number;
  /** Milliseconds; `undefined` leaves it to the response, 0 forbids it. */
  readonly staleWhileRevalidate: number | undefined;
  /** Milliseconds; `undefined` leaves it to the response, 0 forbids it. */
  readonly staleIfError: number | undefined;
  /** The route can find out cheaply whether an entry still holds, so one that must be asked about is worth keeping. */
  readonly canRevalidate: boolean;
}

export interface ReceivedResponse {
  readonly status: number;
  /** All of its fields by lower-case name. */
  readonly headers: HeaderBag;
  /** When its handler was started and when it was complete, in milliseconds since the epoch. */
  readonly requestedAt: number;
  readonly receivedAt: number;
  /** The request had an `Authorization` field and the key does not tell its principals apart. */
  readonly isAuthorized: boolean;
}

/** The life of a stored response (RFC 9111 §4.2, §4.2.4, §5.2.2.4; RFC 5861). Times are milliseconds since the epoch. */
export interface StoredLife extends EntryLife {
  /** Of no use from here on: neither to be served, nor to be renewed. */
  readonly keepUntil: number;
}

/** Why a response is not worth or not allowed storing. */
export type LifeRefusal =
  | 'no-store'
  | 'private'
  /** RFC 9111 §3.5: for one client, and nothing in it says that it may be shared. */
  | 'authorization'
  /** RFC 9111 §5.2.2.3: only for caches that know what its status asks of them. */
  | 'must-understand'
  /** To be asked about before each use, and the route has no cheap way to do so. */
  | 'no-cache'
  /** Over when it came, and not to be served stale either. */
  | 'stale';

export type LifeVerdict =
  | { readonly store: true; readonly life: StoredLife }
  | { readonly store: false; readonly reason: LifeRefusal };

/** Final statuses whose caching this library knows all of (RFC 9110 §15.1 and their own sections). */
const UNDERSTOOD = new Set([200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 451, 501]);

/** May a shared cache keep this response, and for how long? Pure; heuristic freshness (RFC 9111 §4.2.2) is not used. */
export function lifeOf(policy: FreshnessPolicy, response: ReceivedResponse): LifeVerdict {
  const { headers, receivedAt } = response;
  // RFC 9213 §2.2: a valid targeted field is used instead of Cache-Control and Expires.
  const targeted = parseTargetedCacheControl(headers['cdn-cache-control']);
  const directives = targeted ?? parseCacheControl(headers['cache-control']);
  const refusal = refusalOf(directives, response);
  if (refusal !== undefined) return { store: false, reason: refusal };
  if (directives.noCache && !policy.canRevalidate) return { store: false, reason: 'no-cache' };

  const age = ageOf(response);
  const lifetime = directives.lifetime ?? (targeted === undefined ? expiresIn(response) : undefined);
  // Whole milliseconds: an `Expires` counts from a time that may be within a second.
  const left = lifetime === undefined ? undefined : Math.floor(lifetime * 1000) - age;
  const latest = receivedAt + MAX_DURATION;
  const freshUntil = Math.min(receivedAt + (choose(policy.mode, policy.ttl, left) ?? policy.ttl), latest);
  /** RFC 5861 §3 and §4: counted from when the response became stale, which may be before it came. */
  const until = (own: number | undefined, said: number | undefined): number => {
    // RFC 9111 §4.2.4: what forbids serving stale wins over what allows it, on either side.
    if (directives.staleForbidden || own === 0) return freshUntil;
    const window = choose(policy.mode, own, said === undefined ? undefined : said * 1000) ?? 0;
    return Math.min(freshUntil + window, latest);
  };
  const staleWhileRevalidateUntil = until(policy.staleWhileRevalidate, directives.staleWhileRevalidate);
  const staleIfErrorUntil = until(policy.staleIfError, directives.staleIfError);
  const servedUntil = Math.max(freshUntil, staleWhileRevalidateUntil, staleIfErrorUntil);
  // One that can be renewed is kept for as long as its route lets a new one live.
  const renewedUntil = policy.canRevalidate ? Math.max(freshUntil, receivedAt) + policy.ttl : servedUntil;
  const keepUntil = Math.min(Math.max(servedUntil, renewedUntil), latest);
  if (keepUntil <= receivedAt) return { store: false, reason: 'stale' };
  const life: StoredLife = {
    freshUntil,
    ageAtStore: age,
    staleWhileRevalidateUntil,
    staleIfErrorUntil,
    alwaysRevalidate: directives.noCache,
    staleForbidden: directives.staleForbidden,
    keepUntil,
  };
  return { store: true, life };
}

/** RFC 9111 §3: what must hold for a shared cache to store a response at all. */
function refusalOf(directives: ResponseDirectives, response: ReceivedResponse): LifeRefusal | undefined {
  const { mustUnderstand, noStore, isPrivate, sharedDespiteAuthorization } = directives;
  // §5.2.2.3: with must-understand, no-store is for those who don't know the status.
  if (noStore && !mustUnderstand) return 'no-store';
  if (isPrivate) return 'private';
  if (mustUnderstand && !UNDERSTOOD.has(response.status)) return 'must-understand';
  if (response.isAuthorized && !sharedDespiteAuthorization) return 'authorization';
  return undefined;
}

/** What both say, by the mode; `undefined` where neither says anything. */
function choose(
  mode: FreshnessMode,
  route: number | undefined,
  said: number | undefined,
): number | undefined {
  if (said === undefined || route === undefined) return said ?? route;
  if (mode === 'min') return Math.min(route, said);
  return mode === 'route' ? route : said;
}

/** RFC 9111 §4.2.3, `corrected_initial_age`, in milliseconds. */
function ageOf({ headers, requestedAt, receivedAt }: ReceivedResponse): number {
  // §5.1: of a list the first member counts; what is not a number is ignored.
  const said = parseDelta(linesOf(headers.age)[0]?.split(',')[0]?.trim()) ?? 0;
  const delay = Math.max(0, receivedAt - requestedAt);
  const apparent = receivedAt - (dateOf(headers, receivedAt) ?? receivedAt);
  // Neither is below 0 in the end: a Date in the future makes no response younger than new.
  return Math.max(apparent, said * 1000 + delay);
}

/** RFC 9110 §6.6.1: where there is no Date, or none that can be read, the time of receipt is used. */
function dateOf(headers: HeaderBag, receivedAt: number): number | undefined {
  const lines = linesOf(headers.date);
  return lines[0] === undefined ? undefined : parseHttpDate(lines[0], receivedAt);
}

/**
 * RFC 9111 §4.2.1: `Expires` minus `Date`, in seconds. §5.3: an invalid one, `0` above all, is in the past; so is one
 * that comes twice.
 */
function expiresIn({ headers, receivedAt }: ReceivedResponse): number | undefined {
  const [line, ...others] = linesOf(headers.expires);
  if (line === undefined) return undefined;
  const expires = others.length === 0 ? parseHttpDate(line, receivedAt) : undefined;
  if (expires === undefined) return 0;
  // Against its own Date, so that a clock that is wrong is wrong on both sides.
  return Math.max(0, (expires - (dateOf(headers, receivedAt) ?? receivedAt)) / 1000);
}

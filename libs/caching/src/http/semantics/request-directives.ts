import type { IncomingHttpHeaders } from 'node:http';
import { type Directive, parseDelta, parseDirectives } from './directive-list.js';

/** What a request says about how it wants to be answered (RFC 9111 §5.2.1). Times in seconds. */
export interface RequestDirectives {
  /** §5.2.1.4, or `Pragma: no-cache` (§5.4). */
  readonly noCache: boolean;
  /** §5.2.1.5. */
  readonly noStore: boolean;
  /** §5.2.1.7. */
  readonly onlyIfCached: boolean;
  /** §5.2.1.1. */
  readonly maxAge: number | undefined;
  /** §5.2.1.3. */
  readonly minFresh: number | undefined;
  /** §5.2.1.2; `Infinity` where any staleness will do. */
  readonly maxStale: number | undefined;
}

/** Of a request that says nothing, and of one whose directives are all unknown, which are ignored (RFC 9111 §5.2.3). */
export const NO_DIRECTIVES: RequestDirectives = {
  noCache: false,
  noStore: false,
  onlyIfCached: false,
  maxAge: undefined,
  minFresh: undefined,
  maxStale: undefined,
};

/**
 * Parses `Cache-Control` and `Pragma` of a request. Never throws. A number that is none is no wish at all: a request
 * can only ask for more work or for less freshness, and either has to be asked for clearly.
 */
export function parseRequestDirectives(
  headers: Pick<IncomingHttpHeaders, 'cache-control' | 'pragma'>,
): RequestDirectives {
  const control = headers['cache-control'];
  if (control === undefined) {
    // RFC 9111 §5.4: Pragma counts only where Cache-Control is not there.
    const { directives } = parseDirectives(headers.pragma);
    return directives.some(({ name }) => name === 'no-cache')
      ? { ...NO_DIRECTIVES, noCache: true }
      : NO_DIRECTIVES;
  }
  const { directives } = parseDirectives(control);
  const all = (name: string) => directives.filter((directive) => directive.name === name);
  const said: RequestDirectives = {
    noCache: all('no-cache').length > 0,
    noStore: all('no-store').length > 0,
    onlyIfCached: all('only-if-cached').length > 0,
    // Of duplicates the strictest counts.
    maxAge: pick(all('max-age'), Math.min),
    minFresh: pick(all('min-fresh'), Math.max),
    maxStale: pick(all('max-stale'), Math.min, Number.POSITIVE_INFINITY),
  };
  return Object.values(said).some((value) => value !== false && value !== undefined) ? said : NO_DIRECTIVES;
}

/** @param bare what a directive without an argument says */
function pick(
  found: readonly Directive[],
  strictest: (...values: number[]) => number,
  bare?: number,
): number | undefined {
  const values = found
    .map(({ argument, malformed }) => (argument === undefined && !malformed ? bare : parseDelta(argument)))
    .filter((value) => value !== undefined);
  return values.length === 0 ? undefined : strictest(...values);
}

/** What is known of a stored response when a request with directives finds it. */
export interface StoredFacts {
  /** Milliseconds (RFC 9111 §4.2.3). */
  readonly age: number;
  /** Milliseconds that it will be fresh yet; negative for how long it has been stale. */
  readonly freshFor: number;
  /** The route or the response allows serving it stale now, as while it is refreshed. */
  readonly staleAllowed: boolean;
  /** RFC 9111 §4.2.4: nobody may wish it stale. */
  readonly staleForbidden: boolean;
  /** RFC 9111 §5.2.2.4: it has to be asked about first. */
  readonly alwaysRevalidate: boolean;
}

export interface RequestDecision {
  /**
   * - `use`: answer with what is stored
   * - `fill`: nothing usable is stored; as any other miss
   * - `refresh`: what is stored is not what was asked for; run the handler all the same
   * - `gateway-timeout`: answer 504 (RFC 9111 §5.2.1.7)
   */
  readonly action: 'use' | 'fill' | 'refresh' | 'gateway-timeout';
  /** Whether what the handler answers may be stored (RFC 9111 §5.2.1.5). */
  readonly mayStore: boolean;
}

/** How to answer a request that says how it wants to be answered. Pure. */
export function decideRequest(wish: RequestDirectives, stored: StoredFacts | undefined): RequestDecision {
  const mayStore = !wish.noStore;
  const found = stored === undefined ? 'fill' : judge(wish, stored);
  // §5.2.1.7: a stored response or nothing.
  if (found !== 'use' && wish.onlyIfCached) return { action: 'gateway-timeout', mayStore };
  return { action: found, mayStore };
}

function judge(wish: RequestDirectives, stored: StoredFacts): 'use' | 'fill' | 'refresh' {
  const { age, freshFor, staleAllowed, staleForbidden, alwaysRevalidate } = stored;
  if (alwaysRevalidate) return 'fill';
  // §5.2.1.4: not without asking first, which here means running the handler.
  if (wish.noCache) return 'refresh';
  // §5.2.1.1: no older than that; without max-stale, not stale either.
  if (wish.maxAge !== undefined && age > wish.maxAge * 1000) return 'refresh';
  if (freshFor > 0) {
    // §5.2.1.3: to be fresh for that much longer.
    return wish.minFresh !== undefined && freshFor < wish.minFresh * 1000 ? 'refresh' : 'use';
  }
  if (staleForbidden) return 'fill';
  // §5.2.1.2: its bound holds whether or not the route allows more.
  if (wish.maxStale !== undefined) return -freshFor <= wish.maxStale * 1000 ? 'use' : 'fill';
  if (!staleAllowed) return 'fill';
  return wish.maxAge === undefined && wish.minFresh === undefined ? 'use' : 'fill';
}

import type { IncomingHttpHeaders } from 'node:http';
import type { Clock } from '../cache/clock.js';
import type { Entry } from '../cache/entry.js';
import { freshFor } from './hit-fields.js';
import { RecentMap } from '../recent-map.js';
import { currentAge } from './semantics/age.js';
import {
  decideRequest,
  NO_DIRECTIVES,
  parseRequestDirectives,
  type RequestDecision,
  type RequestDirectives,
} from './semantics/request-directives.js';

export type Wish = RequestDirectives;

/** How often clients may have one key's handler run though there is an entry, in milliseconds. */
const REFRESH_PERIOD = 1_000;

/** Keys whose last forced run is remembered. Who asks for more of them than that gets more runs. */
const REFRESHED_KEYS = 10_000;

/**
 * What requests say of how they want to be answered (RFC 9111 §5.2.1), for routes that honour it. A client can't make
 * load with it where there is something fresh: a key is refreshed once a second at most, and who asks again within that
 * gets what is stored. `no-store` has a handler run each time where nothing may answer, as nothing of that is kept.
 */
export class RequestWishes {
  readonly #refreshedAt = new RecentMap<number>(REFRESHED_KEYS);

  constructor(private readonly clock: Clock) {}

  /** `undefined` where a request says nothing that is known. */
  of(headers: Pick<IncomingHttpHeaders, 'cache-control' | 'pragma'>): Wish | undefined {
    if (headers['cache-control'] === undefined && headers.pragma === undefined) return undefined;
    const said = parseRequestDirectives(headers);
    return said === NO_DIRECTIVES ? undefined : said;
  }

  decide(wish: Wish, key: string, entry: Entry | undefined): RequestDecision {
    const now = this.clock.now();
    const decision = decideRequest(wish, entry && factsOf(entry, now));
    if (decision.action !== 'refresh' || entry === undefined) return decision;
    // What is stale has to be filled in any case: by one for all who ask.
    if (freshFor(entry, now) <= 0) return { ...decision, action: 'fill' };
    const last = this.#refreshedAt.get(key);
    // A clock that was set back must not stop refreshes until it has caught up.
    if (last !== undefined && last <= now && now - last < REFRESH_PERIOD)
      return { ...decision, action: 'use' };
    this.#refreshedAt.set(key, now);
    return decision;
  }
}

function factsOf(entry: Entry, now: number) {
  const { freshness, storedAt } = entry;
  return {
    age: currentAge(freshness ?? { ageAtStore: 0 }, storedAt, now),
    freshFor: freshFor(entry, now),
    staleAllowed: freshness !== undefined && now < freshness.staleWhileRevalidateUntil,
    staleForbidden: freshness?.staleForbidden ?? false,
    alwaysRevalidate: freshness?.alwaysRevalidate ?? false,
  };
}

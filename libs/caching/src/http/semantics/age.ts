import { formatHttpDate } from './http-date.js';
import type { StoredLife } from './freshness.js';

/** How old a stored response is now, in milliseconds (RFC 9111 §4.2.3, `current_age`). Never less than at storing. */
export function currentAge(life: Pick<StoredLife, 'ageAtStore'>, storedAt: number, now: number): number {
  // A clock that was set back makes nothing younger.
  return life.ageAtStore + Math.max(0, now - storedAt);
}

/** What may be done with a stored response at a time. */
export interface Usability {
  /** May answer by itself (RFC 9111 §4.2). */
  readonly fresh: boolean;
  /** May answer while it is being refreshed (RFC 5861 §3). Also true while fresh. */
  readonly whileRevalidating: boolean;
  /** May answer in place of an error (RFC 5861 §4). Also true while fresh. */
  readonly onError: boolean;
}

/**
 * Once false, none of these becomes true again as time goes on.
 *
 * @param now milliseconds since the epoch
 */
export function usabilityAt(life: StoredLife, now: number): Usability {
  const { freshUntil, staleWhileRevalidateUntil, staleIfErrorUntil, alwaysRevalidate } = life;
  // RFC 9111 §5.2.2.4: no-cache is not a life of 0, it asks for a question before each use.
  if (alwaysRevalidate) return { fresh: false, whileRevalidating: false, onError: false };
  return {
    fresh: now < freshUntil,
    whileRevalidating: now < staleWhileRevalidateUntil,
    onError: now < staleIfErrorUntil,
  };
}

/** The fields that tell downstream caches how old a response is. */
export interface AgeFields {
  /** RFC 9111 §5.1: whole seconds, rounded down. */
  readonly age: string;
  /** RFC 9110 §6.6.1: when it was generated. With a `Date` of now, `Expires` would be counted against it twice. */
  readonly date: string;
}

/** `Age` and `Date` of a response from the cache (RFC 9111 §4: one must have an `Age`). */
export function ageFields(life: Pick<StoredLife, 'ageAtStore'>, storedAt: number, now: number): AgeFields {
  const age = currentAge(life, storedAt, now);
  return { age: String(Math.floor(age / 1000)), date: formatHttpDate(now - age) };
}

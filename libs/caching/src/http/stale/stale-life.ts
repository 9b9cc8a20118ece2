import type { Entry } from '../../cache/entry.js';

/**
 * RFC 5861 §3: whether an entry that is not fresh any more may answer while a new response is fetched. What forbids
 * serving stale (RFC 9111 §4.2.4) has left it no such time.
 */
export function answersWhileRevalidating({ freshness }: Entry, now: number): boolean {
  return freshness !== undefined && !freshness.alwaysRevalidate && now < freshness.staleWhileRevalidateUntil;
}

/** RFC 5861 §4: whether it may answer in place of an error. */
export function answersOnError({ freshness }: Entry, now: number): boolean {
  return freshness !== undefined && !freshness.alwaysRevalidate && now < freshness.staleIfErrorUntil;
}

/** RFC 5861 §4. */
const ERRORS: ReadonlySet<number> = new Set([500, 502, 503, 504]);

/** Whether a response says that its handler failed, rather than that there is nothing. */
export function isFailure(status: number): boolean {
  return ERRORS.has(status);
}

import { type Entry, freshUntil } from '../cache/entry.js';
import { type Verdict, type VerdictFields, verdictFields } from './cache-headers.js';
import { ageFields, currentAge } from './semantics/age.js';

/** What caches behind this one are told of responses that say nothing themselves. */
export interface Downstream {
  /** Milliseconds that they may keep it; `undefined` says nothing about that. */
  readonly maxAge: number | undefined;
  readonly isPublic: boolean;
}

/** An entry that says nothing else is as old as it has been stored. */
const NEW = { ageAtStore: 0 };

/** When a stored response was generated, in milliseconds since the epoch. */
export function generatedAt({ storedAt, freshness }: Pick<Entry, 'storedAt' | 'freshness'>): number {
  return storedAt - (freshness ?? NEW).ageAtStore;
}

/** Milliseconds that an entry will be fresh yet. */
export function freshFor(entry: Pick<Entry, 'freshness' | 'expiresAt'>, now: number): number {
  return freshUntil(entry) - now;
}

/** The fields that each response from the cache has: how old it is (RFC 9111 §4), and what happened. */
export function hitFields(entry: Entry, now: number, isTold: boolean): VerdictFields {
  const { age, date } = ageFields(entry.freshness ?? NEW, entry.storedAt, now);
  const fields = ['Age', age, 'Date', date];
  return isTold ? fields.concat(verdictFields({ kind: 'hit', ttlMs: freshFor(entry, now) })) : fields;
}

/** The same for one that is not fresh any more. */
export function staleFields(
  entry: Entry,
  now: number,
  isTold: boolean,
  stale: Omit<Extract<Verdict, { kind: 'stale' }>, 'kind' | 'ttlMs'>,
): VerdictFields {
  const fields = hitFields(entry, now, false);
  return isTold
    ? fields.concat(verdictFields({ kind: 'stale', ttlMs: freshFor(entry, now), ...stale }))
    : fields;
}

/**
 * `Cache-Control` for caches behind this one, which count the `Age` of a hit against its `max-age` (RFC 9111 §4.2.3):
 * so that goes on top of what they may keep it for, which is never longer than this cache itself does.
 *
 * @param age milliseconds
 * @param left milliseconds for which this cache will use it yet
 */
export function downstreamControl({ maxAge, isPublic }: Downstream, age: number, left: number): string {
  const directives = isPublic ? ['public'] : [];
  if (maxAge !== undefined) {
    const seconds = Math.floor(age / 1000) + Math.max(0, Math.floor(Math.min(maxAge, left) / 1000));
    directives.push(`max-age=${seconds}`);
  }
  return directives.join(', ');
}

/** The same for a hit. */
export function downstreamOf(downstream: Downstream, entry: Entry, now: number): string {
  return downstreamControl(
    downstream,
    currentAge(entry.freshness ?? NEW, entry.storedAt, now),
    freshFor(entry, now),
  );
}

/** Whether a response says for how long caches may keep it: then nothing is added. */
export function saysOwnLife(field: (name: string) => unknown): boolean {
  return field('cache-control') !== undefined || field('expires') !== undefined;
}

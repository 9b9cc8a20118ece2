import * as fc from 'fast-check';
import type { HeaderBag } from '../../libs/caching/src/http/header-diff.js';
import {
  type FreshnessPolicy,
  lifeOf,
  type LifeVerdict,
  type ReceivedResponse,
  type StoredLife,
} from '../../libs/caching/src/http/semantics/freshness.js';
import { formatHttpDate } from '../../libs/caching/src/http/semantics/http-date.js';
import { anyLatin1 } from './latin1.js';

/** When everything is received, in milliseconds since the epoch. */
export const NOW = Date.UTC(2026, 0, 1);
export const YEAR = 365 * 86_400_000;
const POLICY: FreshnessPolicy = {
  mode: 'response',
  ttl: 100_000,
  staleWhileRevalidate: undefined,
  staleIfError: undefined,
  canRevalidate: false,
};

/** A date so many seconds from now. */
export const at = (seconds: number) => formatHttpDate(NOW + seconds * 1000);

/** What differs from a plain 200 on a route with 100 seconds to live. */
export interface Case {
  readonly policy?: Partial<FreshnessPolicy>;
  readonly response?: Partial<ReceivedResponse>;
}

export function judge(headers: HeaderBag, { policy, response }: Case = {}): LifeVerdict {
  return lifeOf(
    { ...POLICY, ...policy },
    { status: 200, headers, requestedAt: NOW, receivedAt: NOW, isAuthorized: false, ...response },
  );
}

export function stored(headers: HeaderBag, given?: Case): StoredLife {
  const verdict = judge(headers, given);
  if (!verdict.store) throw new Error(`not stored: ${verdict.reason}`);
  return verdict.life;
}

/** Milliseconds of fresh life; 0 where nothing is stored. */
export function freshFor(headers: HeaderBag, given?: Case): number {
  const verdict = judge(headers, given);
  return verdict.store && !verdict.life.alwaysRevalidate ? Math.max(0, verdict.life.freshUntil - NOW) : 0;
}

/** Milliseconds for which it may be served at all, also stale; 0 where nothing is stored. */
export function servedFor(headers: HeaderBag, given?: Case): number {
  const verdict = judge(headers, given);
  if (!verdict.store || verdict.life.alwaysRevalidate) return 0;
  const { freshUntil, staleWhileRevalidateUntil, staleIfErrorUntil } = verdict.life;
  return Math.max(0, freshUntil - NOW, staleWhileRevalidateUntil - NOW, staleIfErrorUntil - NOW);
}

export function anyControl(): fc.Arbitrary<string[]> {
  const seconds = fc.integer({ min: 0, max: 500 });
  const directive = fc.oneof(
    fc
      .tuple(fc.constantFrom('max-age', 's-maxage', 'stale-while-revalidate', 'stale-if-error'), seconds)
      .map(([name, value]) => `${name}=${value}`),
    fc.constantFrom(
      'no-cache',
      'public',
      'must-revalidate',
      'proxy-revalidate',
      'x="max-age=9"',
      'immutable',
    ),
  );
  return fc.array(directive, { maxLength: 4 });
}

/** Anything but the directives that are there to make a response live longer or for more people. */
export function anyNoise(): fc.Arbitrary<string> {
  const pieces = fc.constantFrom(
    'no-store',
    'private',
    'x',
    '=',
    ',',
    ' ',
    '"',
    '\\',
    '999',
    'age',
    'max',
    ';',
  );
  return fc
    .oneof(
      fc.array(pieces, { maxLength: 12 }).map((some) => some.join('')),
      anyLatin1(),
    )
    .filter((text) => !/max-?age|public|must-/i.test(text));
}

export function anyFields(): fc.Arbitrary<Record<string, string>> {
  const date = fc.oneof(fc.integer({ min: -500, max: 500 }).map(at), fc.constantFrom('0', 'foo', at(1e9)));
  const age = fc.oneof(fc.integer({ min: 0, max: 500 }).map(String), fc.constantFrom('', '-1', '5, 0', 'x'));
  return fc.record({ expires: date, date, age }, { requiredKeys: [] });
}

export function anyPolicy(): fc.Arbitrary<FreshnessPolicy> {
  const window = fc.option(fc.integer({ min: 0, max: 500_000 }), { nil: undefined });
  return fc.record({
    mode: fc.constantFrom('min', 'response', 'route'),
    ttl: fc.integer({ min: 1, max: 500_000 }),
    staleWhileRevalidate: window,
    staleIfError: window,
    canRevalidate: fc.boolean(),
  });
}

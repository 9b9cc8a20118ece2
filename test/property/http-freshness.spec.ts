import { describe, expect, it } from 'vitest';
import type { HeaderBag } from '../../libs/caching/src/http/header-diff.js';
import { ageFields, usabilityAt } from '../../libs/caching/src/http/semantics/age.js';
import type { FreshnessMode, FreshnessPolicy } from '../../libs/caching/src/http/semantics/freshness.js';
import { at, type Case, freshFor, judge, NOW, stored, YEAR } from '../support/http-life.js';

describe('the life of a response', () => {
  it.each<[string, HeaderBag, number]>([
    ['the route where it says nothing (freshness-none)', {}, 100],
    ['max-age', { 'cache-control': 'max-age=3600' }, 3600],
    ['s-maxage before max-age', { 'cache-control': 'max-age=3600, s-maxage=1' }, 1],
    [
      'max-age before a past Expires (freshness-max-age-expires)',
      { 'cache-control': 'max-age=60', expires: at(-9) },
      60,
    ],
    ['max-age before an invalid Expires', { 'cache-control': 'max-age=60', expires: '0' }, 60],
    [
      'max-age=0 before a future Expires (freshness-max-age-0-expires)',
      { 'cache-control': 'max-age=0', expires: at(9) },
      0,
    ],
    ['Expires (freshness-expires-future)', { expires: at(30), date: at(0) }, 30],
    ['Expires without Date', { expires: at(30) }, 30],
    ['Expires against its own Date (freshness-expires-old-date)', { expires: at(300), date: at(400) }, 0],
    ['Expires against a Date that is ahead', { expires: at(20), date: at(10) }, 10],
    ['Expires against a Date that is behind', { expires: at(20), date: at(-10) }, 20],
    ['Expires where Date is invalid (freshness-expires-invalid-date)', { expires: at(10), date: 'foo' }, 10],
    ['a past Expires (freshness-expires-past)', { expires: at(-30) }, 0],
    ['a present Expires (freshness-expires-present)', { expires: at(0), date: at(0) }, 0],
    ['Expires: 0 (freshness-expires-invalid)', { expires: '0' }, 0],
    ['Expires twice', { expires: [at(30), at(40)] }, 0],
    ['Expires in UTC (freshness-expires-invalid-utc)', { expires: 'Thu, 18 Aug 2050 02:01:18 UTC' }, 0],
    [
      'Expires of two digits (freshness-expires-invalid-2-digit-year)',
      { expires: 'Thu, 18 Aug 50 02:01:18 GMT' },
      0,
    ],
    [
      'Expires without comma (freshness-expires-invalid-no-comma)',
      { expires: 'Thu 18 Aug 2050 02:01:18 GMT' },
      0,
    ],
    [
      'Expires with dashes (freshness-expires-invalid-date-dashes)',
      { expires: 'Thu, 18-Aug-2050 02:01:18 GMT' },
      0,
    ],
    ['Age (freshness-max-age-age)', { 'cache-control': 'max-age=3600', age: '7200', date: at(0) }, 0],
    ['Age of a part of its life', { 'cache-control': 'max-age=3600', age: '600' }, 3000],
    [
      'Age and a slow Date (freshness-expires-age-slow-date)',
      { date: at(-10), expires: at(10), age: '25' },
      0,
    ],
    [
      'Age and a fast Date (freshness-expires-age-fast-date)',
      { date: at(10), expires: at(20), age: '15' },
      0,
    ],
    ['the first Age of a list (age-parse-suffix)', { 'cache-control': 'max-age=60', age: '50, 0' }, 10],
    [
      'the first Age of two lines (age-parse-prefix-twoline)',
      { 'cache-control': 'max-age=60', age: ['0', '50'] },
      60,
    ],
    ['no Age that is no number (age-parse-nonnumeric)', { 'cache-control': 'max-age=60', age: 'abc' }, 60],
    ['no negative Age (age-parse-negative)', { 'cache-control': 'max-age=60', age: '-50' }, 60],
    ['a Date in the past as age', { 'cache-control': 'max-age=60', date: at(-20) }, 40],
    ['a Date in the future as nothing', { 'cache-control': 'max-age=60', date: at(20) }, 60],
    [
      'CDN-Cache-Control before Cache-Control (cdn-max-age-short-cc-max-age)',
      { 'cache-control': 'max-age=1', 'cdn-cache-control': 'max-age=60' },
      60,
    ],
    [
      'a shorter one as well (cdn-max-age-long-cc-max-age)',
      { 'cache-control': 'max-age=60', 'cdn-cache-control': 'max-age=1' },
      1,
    ],
    [
      'and before no-store (cdn-fresh-cc-nostore)',
      { 'cache-control': 'no-store', 'cdn-cache-control': 'max-age=60' },
      60,
    ],
    ['and before Expires (cdn-max-age-expires)', { expires: at(-9), 'cdn-cache-control': 'max-age=60' }, 60],
    [
      'the route, not Expires, where a valid CDN-Cache-Control names no life',
      { expires: at(5), 'cdn-cache-control': 'foo' },
      100,
    ],
    ['an Age with it (cdn-max-age-age)', { 'cdn-cache-control': 'max-age=60', age: '70' }, 0],
    [
      'no invalid one (cdn-cc-invalid-sh-type-wrong)',
      { 'cache-control': 'no-store', 'cdn-cache-control': 'max-age="60"' },
      0,
    ],
    ['a year at most', { 'cache-control': 'max-age=99999999999' }, YEAR / 1000],
  ])('follows %s', (_, headers, seconds) => {
    expect(freshFor(headers)).toBe(seconds * 1000);
  });

  it.each<[FreshnessMode, HeaderBag, number]>([
    ['min', { 'cache-control': 'max-age=60' }, 60],
    ['min', { 'cache-control': 'max-age=3600' }, 100],
    ['min', {}, 100],
    ['response', { 'cache-control': 'max-age=3600' }, 3600],
    ['response', {}, 100],
    ['route', { 'cache-control': 'max-age=60' }, 100],
    ['route', { 'cache-control': 'max-age=3600' }, 100],
    ['route', { 'cache-control': 'no-store, max-age=3600' }, 0],
  ])('with freshness: %s and %o is %i seconds', (mode, headers, seconds) => {
    expect(freshFor(headers, { policy: { mode } })).toBe(seconds * 1000);
  });

  it('counts the time that the handler took, against what the response says but not against the route', () => {
    const response = { requestedAt: NOW - 3_000 };
    expect(freshFor({ 'cache-control': 'max-age=60', age: '7' }, { response })).toBe(50_000);
    expect(freshFor({}, { response })).toBe(100_000);
    expect(stored({}, { response }).ageAtStore).toBe(3_000);
  });

  it.each<[string, HeaderBag, Case | undefined]>([
    ['no-store', { 'cache-control': 'no-store' }, undefined],
    ['private', { 'cache-control': 'max-age=9, private="x"' }, undefined],
    ['private', { 'cdn-cache-control': 'private', 'cache-control': 'max-age=9' }, undefined],
    ['no-cache', { 'cache-control': 'max-age=9, no-cache' }, undefined],
    ['stale', { 'cache-control': 'max-age=0' }, undefined],
    ['stale', { 'cache-control': 'max-age=0, stale-if-error=60, must-revalidate' }, undefined],
    ['stale', { 'cache-control': 'max-age=5, stale-if-error=10', age: '15' }, undefined],
    ['authorization', { 'cache-control': 'max-age=9' }, { response: { isAuthorized: true } }],
    ['authorization', { expires: at(9) }, { response: { isAuthorized: true } }],
    ['must-understand', { 'cache-control': 'must-understand' }, { response: { status: 299 } }],
    ['must-understand', { 'cache-control': 'no-store, must-understand' }, { response: { status: 299 } }],
  ])('is refused as %s: %o', (reason, headers, given) => {
    expect(judge(headers, given)).toEqual({ store: false, reason });
  });

  it.each(['public', 'must-revalidate', 's-maxage=60'])(
    'is for everybody after a request with Authorization where it says %s (other-authorization-*)',
    (directive) => {
      const headers = { 'cache-control': `max-age=60, ${directive}` };
      expect(freshFor(headers, { response: { isAuthorized: true } })).toBe(60_000);
    },
  );

  it('is kept in spite of no-store where must-understand is there and the status is understood', () => {
    expect(freshFor({ 'cache-control': 'no-store, must-understand, max-age=5' })).toBe(5_000);
  });

  it('is kept to be asked about where the route can ask', () => {
    const policy = { canRevalidate: true };
    const asked = stored({ 'cache-control': 'no-cache, max-age=5' }, { policy });
    expect(asked).toMatchObject({ alwaysRevalidate: true, keepUntil: NOW + 105_000 });
    expect(usabilityAt(asked, NOW)).toEqual({ fresh: false, whileRevalidating: false, onError: false });
    expect(stored({ 'cache-control': 'max-age=0' }, { policy })).toMatchObject({
      freshUntil: NOW,
      keepUntil: NOW + 100_000,
    });
  });

  it.each<[string, HeaderBag, Partial<FreshnessPolicy>, number, number]>([
    [
      'what the response says',
      { 'cache-control': 'max-age=10, stale-while-revalidate=5, stale-if-error=7' },
      {},
      5,
      7,
    ],
    [
      'what the route says',
      { 'cache-control': 'max-age=10' },
      { staleWhileRevalidate: 1e3, staleIfError: 2e3 },
      1,
      2,
    ],
    [
      'the response before the route',
      { 'cache-control': 'max-age=10, stale-while-revalidate=5' },
      { staleWhileRevalidate: 1e3 },
      5,
      0,
    ],
    [
      'the shorter with min',
      { 'cache-control': 'max-age=10, stale-if-error=7' },
      { mode: 'min', staleIfError: 1e3 },
      0,
      1,
    ],
    [
      'the route with route',
      { 'cache-control': 'stale-if-error=7' },
      { mode: 'route', ttl: 10e3, staleIfError: 9e3 },
      0,
      9,
    ],
    [
      'none with must-revalidate',
      { 'cache-control': 'max-age=10, must-revalidate, stale-if-error=7' },
      { staleWhileRevalidate: 1e3 },
      0,
      0,
    ],
    [
      'none with proxy-revalidate',
      { 'cache-control': 'max-age=10, proxy-revalidate' },
      { staleIfError: 1e3 },
      0,
      0,
    ],
    [
      'none with s-maxage',
      { 'cache-control': 's-maxage=10, stale-while-revalidate=5' },
      { staleIfError: 1e3 },
      0,
      0,
    ],
  ])('may be served stale for %s', (_, headers, policy, whileRevalidating, onError) => {
    const life = stored(headers, { policy });
    expect(life.freshUntil).toBe(NOW + 10_000);
    expect(life.staleWhileRevalidateUntil - life.freshUntil).toBe(whileRevalidating * 1000);
    expect(life.staleIfErrorUntil - life.freshUntil).toBe(onError * 1000);
  });

  it('is kept for a year at most, stale or not', () => {
    const life = stored({
      'cache-control': 'max-age=10, stale-while-revalidate=99999999999, stale-if-error=99999999',
    });
    expect([life.staleWhileRevalidateUntil, life.staleIfErrorUntil, life.keepUntil]).toEqual(
      Array.from({ length: 3 }, () => NOW + YEAR),
    );
  });

  it('counts stale windows from when it became stale, also where that was before it came', () => {
    const life = stored({ 'cache-control': 'max-age=10, stale-while-revalidate=30', age: '25' });
    expect(life).toMatchObject({ freshUntil: NOW - 15_000, staleWhileRevalidateUntil: NOW + 15_000 });
  });

  it('tells downstream how old it is in whole seconds, and when it was made', () => {
    const life = stored({ 'cache-control': 'max-age=60', age: '7' });
    expect(ageFields(life, NOW, NOW + 1_999)).toEqual({ age: '8', date: at(-7) });
    expect(ageFields(life, NOW, NOW - 5_000)).toEqual({ age: '7', date: at(-12) });
  });
});

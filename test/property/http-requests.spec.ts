import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decideRequest,
  parseRequestDirectives,
  type RequestDirectives,
  type StoredFacts,
} from '../../libs/caching/src/http/semantics/request-directives.js';
import { anyLatin1 } from '../support/latin1.js';

const RUNS = { numRuns: 2_000 };
const NO_WISH = parseRequestDirectives({});
const FRESH: StoredFacts = {
  age: 10_000,
  freshFor: 50_000,
  staleAllowed: false,
  staleForbidden: false,
  alwaysRevalidate: false,
};
const STALE: StoredFacts = { ...FRESH, age: 70_000, freshFor: -10_000 };

describe('Cache-Control of a request', () => {
  it.each([
    ['no-cache', { noCache: true }],
    ['NO-STORE', { noStore: true }],
    ['only-if-cached', { onlyIfCached: true }],
    ['max-age=5, max-age="3"', { maxAge: 3 }],
    ['min-fresh=5, min-fresh=3', { minFresh: 5 }],
    ['max-stale', { maxStale: Number.POSITIVE_INFINITY }],
    ['max-stale, max-stale=4', { maxStale: 4 }],
    ['max-age=x, min-fresh, max-stale=-1', {}],
    ['max-age =5', {}],
    ['x="no-cache, no-store"', {}],
    ['', {}],
  ])('%s says what it says, and no more', (control, said) => {
    expect(parseRequestDirectives({ 'cache-control': control })).toEqual({ ...NO_WISH, ...said });
  });

  it('hides Pragma, which counts without it (RFC 9111 §5.4)', () => {
    expect(parseRequestDirectives({ pragma: 'x, No-Cache' })).toEqual({ ...NO_WISH, noCache: true });
    expect(parseRequestDirectives({ pragma: 'no-cache', 'cache-control': 'max-age=5' }).noCache).toBe(false);
    expect(parseRequestDirectives({ pragma: 'unrecognised-extension' })).toEqual(NO_WISH);
  });

  it('never throws', () => {
    fc.assert(
      fc.property(anyLatin1(), (text) => {
        const said = parseRequestDirectives({ 'cache-control': text, pragma: text });
        expect(said.maxAge === undefined || said.maxAge >= 0).toBe(true);
      }),
      RUNS,
    );
  });
});

describe('a request that says how it wants to be answered', () => {
  // In brackets, where there is one, the name of the test in http-tests/cache-tests.
  it.each<[string, string, StoredFacts | undefined, string, boolean]>([
    ['nothing, of a fresh response', 'x', FRESH, 'use', true],
    ['nothing, of none', 'x', undefined, 'fill', true],
    ['nothing, of a stale one', 'x', STALE, 'fill', true],
    ['nothing, of a stale one that may be served', 'x', { ...STALE, staleAllowed: true }, 'use', true],
    [
      'nothing, of a stale one that may not',
      'x',
      { ...STALE, staleAllowed: true, staleForbidden: true },
      'fill',
      true,
    ],
    ['nothing, of one to ask about', 'x', { ...FRESH, alwaysRevalidate: true }, 'fill', true],
    ['no-cache (ccreq-no-cache)', 'no-cache', FRESH, 'refresh', true],
    ['max-age=0 (ccreq-ma0)', 'max-age=0', FRESH, 'refresh', true],
    ['a greater age than max-age (ccreq-magreaterage)', 'max-age=9', FRESH, 'refresh', true],
    ['an age of max-age', 'max-age=10', FRESH, 'use', true],
    ['no staleness with max-age', 'max-age=100', { ...STALE, staleAllowed: true }, 'fill', true],
    ['staleness with max-age and max-stale', 'max-age=100, max-stale', STALE, 'use', true],
    ['min-fresh that there is', 'min-fresh=50', FRESH, 'use', true],
    ['min-fresh that there is not (ccreq-min-fresh)', 'min-fresh=51', FRESH, 'refresh', true],
    ['no staleness with min-fresh', 'min-fresh=0', { ...STALE, staleAllowed: true }, 'fill', true],
    ['max-stale (ccreq-max-stale)', 'max-stale=10', STALE, 'use', true],
    ['less than that', 'max-stale=9', STALE, 'fill', true],
    ['less than the route allows', 'max-stale=9', { ...STALE, staleAllowed: true }, 'fill', true],
    ['max-stale where it is forbidden', 'max-stale', { ...STALE, staleForbidden: true }, 'fill', true],
    ['only-if-cached of a fresh one', 'only-if-cached', FRESH, 'use', true],
    ['only-if-cached of none (ccreq-oic)', 'only-if-cached', undefined, 'gateway-timeout', true],
    ['only-if-cached of a stale one', 'only-if-cached', STALE, 'gateway-timeout', true],
    ['only-if-cached and no-cache', 'only-if-cached, no-cache', FRESH, 'gateway-timeout', true],
    ['no-store of a fresh one', 'no-store', FRESH, 'use', false],
    ['no-store of none', 'no-store', undefined, 'fill', false],
  ])('is given %s', (_, control, stored, action, mayStore) => {
    expect(decideRequest(parseRequestDirectives({ 'cache-control': control }), stored)).toEqual({
      action,
      mayStore,
    });
  });

  it('is never answered by what is forbidden stale, to be asked about, too old or not fresh enough', () => {
    fc.assert(
      fc.property(anyWish(), anyFacts(), (wish, stored) => {
        const { action, mayStore } = decideRequest(wish, stored);
        expect(mayStore).toBe(!wish.noStore);
        expect(action === 'gateway-timeout' && !wish.onlyIfCached).toBe(false);
        if (action !== 'use') return;
        const { freshFor, staleForbidden, staleAllowed } = stored;
        const anyTime = Number.POSITIVE_INFINITY;
        expect(stored.alwaysRevalidate || wish.noCache).toBe(false);
        expect(stored.age).toBeLessThanOrEqual((wish.maxAge ?? anyTime) * 1000);
        const isWished =
          freshFor > 0
            ? freshFor >= (wish.minFresh ?? 0) * 1000
            : (wish.maxStale !== undefined || staleAllowed) && -freshFor <= (wish.maxStale ?? anyTime) * 1000;
        expect(isWished).toBe(true);
        expect(freshFor <= 0 && staleForbidden).toBe(false);
      }),
      RUNS,
    );
  });

  it('runs the handler at most as rarely as one that says nothing, unless it takes what is stale', () => {
    fc.assert(
      fc.property(anyWish(), anyFacts(), (wish, stored) => {
        if (wish.maxStale !== undefined || decideRequest(wish, stored).action !== 'use') return;
        expect(decideRequest(NO_WISH, stored).action).toBe('use');
      }),
      RUNS,
    );
  });
});

function anyWish(): fc.Arbitrary<RequestDirectives> {
  const seconds = fc.option(fc.integer({ min: 0, max: 100 }), { nil: undefined });
  const rarely = fc.integer({ min: 0, max: 4 }).map((dice) => dice === 0);
  return fc.record({
    noCache: rarely,
    noStore: fc.boolean(),
    onlyIfCached: fc.boolean(),
    maxAge: seconds,
    minFresh: seconds,
    maxStale: fc.option(fc.oneof(fc.integer({ min: 0, max: 100 }), fc.constant(Number.POSITIVE_INFINITY)), {
      nil: undefined,
    }),
  });
}

function anyFacts(): fc.Arbitrary<StoredFacts> {
  return fc.record({
    age: fc.integer({ min: 0, max: 150_000 }),
    freshFor: fc.integer({ min: -100_000, max: 100_000 }),
    staleAllowed: fc.boolean(),
    staleForbidden: fc.boolean(),
    alwaysRevalidate: fc.integer({ min: 0, max: 4 }).map((dice) => dice === 0),
  });
}

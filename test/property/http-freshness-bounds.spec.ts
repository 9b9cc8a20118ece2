import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { currentAge, usabilityAt } from '../../libs/caching/src/http/semantics/age.js';
import {
  anyControl,
  anyFields,
  anyNoise,
  anyPolicy,
  freshFor,
  judge,
  NOW,
  servedFor,
  YEAR,
} from '../support/http-life.js';
import { anyLatin1 } from '../support/latin1.js';

const RUNS = { numRuns: 2_000 };

describe('any response', () => {
  it('never lives longer for what is unknown, repeated or garbled in its Cache-Control', () => {
    fc.assert(
      fc.property(anyControl(), anyNoise(), anyFields(), anyPolicy(), (control, noise, fields, policy) => {
        const plain = freshFor({ ...fields, 'cache-control': control }, { policy });
        const more = { ...fields, 'cache-control': [...control, noise] };
        expect(freshFor(more, { policy })).toBeLessThanOrEqual(plain);
        const repeated = {
          ...fields,
          'cache-control': [...control, control.join(', ').replaceAll(/\d/g, '9')],
        };
        expect(freshFor(repeated, { policy })).toBeLessThanOrEqual(plain);
        const served = servedFor({ ...fields, 'cache-control': control }, { policy });
        expect(servedFor(more, { policy })).toBeLessThanOrEqual(served);
        expect(servedFor(repeated, { policy })).toBeLessThanOrEqual(served);
      }),
      RUNS,
    );
  });

  it('never lives longer for its Age or Date than without them, nor longer than max-age or until Expires', () => {
    fc.assert(
      fc.property(anyControl(), anyFields(), anyPolicy(), (control, fields, policy) => {
        const { age: _age, date: _date, ...timeless } = fields;
        const mode = { ...policy, mode: 'response' as const };
        const lives = freshFor({ ...fields, 'cache-control': control }, { policy: mode });
        expect(lives).toBeLessThanOrEqual(
          freshFor({ ...timeless, 'cache-control': control }, { policy: mode }),
        );
      }),
      RUNS,
    );
  });

  it('with min, lives at most as long as its route says, and at most as long as it says itself', () => {
    fc.assert(
      fc.property(anyControl(), anyFields(), anyPolicy(), (control, fields, policy) => {
        const headers = { ...fields, 'cache-control': control };
        const shortest = freshFor(headers, { policy: { ...policy, mode: 'min' } });
        const own = freshFor(headers, { policy: { ...policy, mode: 'response' } });
        const route = freshFor(headers, { policy: { ...policy, mode: 'route' } });
        expect(shortest).toBeLessThanOrEqual(Math.min(own, route));
      }),
      RUNS,
    );
  });

  it('becomes less usable as time goes on, never more, and older, never younger', () => {
    fc.assert(
      fc.property(
        anyControl(),
        anyFields(),
        anyPolicy(),
        fc.array(fc.integer({ min: 0, max: 200_000 }), { maxLength: 12 }),
        (control, fields, policy, waits) => {
          const verdict = judge({ ...fields, 'cache-control': control }, { policy });
          if (!verdict.store) return;
          const { life } = verdict;
          expect(life.keepUntil).toBeLessThanOrEqual(NOW + YEAR);
          let now = NOW;
          let before = { ...usabilityAt(life, now), age: currentAge(life, NOW, now) };
          for (const wait of waits) {
            now += wait;
            const after = { ...usabilityAt(life, now), age: currentAge(life, NOW, now) };
            expect(Number(after.fresh)).toBeLessThanOrEqual(Number(before.fresh));
            expect(Number(after.whileRevalidating)).toBeLessThanOrEqual(Number(before.whileRevalidating));
            expect(Number(after.onError)).toBeLessThanOrEqual(Number(before.onError));
            expect(after.age - before.age).toBe(wait);
            const isServed = after.fresh || after.whileRevalidating || after.onError;
            expect(isServed && now >= life.keepUntil).toBe(false);
            before = after;
          }
        },
      ),
      RUNS,
    );
  });

  it('is judged without throwing, whatever its fields hold', () => {
    const field = fc.oneof(anyLatin1(), fc.array(fc.string()), fc.integer());
    fc.assert(
      fc.property(
        fc.record({
          'cache-control': field,
          'cdn-cache-control': field,
          age: field,
          date: field,
          expires: field,
        }),
        (headers) => {
          const verdict = judge(headers);
          expect(!verdict.store || Number.isFinite(verdict.life.freshUntil)).toBe(true);
        },
      ),
      RUNS,
    );
  });
});

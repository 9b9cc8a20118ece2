import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatHttpDate } from '../../libs/caching/src/http/semantics/http-date.js';
import { type RangeSource, selectRange } from '../../libs/caching/src/http/semantics/range.js';
import { anyLatin1 } from '../support/latin1.js';

const NOW = Date.UTC(2026, 0, 1);
const at = (seconds: number) => formatHttpDate(NOW + seconds * 1000);
const RUNS = { numRuns: 2_000 };
const BODY = '01234567890';
const SOURCE: RangeSource = {
  status: 200,
  length: BODY.length,
  etag: '"abc"',
  lastModified: at(-3000),
  date: NOW,
};

/** The bytes that are sent, or what is said instead. */
function cut(range: string, given: Partial<RangeSource> = {}, ifRange?: string, method = 'GET'): string {
  const outcome = selectRange({ method, range, ifRange }, { ...SOURCE, ...given }, NOW);
  if (outcome.kind === 'full') return 'full';
  if (outcome.kind === 'unsatisfiable') return outcome.contentRange;
  return `${BODY.slice(outcome.start, outcome.end)} of ${outcome.contentRange}`;
}

describe('a range of a stored response', () => {
  it.each([
    ['first bytes (partial-store-complete-reuse-partial)', 'bytes=0-1', '01 of bytes 0-1/11'],
    ['to the end (…-reuse-partial-no-last)', 'bytes=1-', '1234567890 of bytes 1-10/11'],
    ['last bytes (…-reuse-partial-suffix)', 'bytes=-1', '0 of bytes 10-10/11'],
    ['a unit in capitals', 'BYTES=0-0', '0 of bytes 0-0/11'],
    ['an empty member beside it', 'bytes=, 2-3 ,', '23 of bytes 2-3/11'],
    ['more than there is', 'bytes=9-99999999999999999999', '90 of bytes 9-10/11'],
    ['more last bytes than there are', 'bytes=-12', '01234567890 of bytes 0-10/11'],
    ['all of it', 'bytes=0-', '01234567890 of bytes 0-10/11'],
    ['a start behind the end', 'bytes=11-', 'bytes */11'],
    ['a huge start', 'bytes=99999999999999999999-', 'bytes */11'],
    ['no last bytes', 'bytes=-0', 'bytes */11'],
    ['several', 'bytes=0-1,3-4', 'full'],
    ['an end before the start', 'bytes=3-2', 'full'],
    ['another unit', 'items=0-1', 'full'],
    ['neither start nor end', 'bytes=-', 'full'],
    ['none at all', 'bytes=', 'full'],
    ['signs', 'bytes=+1-2', 'full'],
    ['space within', 'bytes=1 - 2', 'full'],
    ['fractions', 'bytes=1.0-2', 'full'],
    ['no unit', '0-1', 'full'],
  ])('with %s is what was asked for', (_, range, expected) => {
    expect(cut(range)).toBe(expected);
  });

  it('is full for methods and statuses that have none, and of an empty body where last bytes are wanted', () => {
    expect(cut('bytes=0-1', {}, undefined, 'HEAD')).toBe('full');
    expect(cut('bytes=0-1', { status: 404 })).toBe('full');
    expect(cut('bytes=-5', { length: 0 })).toBe('full');
    expect(cut('bytes=0-5', { length: 0 })).toBe('bytes */0');
  });

  it.each<[string, string, Partial<RangeSource>, boolean]>([
    ['the same strong tag', '"abc"', {}, true],
    ['another tag', '"abd"', {}, false],
    ['a weak tag', 'W/"abc"', {}, false],
    ['a tag of a weak one', '"abc"', { etag: 'W/"abc"' }, false],
    ['a tag where there is none', '"abc"', { etag: undefined }, false],
    ['two tags', '"abc", "abd"', {}, false],
    ['the same date', at(-3000), {}, true],
    ['a later date', at(-2999), {}, false],
    ['a date of the second it was made in', at(-3000), { date: NOW - 2_999_001 }, false],
    ['a date where none is known', at(-3000), { lastModified: undefined }, false],
    ['neither tag nor date', 'abc', {}, false],
    ['any', '*', {}, false],
  ])('with If-Range of %s is cut only if what the client has is the same', (_, ifRange, given, same) => {
    expect(cut('bytes=0-1', given, ifRange)).toBe(same ? '01 of bytes 0-1/11' : 'full');
  });

  it('is within the body, not empty, and says where it is from, whatever is asked for', () => {
    const number = fc.oneof(fc.nat(30).map(String), fc.constantFrom('', '0', '9'.repeat(30), 'x', '-1'));
    const range = fc.oneof(
      fc.tuple(number, number).map(([from, to]) => `bytes=${from}-${to}`),
      anyLatin1().map((text) => `bytes=${text}`),
      anyLatin1(),
    );
    fc.assert(
      fc.property(range, fc.nat(20), (asked, length) => {
        const outcome = selectRange(
          { method: 'GET', range: asked, ifRange: undefined },
          { ...SOURCE, length },
          NOW,
        );
        if (outcome.kind !== 'partial') return;
        const { start, end, contentRange } = outcome;
        expect(start >= 0 && start < end && end <= length).toBe(true);
        expect(contentRange).toBe(`bytes ${start}-${end - 1}/${length}`);
        const [, from = '', to = ''] = /(\d*)-(\d*)/.exec(asked) ?? [];
        const expected =
          from === ''
            ? [Math.max(0, length - Number(to)), length]
            : [Number(from), to === '' ? length : Math.min(length, Number(to) + 1)];
        expect([start, end]).toEqual(expected);
      }),
      RUNS,
    );
  });
});

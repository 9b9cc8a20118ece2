import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCacheControl } from '../../libs/caching/src/http/semantics/cache-control.js';
import { parseDirectives } from '../../libs/caching/src/http/semantics/directive-list.js';
import { parseTargetedCacheControl } from '../../libs/caching/src/http/semantics/targeted-cache-control.js';
import { anyLatin1 } from '../support/latin1.js';

const NOTHING = parseCacheControl(undefined);
const RUNS = { numRuns: 2_000 };

describe('Cache-Control of a response', () => {
  // In brackets, where there is one, the name of the test in http-tests/cache-tests.
  it.each([
    ['max-age=60 (freshness-max-age)', 'max-age=60', { lifetime: 60 }],
    ['any case (freshness-max-age-case-insenstive)', 'MaX-aGe=60', { lifetime: 60 }],
    ['a quoted number (freshness-max-age-quoted)', 'max-age="60"', { lifetime: 60 }],
    ['escapes in quotes', 'max-age="6\\0"', { lifetime: 60 }],
    ['leading zeros (freshness-max-age-leading-zero)', 'max-age=0060', { lifetime: 60 }],
    ['single quotes as invalid (freshness-max-age-single-quoted)', "max-age='60'", { lifetime: 0 }],
    ['space before the = as invalid (…-space-before-equals)', 'max-age =60', { lifetime: 0 }],
    ['space after the = as invalid (…-space-after-equals)', 'max-age= 60', { lifetime: 0 }],
    ['fractions as invalid (freshness-max-age-decimal-five)', 'max-age=60.5', { lifetime: 0 }],
    ['leading letters as invalid (freshness-max-age-a100)', 'max-age=a100', { lifetime: 0 }],
    ['trailing letters as invalid (freshness-max-age-100a)', 'max-age=100a', { lifetime: 0 }],
    ['negative ones as invalid (freshness-max-age-negative)', 'max-age=-60', { lifetime: 0 }],
    ['no number as invalid', 'max-age', { lifetime: 0 }],
    ['2^31 (freshness-max-age-max)', 'max-age=2147483648', { lifetime: 2 ** 31 }],
    ['more than 2^31 as 2^31 (freshness-max-age-max-plus)', 'max-age=99999999999', { lifetime: 2 ** 31 }],
    ['the shortest of two (…-two-fresh-stale-sameline)', 'max-age=1800, max-age=1', { lifetime: 1 }],
    [
      'the shortest of two, reversed (…-two-stale-fresh-sameline)',
      'max-age=1, max-age=1800',
      { lifetime: 1 },
    ],
    ['two lines (…-two-fresh-stale-sepline)', ['max-age=1800', 'max-age=1'], { lifetime: 1 }],
    ['unknown directives not at all (freshness-max-age-extension)', 'foobar, max-age=60', { lifetime: 60 }],
    [
      'nothing within quotes (freshness-max-age-ignore-quoted)',
      'extension="max-age=3600", max-age=1',
      { lifetime: 1 },
    ],
    ['nothing within quotes (…-ignore-quoted-rev)', 'max-age=1, extension="max-age=3600"', { lifetime: 1 }],
    ['commas and escaped quotes in them', 'x="a\\", no-store", max-age=5', { lifetime: 5 }],
    ['empty members', ', ,max-age=60,,', { lifetime: 60 }],
    ['a part of a name as another name', 'x-no-store, no-storey', {}],
    ['a no-store (cc-resp-no-store-case-insensitive)', 'No-StOrE', { noStore: true }],
    ['a no-store with junk behind it', 'no-store;x', { noStore: true }],
    ['a private (cc-resp-private-shared)', 'private', { isPrivate: true }],
    ['a private for some fields as for all', 'private="x, y"', { isPrivate: true }],
    ['a no-cache (cc-resp-no-cache)', 'No-CaChE', { noCache: true, staleForbidden: true }],
    [
      'a no-cache for some fields as for all',
      'no-cache="set-cookie"',
      { noCache: true, staleForbidden: true },
    ],
    ['immutable not at all (RFC 8246)', 'immutable', {}],
    ['a no-transform', 'no-transform', { noTransform: true }],
    ['proxy-revalidate', 'proxy-revalidate', { staleForbidden: true }],
    ['must-revalidate', 'must-revalidate', { staleForbidden: true, sharedDespiteAuthorization: true }],
    ['public', 'public', { sharedDespiteAuthorization: true }],
    ['public with an argument as nothing', 'public=1', {}],
    ['public twice, once with an argument, as nothing', 'public, public=1', {}],
    [
      's-maxage over a longer max-age (freshness-max-age-s-maxage-shared-longer)',
      'max-age=3600, s-maxage=1',
      { lifetime: 1, staleForbidden: true, sharedDespiteAuthorization: true },
    ],
    [
      's-maxage over a shorter max-age (freshness-max-age-s-maxage-shared-shorter)',
      'max-age=1, s-maxage=3600',
      { lifetime: 3600, staleForbidden: true, sharedDespiteAuthorization: true },
    ],
    ['an invalid s-maxage as stale', 'max-age=60, s-maxage=x', { lifetime: 0, staleForbidden: true }],
    [
      'stale windows',
      'max-age=1, stale-while-revalidate=2, stale-if-error="3"',
      { lifetime: 1, staleWhileRevalidate: 2, staleIfError: 3 },
    ],
    ['a stale window that is none as none', 'stale-while-revalidate=x', { staleWhileRevalidate: 0 }],
    ['must-understand', 'must-understand, no-store', { mustUnderstand: true, noStore: true }],
    ['a string without end, and all in it', 'x="y, no-store, max-age=60', { noStore: true, lifetime: 0 }],
    ['a quote where none can stand', 'x= "y, public, max-age=60, z"', { lifetime: 0 }],
  ])('reads %s', (_, value, said) => {
    expect(parseCacheControl(value)).toEqual({ ...NOTHING, ...said });
  });

  it('never throws, and never says a time that is no time', () => {
    fc.assert(
      fc.property(fc.array(anyLine()), (lines) => {
        const { lifetime, staleIfError, staleWhileRevalidate } = parseCacheControl(lines);
        for (const seconds of [lifetime, staleIfError, staleWhileRevalidate]) {
          expect(seconds === undefined || (seconds >= 0 && seconds <= 2 ** 31)).toBe(true);
        }
      }),
      RUNS,
    );
  });

  it('keeps a directive that forbids, whatever lines come before and behind it', () => {
    fc.assert(
      fc.property(fc.array(anyLine()), fc.array(anyLine()), (before, behind) => {
        const said = parseCacheControl([...before, 'no-store, private, no-cache', ...behind]);
        expect(said).toMatchObject({ noStore: true, isPrivate: true, noCache: true, staleForbidden: true });
      }),
      RUNS,
    );
  });

  it('reads what was written, whatever the case, the order of lines and the quotes', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 ** 31 }),
        fc.mixedCase(fc.constant('max-age')),
        fc.boolean(),
        fc.array(fc.stringMatching(/^x[a-z]{0,5}(="[ -!#-[\]-~]{0,9}")?$/)),
        (seconds, name, quoted, extensions) => {
          const own = quoted ? `${name}="${seconds}"` : `${name}=${seconds}`;
          expect(parseCacheControl([...extensions, own].join(' , ')).lifetime).toBe(seconds);
          expect(parseCacheControl([own, ...extensions]).lifetime).toBe(seconds);
        },
      ),
      RUNS,
    );
  });

  it('takes time in proportion to its length, also where quotes are meant to hurt', () => {
    const directives = parseDirectives('\\"'.repeat(500_000));
    expect(directives.misquoted).toBe(true);
    expect(parseDirectives(`x="${'\\"'.repeat(500_000)}"`)).toMatchObject({ misquoted: false });
  });
});

describe('CDN-Cache-Control (RFC 9213)', () => {
  it.each([
    ['max-age (cdn-max-age)', 'max-age=60', { lifetime: 60 }],
    ['more than 2^31 as 2^31 (cdn-max-age-max-plus)', 'max-age=99999999999', { lifetime: 2 ** 31 }],
    ['extensions (cdn-max-age-extension)', 'foobar, max-age=60, a=(1 2);b, c=:AA==:', { lifetime: 60 }],
    ['a life that is over (cdn-max-age-0)', 'max-age=0', { lifetime: 0 }],
    ['a negative life as over', 'max-age=-5', { lifetime: 0 }],
    ['the last of duplicates (RFC 9651 §4.2.2)', 'max-age=60, max-age=1', { lifetime: 1 }],
    ['parameters not at all', 'max-age=60;x=1', { lifetime: 60 }],
    ['private (cdn-private)', 'private', { isPrivate: true }],
    ['no-cache (cdn-no-cache)', 'no-cache="a, b"', { noCache: true, staleForbidden: true }],
    ['no-store (cdn-no-store-cc-fresh)', 'no-store', { noStore: true }],
    ['several lines', ['max-age=60', 'stale-if-error=5'], { lifetime: 60, staleIfError: 5 }],
    ['one that says nothing of use, and still counts', 'foo', {}],
  ])('reads %s', (_, value, said) => {
    expect(parseTargetedCacheControl(value)).toEqual({ ...NOTHING, ...said });
  });

  it.each([
    ['absent', undefined],
    ['empty', ''],
    ['blank', ['', '  ']],
    ['no Dictionary (cdn-cc-invalid-sh-type-unknown)', 'max-age=10000, &&&&&'],
    ['of another type (cdn-cc-invalid-sh-type-wrong)', 'max-age="10000"'],
    ['a fraction', 'max-age=60.5'],
    ['a token', 'max-age=soon'],
    ['a flag with a value', 'no-store=1'],
    ['a flag that says no', 'max-age=60, no-store=?0'],
    ['a number of fields', 'private=1'],
    ['upper case (cdn-max-age-case-insensitive)', 'MaX-aGe=3600'],
    ['space before the = (cdn-max-age-space-before-equals)', 'max-age =100'],
    ['space after the = (cdn-max-age-space-after-equals)', 'max-age= 100'],
    ['too large for an Integer', 'max-age=9999999999999999'],
    ['ended by a comma', 'max-age=60,'],
  ])('is ignored as a whole where it is %s', (_, value) => {
    expect(parseTargetedCacheControl(value)).toBeUndefined();
  });

  it('never throws, and never says a time that is no time', () => {
    fc.assert(
      fc.property(fc.array(anyLine(), { maxLength: 3 }), (lines) => {
        const lifetime = parseTargetedCacheControl(lines)?.lifetime;
        expect(lifetime === undefined || (lifetime >= 0 && lifetime <= 2 ** 31)).toBe(true);
      }),
      RUNS,
    );
  });
});

/** Lines that look like the field, and lines that look like nothing. */
function anyLine(): fc.Arbitrary<string> {
  const names = fc.constantFrom('max-age', 's-maxage', 'no-store', 'private', 'public', 'x');
  const signs = fc.constantFrom('=', ',', ' ', '"', '\\', ';', '(', ')', '\t', '\u00e9');
  const values = fc.constantFrom('60', '-1', '1.5', '?1');
  const pieces = fc.oneof(names, signs, values);
  return fc.oneof(
    fc.array(pieces, { maxLength: 20 }).map((some) => some.join('')),
    anyLatin1(),
  );
}

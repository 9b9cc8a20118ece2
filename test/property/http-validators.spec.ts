import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isNotModified,
  isSentOn304,
  type SelectedResponse,
} from '../../libs/caching/src/http/semantics/conditional.js';
import {
  matchesStrongly,
  matchesWeakly,
  parseEntityTag,
  parseEntityTags,
  strongTagOf,
  tagOfVariant,
} from '../../libs/caching/src/http/semantics/entity-tag.js';
import { formatHttpDate } from '../../libs/caching/src/http/semantics/http-date.js';
import { anyLatin1 } from '../support/latin1.js';

const NOW = Date.UTC(2026, 0, 1);
const at = (seconds: number) => formatHttpDate(NOW + seconds * 1000);
const RUNS = { numRuns: 2_000 };
const SELECTED: SelectedResponse = { status: 200, etag: '"abcdef"', lastModified: at(-3000), date: NOW };

function asked(
  fields: { inm?: string; ims?: string; method?: string },
  selected: Partial<SelectedResponse> = {},
) {
  const { inm, ims, method = 'GET' } = fields;
  return isNotModified({ method, ifNoneMatch: inm, ifModifiedSince: ims }, { ...SELECTED, ...selected }, NOW);
}

describe('If-None-Match', () => {
  it.each<[string, string, string | undefined, boolean]>([
    ['the same strong tag (conditional-etag-strong-respond)', '"abcdef"', '"abcdef"', true],
    ['another one', '"abcde"', '"abcdef"', false],
    ['the same weak tag (conditional-etag-weak-respond)', 'W/"abcdef"', 'W/"abcdef"', true],
    ['a weak tag of a strong one', 'W/"abcdef"', '"abcdef"', true],
    ['a strong tag of a weak one', '"abcdef"', 'W/"abcdef"', true],
    ['the first of some (…-multiple-first)', '"abcdef", "1234", "5678"', '"abcdef"', true],
    ['the second of some (…-multiple-second)', '"1234", "abcdef", "5678"', '"abcdef"', true],
    ['the last of some (…-multiple-last)', '"1234","5678",\t"abcdef"', '"abcdef"', true],
    ['empty members beside it', ', "abcdef",,', '"abcdef"', true],
    ['obs-text (conditional-etag-strong-respond-obs-text)', '"abcdef\u00fc"', '"abcdef\u00fc"', true],
    ['a comma in it', '"x,y"', '"x,y"', true],
    ['a part of one with a comma', '"x"', '"x,y"', false],
    ['any', ' * ', undefined, true],
    ['any among others, which is malformed', '*, "abcdef"', '"abcdef"', false],
    ['no quotes (conditional-etag-quoted-respond-unquoted)', 'abcdef', '"abcdef"', false],
    ['no quotes on either side (…-unquoted-respond-unquoted)', 'abcdef', 'abcdef', false],
    ['a small w (conditional-etag-weak-respond-lowercase)', 'w/"abcdef"', 'w/"abcdef"', false],
    ['a tag where ours has a small w', '"abcdef"', 'w/"abcdef"', false],
    ['a backslash (conditional-etag-weak-respond-backslash)', 'W\\"abcdef"', 'W\\"abcdef"', false],
    ['half a list', '"abcdef", "1234', '"abcdef"', false],
    ['no comma between', '"abcdef" "1234"', '"abcdef"', false],
    ['nothing', '', '"abcdef"', false],
    ['a tag where there is none', '"abcdef"', undefined, false],
  ])('with %s is answered by 304 as it should', (_, inm, etag, expected) => {
    expect(asked({ inm }, { etag })).toBe(expected);
  });

  it('goes before If-Modified-Since, matching or not, valid or not (conditional-etag-precedence)', () => {
    expect(asked({ inm: '"abcdef"', ims: at(-5000) })).toBe(true);
    expect(asked({ inm: '"other"', ims: at(-1) })).toBe(false);
    expect(asked({ inm: 'malformed', ims: at(-1) })).toBe(false);
  });

  it('counts for GET and HEAD, and where the answer would be a success', () => {
    expect(asked({ inm: '*', method: 'HEAD' })).toBe(true);
    expect(asked({ inm: '*', method: 'POST' })).toBe(false);
    expect(asked({ inm: '*' }, { status: 404 })).toBe(false);
    expect(asked({ inm: '*' }, { status: 301 })).toBe(false);
    expect(asked({ inm: '*' }, { status: 203 })).toBe(true);
  });
});

describe('If-Modified-Since', () => {
  it.each<[string, string, Partial<SelectedResponse>, boolean]>([
    ['the same date (conditional-lm-fresh)', at(-3000), {}, true],
    ['a later one (conditional-lm-fresh-earlier)', at(-2000), {}, true],
    ['an earlier one', at(-3001), {}, false],
    [
      'an equivalent rfc850 date (conditional-lm-fresh-rfc850)',
      'Wednesday, 31-Dec-25 23:10:00 GMT',
      {},
      true,
    ],
    ['what is no date', '2050', {}, false],
    ['two dates', `${at(0)}, ${at(0)}`, {}, false],
    ['a date where Last-Modified is none', at(0), { lastModified: 'yesterday' }, false],
    ['when it was generated where there is no Last-Modified', at(0), { lastModified: undefined }, true],
    ['a date before that', at(-1), { lastModified: undefined }, false],
    ['a date where nothing is known', at(0), { lastModified: undefined, date: undefined }, false],
  ])('with %s is answered by 304 as it should', (_, ims, selected, expected) => {
    expect(asked({ ims }, selected)).toBe(expected);
  });
});

describe('304', () => {
  it('is sent only for a tag that is on the list, whatever else is there', () => {
    fc.assert(
      fc.property(fc.array(anyTag(), { maxLength: 6 }), anyTag(), (list, etag) => {
        const opaque = (tag: string) => tag.replace(/^W\//, '');
        const expected = list.some((tag) => opaque(tag) === opaque(etag));
        expect(asked({ inm: list.join(', ') }, { etag })).toBe(expected);
      }),
      RUNS,
    );
  });

  it('is never sent by throwing, nor for a list without the tag in it', () => {
    fc.assert(
      fc.property(anyLatin1(), anyLatin1(), (inm, etag) => {
        const matched = asked({ inm }, { etag });
        expect(!matched || inm.trim() === '*' || inm.includes(etag.replace(/^W\//, ''))).toBe(true);
        expect(asked({ inm: '"x"' }, { etag: undefined })).toBe(false);
      }),
      RUNS,
    );
  });

  it('has the fields that RFC 9110 §15.4.5 wants, and none of the body', () => {
    for (const name of [
      'cache-control',
      'content-location',
      'date',
      'etag',
      'expires',
      'vary',
      'x-own',
      'age',
    ]) {
      expect(isSentOn304(name, true)).toBe(true);
    }
    for (const name of ['content-length', 'content-type', 'content-encoding', 'transfer-encoding']) {
      expect(isSentOn304(name, true)).toBe(false);
    }
    expect(isSentOn304('last-modified', true)).toBe(false);
    expect(isSentOn304('last-modified', false)).toBe(true);
  });
});

describe('an entity tag', () => {
  it('compares as in the table of RFC 9110 §8.8.3.2', () => {
    const pairs: [string, string, boolean, boolean][] = [
      ['W/"1"', 'W/"1"', false, true],
      ['W/"1"', 'W/"2"', false, false],
      ['W/"1"', '"1"', false, true],
      ['"1"', '"1"', true, true],
    ];
    for (const [left, right, strong, weak] of pairs) {
      const [a, b] = [parseEntityTag(left), parseEntityTag(right)];
      if (a === undefined || b === undefined) throw new Error('both are tags');
      expect([matchesStrongly(a, b), matchesWeakly(a, b)]).toEqual([strong, weak]);
    }
  });

  it('made of bytes is strong and valid, the same for the same bytes and another for others', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.uint8Array({ maxLength: 64 }), (a, b) => {
        const tag = strongTagOf(a);
        expect(parseEntityTag(tag)).toEqual({ weak: false, opaque: tag });
        expect(strongTagOf(Buffer.from(a))).toBe(tag);
        expect(strongTagOf(b) === tag).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)) === 0);
      }),
      RUNS,
    );
  });

  it('of a variant is valid, strong where its own is, and another one in each coding', () => {
    fc.assert(
      fc.property(anyTag(), (tag) => {
        const variants = ['identity', 'gzip', 'br'].map((coding) => tagOfVariant(tag, coding));
        expect(variants.map((variant) => parseEntityTag(variant)?.weak)).toEqual(
          variants.map(() => tag.startsWith('W/')),
        );
        expect(new Set(variants).size).toBe(tag.startsWith('W/') ? 1 : 3);
        expect(variants[0]).toBe(tag);
      }),
      RUNS,
    );
    expect(tagOfVariant('unquoted', 'gzip')).toBe('unquoted');
  });

  it('is looked for in time in proportion to the length of the list', () => {
    expect(parseEntityTags('"a" ,'.repeat(200_000))).toHaveLength(200_000);
    expect(parseEntityTags(`${' ,'.repeat(200_000)}x`)).toBeUndefined();
    expect(parseEntityTags(`"a"${' '.repeat(200_000)}x`)).toBeUndefined();
    expect(parseEntityTags(`${' '.repeat(200_000)}x`)).toBeUndefined();
  });
});

function anyTag(): fc.Arbitrary<string> {
  return fc
    .tuple(fc.constantFrom('', 'W/'), fc.stringMatching(/^[!#-~\u0080-\u00ff]{0,3}$/))
    .map(([weak, text]) => `${weak}"${text}"`);
}

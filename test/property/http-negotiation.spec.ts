import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ContentCoding,
  negotiateCoding,
  normaliseEncodings,
  refusesIdentity,
} from '../../libs/caching/src/http/semantics/accept-encoding.js';
import { normaliseLanguages } from '../../libs/caching/src/http/semantics/accept-language.js';
import { parseWeighted } from '../../libs/caching/src/http/semantics/weighted-list.js';
import { anyLatin1 } from '../support/latin1.js';

const RUNS = { numRuns: 2_000 };
const OFFERED: readonly ContentCoding[] = ['br', 'gzip', 'zstd'];

describe('Accept-Encoding', () => {
  it.each<[string, string | undefined, string]>([
    ['nothing said', undefined, 'identity'],
    ['an empty field', '', 'identity'],
    ['one', 'gzip', 'gzip'],
    ['some alike: the first of ours', 'gzip, br', 'br'],
    ['the one liked best', 'br;q=0.5, gzip;q=0.9', 'gzip'],
    ['in capitals, with space', 'GZIP ; Q=1.000 ,, BR;q=0', 'gzip'],
    ['x-gzip', 'x-gzip', 'gzip'],
    ['x-gzip refused, the rest not', 'x-gzip;q=0, *', 'br'],
    ['unknown ones', 'compress, x-own', 'identity'],
    ['anything', '*', 'br'],
    ['anything but', '*, br;q=0', 'gzip'],
    ['nothing but', '*;q=0, gzip', 'gzip'],
    ['identity rather', 'gzip;q=0.5, identity', 'identity'],
    ['anything rather, which identity is as well', 'br;q=0.5, gzip;q=0.5, zstd;q=0.5, *', 'identity'],
    ['identity no less', 'gzip, identity', 'gzip'],
    ['identity refused', 'identity;q=0, gzip;q=0.1', 'gzip'],
    ['everything refused', '*;q=0', 'identity'],
    ['refused by many zeros', 'gzip;q=0.000', 'identity'],
    ['refused and not', 'gzip, gzip;q=0', 'identity'],
    ['a weight that is none', 'gzip;q=abc', 'identity'],
    ['a weight of more than 1', 'gzip;q=5', 'identity'],
    ['a weight of four digits', 'gzip;q=0.0001', 'identity'],
    ['a negative weight', 'gzip;q=-1', 'identity'],
    ['no weight behind the q', 'gzip;q=', 'identity'],
    ['something else than a weight', 'gzip;level=9', 'identity'],
    ['two weights', 'gzip;q=1;q=0', 'identity'],
  ])('with %s is answered as it says', (_, header, expected) => {
    expect(negotiateCoding(header, OFFERED)).toBe(expected);
  });

  it('is answered by what there is', () => {
    expect(negotiateCoding('br, gzip', ['gzip'])).toBe('gzip');
    expect(negotiateCoding('br', ['gzip'])).toBe('identity');
    expect(negotiateCoding('br', [])).toBe('identity');
  });

  it('tells whether the plain body is refused', () => {
    expect([undefined, '', 'gzip', '*', '*;q=0, identity;q=0.1'].map(refusesIdentity)).toEqual(
      Array.from({ length: 5 }, () => false),
    );
    expect(['identity;q=0', '*;q=0', 'gzip, *;q=0', 'identity;q=x, *'].map(refusesIdentity)).toEqual(
      Array.from({ length: 4 }, () => true),
    );
  });

  it('never brings a client what it refuses, nor identity where it refuses that and takes another', () => {
    fc.assert(
      fc.property(anyField(), fc.subarray([...OFFERED]), (members, offered) => {
        const chosen = negotiateCoding(members.map(({ text }) => text).join(','), offered);
        const highest = Math.max(0, ...offered.map((coding) => said(members, coding) ?? 0));
        const own = said(members, chosen);
        const isWished = chosen === 'identity' ? own !== 0 || highest === 0 : own !== 0 && own === highest;
        expect(isWished).toBe(true);
      }),
      RUNS,
    );
  });

  it('is never read by throwing, and brings only what there is', () => {
    fc.assert(
      fc.property(anyLatin1(), fc.subarray([...OFFERED]), (header, offered) => {
        expect(['identity', ...offered]).toContain(negotiateCoding(header, offered));
        expect(normaliseEncodings(header)).toMatch(/^([a-z]+([=>][a-z]+)*)?$/);
      }),
      RUNS,
    );
  });

  it('in a key is the same for clients who are answered the same by any server', () => {
    expect(normaliseEncodings('gzip, deflate, br')).toBe('br=deflate=gzip>identity');
    expect(normaliseEncodings('br;q=1.0,x-own, GZIP,deflate ')).toBe('br=deflate=gzip>identity');
    expect(normaliseEncodings('gzip;q=0.5, br, *;q=0')).toBe('br>gzip');
    expect(normaliseEncodings('')).toBe('identity');
    expect(normaliseEncodings('*;q=0')).toBe('');
    fc.assert(
      fc.property(anyField(), anyField(), fc.subarray([...OFFERED]), (one, other, offered) => {
        const [a, b] = [one, other].map((members) => members.map(({ text }) => text).join(',')) as [
          string,
          string,
        ];
        if (normaliseEncodings(a) !== normaliseEncodings(b)) return;
        expect(negotiateCoding(a, offered)).toBe(negotiateCoding(b, offered));
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('Accept-Language in a key', () => {
  it.each<[string, readonly string[], string]>([
    ['en, de', ['de', 'en'], 'en,de'],
    ['de;q=0.5, en', ['de', 'en'], 'en,de'],
    ['fr, es;q=0.9', ['de', 'en'], ''],
    ['', ['de', 'en'], ''],
    ['de-CH', ['de', 'en'], 'de'],
    ['de', ['de-CH', 'en'], 'de-ch'],
    ['de-CH, de;q=0.1', ['de', 'de-CH'], 'de-ch,de'],
    ['DE-ch ; Q=0.4 , *;q=0.5', ['de', 'en'], 'en,de'],
    ['*, en;q=0', ['de', 'en'], 'de'],
    ['den, d', ['de'], ''],
  ])('of %s where %j are declared is %s', (header, declared, expected) => {
    expect(normaliseLanguages(header, declared)).toBe(expected);
  });

  it('names only what is declared, each once, and nothing that is refused', () => {
    const declared = ['de', 'de-CH', 'en', 'fr'];
    const ranges = fc.constantFrom('de', 'de-ch', 'de-at', 'en', 'en-gb', 'fr', '*', 'x');
    fc.assert(
      fc.property(fc.array(anyMember(ranges), { maxLength: 5 }), (members) => {
        const found = normaliseLanguages(members.map(({ text }) => text).join(', '), declared).split(',');
        expect(new Set(found).size).toBe(found.length);
        for (const language of found.filter((name) => name !== '')) {
          expect(declared.map((name) => name.toLowerCase())).toContain(language);
          expect(members.some(({ name, weight }) => name === language && weight === 0)).toBe(false);
        }
      }),
      RUNS,
    );
  });
});

describe('weights', () => {
  it('are read as RFC 9110 §12.4.2 writes them, from 0 to 1', () => {
    fc.assert(
      fc.property(anyLatin1(), (text) => {
        for (const weight of parseWeighted(text).values()) expect(weight >= 0 && weight <= 1).toBe(true);
      }),
      RUNS,
    );
    expect([...parseWeighted('a;q=0.25, b;q=1., c;q=0., "d", e f')]).toEqual([
      ['a', 0.25],
      ['b', 1],
      ['c', 0],
    ]);
  });
});

interface Member {
  readonly name: string;
  readonly weight: number;
  readonly text: string;
}

function anyMember(names: fc.Arbitrary<string>): fc.Arbitrary<Member> {
  return fc.tuple(names, fc.constantFrom(0, 0.1, 0.5, 1), fc.boolean()).map(([name, weight, spaced]) => ({
    name,
    weight,
    text: `${spaced ? ' ' : ''}${name}${spaced ? ' ; ' : ';'}q=${weight}`,
  }));
}

function anyField(): fc.Arbitrary<Member[]> {
  const names = fc.constantFrom('br', 'gzip', 'x-gzip', 'zstd', 'identity', '*', 'x');
  return fc.array(anyMember(names), { maxLength: 5 });
}

/** What a client said of a coding, worked out another way: the lowest of what names it, else of the asterisk. */
function said(members: readonly Member[], coding: string): number | undefined {
  const weights = (wanted: string) =>
    members.filter(({ name }) => name.replace('x-gzip', 'gzip') === wanted).map(({ weight }) => weight);
  const own = weights(coding);
  const all = own.length > 0 ? own : weights('*');
  return all.length > 0 ? Math.min(...all) : undefined;
}

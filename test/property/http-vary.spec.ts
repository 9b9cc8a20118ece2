import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  MAX_SECONDARY_KEY,
  MAX_VARY_NAMES,
  parseVary,
  secondaryKey,
} from '../../libs/caching/src/http/semantics/vary.js';
import { anyLatin1 } from '../support/latin1.js';

const RUNS = { numRuns: 2_000 };

describe('Vary', () => {
  it.each<[string, string | string[] | undefined, readonly string[] | undefined]>([
    ['absent', undefined, []],
    ['empty', '', []],
    ['a name', 'Foo', ['foo']],
    ['some, sorted, each once', 'foo, Bar,,FOO ,', ['bar', 'foo']],
    ['some on two lines', ['foo', 'Bar'], ['bar', 'foo']],
    ['* (vary-syntax-star)', '*', undefined],
    ['*, * (vary-syntax-star-star)', '*, *', undefined],
    ['* twice (vary-syntax-star-star-lines)', ['*', '*'], undefined],
    [', * (vary-syntax-empty-star)', ', *', undefined],
    ['* on the second line (vary-syntax-empty-star-lines)', ['', '*'], undefined],
    ['*, Foo (vary-syntax-star-foo)', '*, Foo', undefined],
    ['Foo, * (vary-syntax-foo-star)', 'Foo, *', undefined],
    ['what is no name', 'foo bar', undefined],
    ['a quoted name', '"foo"', undefined],
    ['a name longer than any', 'x'.repeat(65), undefined],
    ['too many', Array.from({ length: MAX_VARY_NAMES + 1 }, (_, at) => `x${at}`), undefined],
    [
      'as many as may be',
      Array.from({ length: 3 }, () => Array.from({ length: 9 }, (_, at) => `x${at}`).join()),
      ['x0', 'x1', 'x2', 'x3', 'x4', 'x5', 'x6', 'x7', 'x8'],
    ],
  ])('of %s is read as it is', (_, value, names) => {
    expect(parseVary(value)).toEqual(names);
  });

  it('is never read by throwing, and only as names', () => {
    fc.assert(
      fc.property(fc.array(anyLatin1(), { maxLength: 3 }), (lines) => {
        for (const name of parseVary(lines) ?? []) expect(name).toMatch(/^[!-~]{1,64}$/);
      }),
      RUNS,
    );
  });
});

describe('a secondary key', () => {
  const key = (headers: Record<string, string | string[]>, names = ['bar', 'foo']) =>
    secondaryKey(names, headers);

  it('is the same for requests that mean the same', () => {
    // vary-normalise-space and vary-normalise-combine of http-tests/cache-tests; node joins the lines.
    expect(key({ foo: ' 1, 2 ' })).toBe(key({ foo: '1,2' }));
    expect(key({ foo: ['1', '2'] })).toBe(key({ foo: '1,2' }));
    expect(key({ foo: '1', other: '2' })).toBe(key({ foo: '1', other: '3' }));
    expect(key({ 'accept-encoding': 'gzip, br' }, ['accept-encoding'])).toBe(
      key({ 'accept-encoding': 'br,GZIP;q=1.0' }, ['accept-encoding']),
    );
  });

  it('differs where a request omits a field or has another value (vary-omit, vary-no-match)', () => {
    const keys = [{ foo: '1' }, { foo: '2' }, {}, { foo: '' }, { bar: '1' }, { foo: '1', bar: '' }].map(
      (headers) => key(headers as Record<string, string>),
    );
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('differs where a value looks like the end of itself and the next field', () => {
    expect(key({ bar: 'a3:foob' })).not.toBe(key({ bar: 'a', foo: 'b3:foo-' }));
  });

  it('keeps whitespace where it means something', () => {
    expect(key({ foo: '"a, b"' })).not.toBe(key({ foo: '"a,b"' }));
    expect(key({ 'user-agent': 'X (a, b)' }, ['user-agent'])).not.toBe(
      key({ 'user-agent': 'X (a,b)' }, ['user-agent']),
    );
  });

  it('tells languages apart as far as a route declares them', () => {
    const of = (header: string, languages?: string[]) =>
      secondaryKey(['accept-language'], { 'accept-language': header }, { languages });
    expect(of('de-CH, fr;q=0.1', ['de', 'en'])).toBe(of('de', ['de', 'en']));
    expect(of('de-CH, fr;q=0.1', ['de', 'fr'])).not.toBe(of('de', ['de', 'fr']));
    expect(of('de-CH')).not.toBe(of('de'));
    expect(of('DE-ch, *;q=0.1')).toBe(of('de-CH,*;q=0.1'));
    expect(of('fr', ['de'])).not.toBe(secondaryKey(['accept-language'], {}, { languages: ['de'] }));
  });

  it('is none where it would be longer than may be', () => {
    expect(key({ foo: 'x'.repeat(MAX_SECONDARY_KEY) })).toBeUndefined();
    expect(key({ foo: 'x'.repeat(MAX_SECONDARY_KEY - 100) })?.length).toBeLessThanOrEqual(MAX_SECONDARY_KEY);
  });

  it('differs for requests whose fields differ, and not for what they have beside', () => {
    const names = ['bar', 'baz', 'foo'];
    const value = fc.stringMatching(/^[0-9:a-c -]{0,6}$/).map((text) => text.trim());
    const headers = fc.record({ bar: value, baz: value, foo: value }, { requiredKeys: [] });
    fc.assert(
      fc.property(headers, headers, fc.string(), (one, other, beside) => {
        const same = names.every((name) => one[name as 'foo'] === other[name as 'foo']);
        expect(key({ ...one, beside }, names) === key(other, names)).toBe(same);
      }),
      { numRuns: 5_000 },
    );
  });
});

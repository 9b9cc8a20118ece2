import { parse } from 'node:querystring';
import * as fc from 'fast-check';
import { headers, jsonBody, type KeyStrategy, path, query } from 'nestjs-caching';
import { describe, expect, it } from 'vitest';
import { canonicalize, NotCanonical } from '../../libs/caching/src/http/canonical.js';
import { KeyBuilder } from '../../libs/caching/src/http/key-builder.js';
import { RequestView } from '../../libs/caching/src/http/request-view.js';

const RUNS = { numRuns: 500 };
const LIMITS = { maxLength: 65_536, maxDepth: 64 };

/** Lone surrogates, which no URL can hold, as U+FFFD. */
const wellFormed = (value: string): string => Buffer.from(value).toString();
const encoded = (value: string): string => encodeURIComponent(wellFormed(value));

const DELIMITERS = '01:-,"{}[]|#&=%ab.\u0000\uFFFD';

/** Text in which what delimits keys, queries and JSON is common. */
const text = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.string({ unit: fc.constantFrom(...DELIMITERS.split('')), maxLength: 8 }),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 8 }) },
  // Long ones, whose keys are hashed, differing in a single unit that is not well-formed by itself.
  {
    weight: 1,
    arbitrary: fc.constantFrom('\uD800', '\uD801', '\uFFFD').map((unit) => unit + 'x'.repeat(600)),
  },
);

interface Asked {
  readonly path: string;
  readonly query: string;
  readonly headers: Record<string, string>;
  readonly body: unknown;
  readonly principal: string | undefined;
}

const asked: fc.Arbitrary<Asked> = fc.record({
  path: text.map((value) => `/${encoded(value)}`),
  query: fc
    .array(fc.tuple(text, text), { maxLength: 3 })
    .map((pairs) => pairs.map((pair) => pair.map((item) => encoded(item)).join('=')).join('&')),
  headers: fc
    .record({ 'x-a': fc.option(text, { nil: undefined }), 'x-b': fc.option(text, { nil: undefined }) })
    .map(
      (given) =>
        Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Record<
          string,
          string
        >,
    ),
  body: fc.jsonValue({ maxDepth: 3 }),
  principal: fc.option(text, { nil: undefined }),
});

function builder(strategies: readonly KeyStrategy[], scoped = false): KeyBuilder {
  return new KeyBuilder({ namespace: 'n', version: '', route: 'A.a', method: 'POST', scoped, strategies });
}

async function keyOf(
  keys: KeyBuilder,
  { path: at, query: text, headers: given, body, principal }: Asked,
): Promise<string> {
  const url = text === '' ? at : `${at}?${text}`;
  const request = { method: 'POST', url, headers: { ...given, 'content-type': 'application/json' }, body };
  const view = await keys.build(new RequestView(request), principal);
  if ('bypass' in view) throw new Error(`bypass: ${view.bypass}`);
  return view.key;
}

/** What a handler can tell of a query: names in any order, the values of each in theirs. */
function seen(text: string): string {
  const parsed = parse(text);
  return JSON.stringify(
    Object.keys(parsed)
      .sort()
      .map((name) => [name, parsed[name]]),
  );
}

describe('keys', () => {
  const strategies = [query(), headers('x-a', 'x-b'), jsonBody()];

  it('differ wherever path, query, headers, body or principal differ', async () => {
    const keys = builder(strategies, true);
    await fc.assert(
      fc.asyncProperty(asked, asked, async (one, other) => {
        const same =
          one.path === other.path &&
          seen(one.query) === seen(other.query) &&
          one.headers['x-a'] === other.headers['x-a'] &&
          one.headers['x-b'] === other.headers['x-b'] &&
          canonicalize(one.body, LIMITS) === canonicalize(other.body, LIMITS) &&
          one.principal === other.principal;
        expect((await keyOf(keys, one)) === (await keyOf(keys, other))).toBe(same);
      }),
      RUNS,
    );
  });

  it('differ where one part alone does, however like another part it looks', async () => {
    const keys = builder(strategies, true);
    const part = fc.constantFrom('path', 'query', 'headers', 'body', 'principal');
    await fc.assert(
      fc.asyncProperty(asked, part, text, text, async (base, which, a, b) => {
        fc.pre(a !== b && (which !== 'path' || wellFormed(a) !== wellFormed(b)));
        fc.pre(which !== 'query' || wellFormed(a) !== wellFormed(b));
        const withPart = (value: string): Asked => {
          const inUrl = encoded(value);
          switch (which) {
            case 'path':
              return { ...base, path: `/${inUrl}` };
            case 'query':
              return { ...base, query: `q=${inUrl}` };
            case 'headers':
              return { ...base, headers: { ...base.headers, 'x-a': value } };
            case 'body':
              return { ...base, body: { value } };
            default:
              return { ...base, principal: value };
          }
        };
        expect(await keyOf(keys, withPart(a))).not.toBe(await keyOf(keys, withPart(b)));
      }),
      RUNS,
    );
  });

  it('differ where a piece of text stands on one or the other side of a boundary', async () => {
    const keys = builder([query(), headers('x-a', 'x-b')], true);
    const sides = fc.constantFrom(
      ...([
        ['path', 'query'],
        ['query', 'principal'],
        ['principal', 'x-a'],
        ['x-a', 'x-b'],
      ] as const),
    );
    // Digits, colons and dashes: what lengths and absent values are written with.
    const whole = fc.string({
      unit: fc.constantFrom('0', '1', '2', ':', '-', 'a'),
      minLength: 1,
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(sides, whole, fc.nat(8), fc.nat(8), async ([left, right], given, one, other) => {
        fc.pre(one < other && other <= given.length);
        const split = (at: number): Asked => {
          const parts = { path: '', query: '', principal: '', 'x-a': '', 'x-b': '' };
          parts[left] = given.slice(0, at);
          parts[right] = given.slice(at);
          const { path: own, query: text, principal, ...values } = parts;
          return { path: `/${own}`, query: text, principal, headers: values, body: undefined };
        };
        expect(await keyOf(keys, split(one))).not.toBe(await keyOf(keys, split(other)));
      }),
      { numRuns: 1_000 },
    );
  });

  it('are the same for the same request, asked again and by a builder of its own', async () => {
    const keys = builder(strategies, true);
    await fc.assert(
      fc.asyncProperty(asked, async (given) => {
        const key = await keyOf(keys, given);
        expect(await keyOf(keys, given)).toBe(key);
        expect(await keyOf(builder(strategies, true), given)).toBe(key);
        expect(key.length).toBeLessThanOrEqual(600);
      }),
      RUNS,
    );
  });
});

describe('keys of queries', () => {
  const at = (given: string): Asked => ({
    path: '/q',
    query: given,
    headers: {},
    body: {},
    principal: undefined,
  });
  const name = fc.oneof(
    fc.constantFrom('a', 'b', 'c', 'A', '__proto__', '', '%61', '%FF', '%FE', 'a%ZZ', '1:a'),
    text.map((value) => encoded(value)),
  );
  const value = fc.oneof(
    fc.constantFrom('', '1', '2', '%31', '1,2', 'a%26b'),
    text.map((given) => encoded(given)),
  );
  const pairs = fc.array(
    fc
      .tuple(name, fc.option(value, { nil: undefined }))
      .map(([given, own]) => (own === undefined ? given : `${given}=${own}`)),
    { maxLength: 6 },
  );

  it('are the same for any order of distinct names', async () => {
    const keys = builder([query()]);
    const distinct = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,3}$/), { minLength: 1, maxLength: 6 });
    const shuffled = distinct.chain((names) =>
      fc.tuple(
        fc.constant(names),
        fc.array(value, { minLength: names.length, maxLength: names.length }),
        fc.shuffledSubarray(names, { minLength: names.length, maxLength: names.length }),
      ),
    );
    await fc.assert(
      fc.asyncProperty(shuffled, async ([names, values, order]) => {
        const write = (list: readonly string[]) =>
          list.map((one) => `${one}=${values[names.indexOf(one)]}`).join('&');
        expect(await keyOf(keys, at(write(order)))).toBe(await keyOf(keys, at(write(names))));
      }),
      RUNS,
    );
  });

  it('are the same only where a handler sees the same values in the same order', async () => {
    const keys = builder([query()]);
    const two = pairs.chain((given) =>
      fc.tuple(
        fc.constant(given),
        fc.oneof(pairs, fc.shuffledSubarray(given, { minLength: given.length, maxLength: given.length })),
      ),
    );
    await fc.assert(
      fc.asyncProperty(two, async ([one, other]) => {
        const [a, b] = [one.join('&'), other.join('&')];
        const differ = (await keyOf(keys, at(a))) !== (await keyOf(keys, at(b)));
        expect(differ || seen(a) === seen(b)).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });

  it('with sortRepeated are the same for the same pairs in any order, and only for those', async () => {
    const keys = builder([query({ sortRepeated: true })]);
    const flat = fc.array(
      fc.tuple(fc.constantFrom('a', 'b'), fc.constantFrom('1', '2', '')).map((pair) => pair.join('=')),
      { maxLength: 5 },
    );
    await fc.assert(
      fc.asyncProperty(flat, flat, async (one, other) => {
        const same = one.toSorted().join('&') === other.toSorted().join('&');
        expect((await keyOf(keys, at(one.join('&')))) === (await keyOf(keys, at(other.join('&'))))).toBe(
          same,
        );
      }),
      RUNS,
    );
  });

  it('do not change with what is ignored, and change with what is included', async () => {
    const ignoring = builder([query({ ignore: ['utm'] })]);
    const including = builder([query({ include: ['a'] })]);
    await fc.assert(
      fc.asyncProperty(pairs, value, value, async (rest, one, other) => {
        const plain = rest.filter((pair) => !pair.startsWith('utm')).join('&');
        const join = (...parts: string[]) => parts.filter((part) => part !== '').join('&');
        const [first, second] = [at(join(plain, `utm=${one}`)), at(join(`utm=${other}`, plain))];
        expect(await keyOf(ignoring, first)).toBe(await keyOf(ignoring, second));
        expect(await keyOf(ignoring, first)).toBe(await keyOf(ignoring, at(plain)));
        const [left, right] = [at(`a=${one}`), at(`a=${other}`)];
        expect((await keyOf(including, left)) === (await keyOf(including, right))).toBe(one === other);
      }),
      RUNS,
    );
  });

  it('keep the path where path() leaves the query out', async () => {
    const keys = builder([path()]);
    await fc.assert(
      fc.asyncProperty(asked, asked, async (one, other) => {
        expect((await keyOf(keys, one)) === (await keyOf(keys, other))).toBe(one.path === other.path);
      }),
      RUNS,
    );
  });
});

describe('the canonical form of JSON', () => {
  const json = fc.oneof(
    fc.jsonValue({ maxDepth: 3 }),
    fc.array(
      fc.constantFrom(
        0,
        -0,
        1,
        '1',
        '',
        true,
        null,
        [],
        {},
        '[]',
        Number.POSITIVE_INFINITY,
        '\uD800',
        '\uFFFD',
      ),
      { maxLength: 3 },
    ),
    fc.dictionary(
      fc.constantFrom('a', 'b', '__proto__', 'constructor', '', '1', '"'),
      fc.jsonValue({ maxDepth: 1 }),
    ),
  );

  /** Deep equality of JSON values: what a handler can tell, the order of members aside. */
  function same(a: unknown, b: unknown): boolean {
    if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Object.is(a, b);
    if (Array.isArray(a) !== Array.isArray(b)) return false;
    const names = Object.keys(a);
    if (names.length !== Object.keys(b).length) return false;
    const read = (of: object, name: string): unknown => Object.getOwnPropertyDescriptor(of, name)?.value;
    return names.every((name) => Object.hasOwn(b, name) && same(read(a, name), read(b, name)));
  }

  it('is the same exactly where a handler could not tell two values apart', () => {
    fc.assert(
      fc.property(json, json, (one, other) => {
        expect(canonicalize(one, LIMITS) === canonicalize(other, LIMITS)).toBe(same(one, other));
      }),
      { numRuns: 5_000 },
    );
  });

  it('does not depend on the order of members, at any depth', () => {
    const reversed = (value: unknown): unknown => {
      if (typeof value !== 'object' || value === null) return value;
      if (Array.isArray(value)) return value.map(reversed);
      return Object.fromEntries(
        Object.entries(value)
          .toReversed()
          .map(([name, own]) => [name, reversed(own)]),
      );
    };
    fc.assert(
      fc.property(json, (value) => {
        expect(canonicalize(reversed(value), LIMITS)).toBe(canonicalize(value, LIMITS));
      }),
      RUNS,
    );
  });

  it('refuses what no parser makes, and what is too long or too deep', () => {
    const depth = (levels: number): unknown => (levels === 0 ? 1 : [depth(levels - 1)]);
    for (const value of [
      undefined,
      () => 1,
      Symbol('x'),
      1n,
      new Date(0),
      new Map(),
      [undefined],
      depth(65),
    ]) {
      expect(() => canonicalize(value, LIMITS)).toThrow(NotCanonical);
    }
    expect(canonicalize(depth(64), LIMITS)).toContain('1');
    expect(() => canonicalize('x'.repeat(65_536), LIMITS)).toThrow('too long');
  });
});

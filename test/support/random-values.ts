import * as fc from 'fast-check';

class Account {
  constructor(readonly id: number) {}
}

/** Anything that can be kept: all kinds of values in all kinds of containers. */
export function valuesToKeep(): fc.Arbitrary<unknown> {
  const text = fc.string({ unit: 'binary', maxLength: 20 });
  const name = text.filter((given) => given !== '__proto__');
  const bytes = fc.uint8Array({ maxLength: 20 });
  const leaf = fc.oneof(
    text,
    // Lone surrogates, which UTF-8 has no bytes for.
    fc.constantFrom('\ud800', 'a\udc00b', '\u0000', ''),
    fc.double(),
    fc.integer(),
    fc.bigInt(),
    fc.constantFrom(null, undefined, true, false, 0, -0, Number.NaN, Number.POSITIVE_INFINITY),
    fc.date({ noInvalidDate: false }),
    bytes.map((given) => Buffer.from(given)),
    bytes,
    bytes.map((given) => given.slice().buffer),
    fc.array(fc.double(), { maxLength: 5 }).map((given) => new Float64Array(given)),
    fc
      .array(fc.bigInt({ min: 0n, max: 2n ** 63n }), { maxLength: 5 })
      .map((given) => new BigUint64Array(given)),
    fc.constantFrom(/a+/g, new URL('http://localhost/%20?a=b#c')),
  );
  return fc.letrec((again) => ({
    value: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      leaf,
      fc.array(again('value'), { maxLength: 5 }),
      fc.dictionary(name, again('value'), { maxKeys: 5, noNullPrototype: false }),
      fc.array(fc.tuple(again('value'), again('value')), { maxLength: 4 }).map((pairs) => new Map(pairs)),
      fc.array(again('value'), { maxLength: 4 }).map((values) => new Set(values)),
    ),
  })).value;
}

/** Something that can't be kept, somewhere in what can, and where. */
export function valuesToRefuse(): fc.Arbitrary<{ value: unknown; path: string }> {
  const culprit = fc.constantFrom<(() => unknown)[]>(
    () => new Account(1),
    () => () => 1,
    () => Symbol('a'),
    () => Promise.resolve(1),
    () => new Error('a'),
    () => new WeakMap(),
    () => new (class extends Map<string, string> {})(),
    () => new (class extends Date {})(),
    () => new (class extends Array<string> {})(),
    () => Object.create({ inherited: 1 }) as unknown,
    () => Object.assign(new Date(0), { extra: 1 }),
    () => new String('boxed'),
    () => ({ [Symbol('s')]: 1 }),
    () => (function* () {})(),
    () => new Proxy(new Account(1), {}),
  );
  const wrap = fc.constantFrom<
    ((inner: { value: unknown; path: string }) => { value: unknown; path: string })[]
  >(
    ({ value, path }) => ({ value: [1, value], path: `[1]${path}` }),
    ({ value, path }) => ({ value: { before: 1, it: value }, path: `.it${path}` }),
    ({ value, path }) => ({ value: new Map([['k', value]]), path: `.values()[0]${path}` }),
    ({ value, path }) => ({ value: new Map([[value, 'v']]), path: `.keys()[0]${path}` }),
    ({ value, path }) => ({ value: new Set([0, value]), path: `.values()[1]${path}` }),
  );
  return fc
    .tuple(culprit, fc.array(wrap, { maxLength: 6 }))
    .map(([make, wraps]) => wraps.reduce((inner, each) => each(inner), { value: make(), path: '' }));
}

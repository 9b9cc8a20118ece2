import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HeldValue } from '../../libs/caching/src/cache/held-value.js';
import { NotStorable } from '../../libs/caching/src/cache/value-gate.js';
import { valuesToKeep, valuesToRefuse } from '../support/random-values.js';

const LIMIT = 16 * 1024 * 1024;
const RUNS = Number(process.env.CODEC_RUNS ?? 2_000);

describe('the codec of values', () => {
  it('gives back equal values, in this process and through bytes, each caller its own', () => {
    fc.assert(
      fc.property(valuesToKeep(), (value) => {
        const held = HeldValue.of(value, LIMIT);
        const decoded = HeldValue.decode(held.body, LIMIT);
        expect(held.take()).toStrictEqual(value);
        expect(decoded?.take()).toStrictEqual(value);
        const isObject = typeof value === 'object' && value !== null;
        expect(held.take() === held.take()).toBe(!isObject && !Number.isNaN(value));
      }),
      { numRuns: RUNS },
    );
  });

  it.each<[string, (length: number) => string]>([
    ['padded', (length) => `[1${' '.repeat(length)}]`],
    ['of many values that nothing refers to', (length) => `[1${',1'.repeat(length / 2)}]`],
  ])('reads no bytes that are more than a value may take: %s', (_name, text) => {
    const limit = 10_000;
    const read = (length: number) => HeldValue.decode(Buffer.from(`c${text(length)}`), limit)?.take();
    expect(read(limit)).toBe(1);
    expect(read(limit * 7)).toBeUndefined();
  });

  it('reads what it has written of a value of the largest size, however long that is', () => {
    const text = '\u0001'.repeat(9_900);
    const { body } = HeldValue.of(text, 10_000);
    expect(body.length).toBeGreaterThan(59_000);
    expect(HeldValue.decode(body, 10_000)?.take()).toBe(text);
  });

  it.each<[string, string]>([
    ['nested deeply', `[${Array.from({ length: 200_000 }, (_, at) => `[${at + 1}]`).join(',')},1]`],
    ['a list of four thousand millions', '[[-7,4294967295]]'],
    [
      'one thing a million million times',
      `[${Array.from({ length: 40 }, (_, at) => `[${at + 1},${at + 1}]`).join(',')},1]`,
    ],
    ['in itself', '[{"a":0}]'],
    ['another prototype', '[{"__proto__":1},{"polluted":2},1]'],
    ['another prototype of nothing', '[["null","__proto__",1],{"polluted":2},1]'],
    ['a view of more bytes than there are', '[["Float64Array",1,0,1000000000],["ArrayBuffer","AAAA"]]'],
    ['a Buffer that is no list', '[["Buffer",1],{"length":1e9}]'],
    ['a pattern that is no list', '[["Pattern",1],{"length":1e9}]'],
    ['a pattern with another place', '[["Pattern",1],[2,3,4],"a","g",-1]'],
  ])('makes nothing of bytes that hold %s', (_name, text) => {
    expect(HeldValue.decode(Buffer.from(`c${text}`), 1024 * 1024)).toBeUndefined();
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });

  it('gives back frozen what was frozen all through, one for all, and a copy of anything else', () => {
    const inner = Object.freeze([1]);
    const frozen = Object.freeze({ inner, name: 'a' });
    const held = HeldValue.of(frozen, LIMIT);
    for (const each of [held, HeldValue.decode(held.body, LIMIT)]) {
      const taken = each?.take() as typeof frozen;
      expect(taken).toStrictEqual(frozen);
      expect(each?.take()).toBe(taken);
      expect([Object.isFrozen(taken), Object.isFrozen(taken.inner)]).toEqual([true, true]);
      // It is held apart from what was given, whatever that is.
      expect(taken).not.toBe(frozen);
    }
    const leaks = [
      { inner },
      Object.freeze({ inner: [1] }),
      Object.freeze([Object.freeze(new Date(5))]),
      Object.freeze(new Map()),
    ];
    for (const value of leaks) {
      const copies = HeldValue.of(value, LIMIT);
      expect(copies.take()).toStrictEqual(value);
      expect(copies.take()).not.toBe(copies.take());
      expect(Object.isFrozen(copies.take())).toBe(false);
    }
  });

  it('gives back where a pattern goes on, and refuses one whose place is none', () => {
    const value = { pattern: /a/gu };
    value.pattern.lastIndex = 3;
    const held = HeldValue.of(value, LIMIT);
    for (const copy of [held.take(), HeldValue.decode(held.body, LIMIT)?.take()] as (typeof value)[]) {
      expect([copy.pattern.source, copy.pattern.flags, copy.pattern.lastIndex]).toEqual(['a', 'gu', 3]);
    }
    for (const lastIndex of [-1, 1.5, '3', Number.NaN]) {
      const pattern = Object.assign(/a/, { lastIndex });
      expect(() => HeldValue.of([pattern], LIMIT)).toThrow(
        /has a pattern with a lastIndex that is none at \[0\]/,
      );
    }
  });

  it.each<[string, () => unknown]>([
    ['only looks like a Date', () => Object.create(Date.prototype)],
    ['only looks like a Map', () => Object.create(Map.prototype)],
    ['is a Set behind a Proxy', () => new Proxy(new Set(), {})],
    ['only looks like a URL', () => Object.create(URL.prototype)],
    ['only looks like bytes', () => Object.create(Uint8Array.prototype)],
    ['is a Proxy that fails', () => new Proxy({}, { ownKeys: () => assertNever() })],
    ['is a Proxy that was revoked', () => revoked({})],
    ['is a list behind one', () => revoked([])],
    ['is an ArrayBuffer with more to it', () => Object.assign(new ArrayBuffer(1), { name: 'a' })],
    ['is a DataView with more to it', () => Object.assign(new DataView(new ArrayBuffer(1)), { name: 'a' })],
  ])('refuses what %s, and says where', (_name, make) => {
    expect(() => HeldValue.of({ it: make() }, LIMIT)).toThrow(NotStorable);
    expect(() => HeldValue.of({ it: make() }, LIMIT)).toThrow(/ at \.it$/);
  });

  it('gives back a Buffer as a Buffer and everything else of its own type', () => {
    const value = {
      bytes: Buffer.from('text'),
      list: new Uint8Array([1, 2]),
      floats: new Float64Array([1.5, Number.NaN, -0]),
      view: new DataView(new ArrayBuffer(3)),
      date: new Date(Number.NaN),
      map: new Map<unknown, unknown>([[{ a: 1 }, new Set([1n])]]),
      url: new URL('http://localhost/?a=1'),
      pattern: /a\/b/giu,
      nothing: undefined,
      bare: Object.assign(Object.create(null), { a: -0 }) as object,
    };
    const held = HeldValue.of(value, LIMIT);
    for (const copy of [held.take(), HeldValue.decode(held.body, LIMIT)?.take()] as (typeof value)[]) {
      expect(copy).toStrictEqual(value);
      expect(Buffer.isBuffer(copy.bytes)).toBe(true);
      expect(Buffer.isBuffer(copy.list)).toBe(false);
      expect(copy.bytes.buffer.byteLength).toBe(4);
      expect(Object.getPrototypeOf(copy.bare)).toBe(null);
      expect(Object.is((copy.bare as { a: number }).a, -0)).toBe(true);
    }
  });

  it('refuses what would not come back as it was, naming where it is', () => {
    fc.assert(
      fc.property(valuesToRefuse(), ({ value, path }) => {
        let refusal: unknown;
        try {
          HeldValue.of(value, LIMIT);
        } catch (error) {
          refusal = error;
        }
        expect(refusal).toBeInstanceOf(NotStorable);
        expect((refusal as NotStorable).path).toBe(path);
      }),
      { numRuns: RUNS },
    );
  });

  it('refuses what refers to itself, and what grows beyond the bound as it is taken apart', () => {
    const knot: Record<string, unknown> = {};
    knot['again'] = [knot];
    expect(() => HeldValue.of(knot, LIMIT)).toThrow(/nested deeper than 500 levels, or in itself/);
    let branches: unknown = 'leaf';
    for (let level = 0; level < 40; level++) branches = [branches, branches];
    expect(() => HeldValue.of(branches, LIMIT)).toThrow(/larger than 16777216 bytes/);
  });

  it('never changes with what it was made from, nor with what it was given out as', () => {
    const value = { list: [1], map: new Map([['a', { b: 1 }]]), bytes: Buffer.from([1]), at: new Date(0) };
    const held = HeldValue.of(value, LIMIT);
    const change = (each: typeof value): void => {
      each.list.push(2);
      each.map.get('a')!.b = 2;
      each.bytes[0] = 2;
      each.at.setTime(1);
    };
    change(value);
    change(held.take() as typeof value);
    expect(held.take()).toStrictEqual({
      list: [1],
      map: new Map([['a', { b: 1 }]]),
      bytes: Buffer.from([1]),
      at: new Date(0),
    });
  });

  it('takes no bytes for a value but its own: anything else is nothing, and never an exception', () => {
    const frames = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.json().map((text) => Buffer.from(`c${text}`)),
      fc
        .constantFrom(
          'c[["Buffer",1],5]',
          'c[["Buffer",0]]',
          'c[[0]]',
          'c[{"__proto__":1},1]',
          'c[["Uint8Array",1],["ArrayBuffer",7]]',
          'c[[-7,4294967295,0,1],1]',
          'c[["Map",1,0]]',
          `c[${'['.repeat(20_000)}${']'.repeat(20_000)}]`,
          'c',
        )
        .map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(frames, (bytes) => {
        const decoded = HeldValue.decode(Buffer.from(bytes), LIMIT);
        // What can be read is a value like any other, and stays what it is.
        const again = decoded === undefined ? undefined : HeldValue.decode(decoded.body, LIMIT);
        expect(again?.take()).toStrictEqual(decoded?.take());
      }),
      { numRuns: RUNS },
    );
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

function assertNever(): never {
  throw new Error('no keys today');
}

function revoked(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

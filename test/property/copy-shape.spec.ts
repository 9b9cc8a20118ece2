import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CopyShape } from '../../libs/caching/src/cache/copy-shape.js';
import { ownCopy } from '../../libs/caching/src/cache/value-gate.js';
import { valuesToKeep } from '../support/random-values.js';

const LIMIT = 16 * 1024 * 1024;

/** Few names, so that values agree on some of them and not on what is there. */
function alike(): fc.Arbitrary<object> {
  return fc.letrec<{ value: unknown; object: object }>((again) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom(1, 'a', null, undefined),
      again('object'),
      fc
        .constantFrom(
          () => new Date(5),
          () => new Map([['a', { b: 1 }]]),
        )
        .map((make) => make()),
    ),
    object: fc.oneof(
      { maxDepth: 4 },
      fc.dictionary(fc.constantFrom('a', 'b', 'constructor', 'length', '0'), again('value'), {
        maxKeys: 4,
        noNullPrototype: false,
      }),
      fc.array(again('value'), { maxLength: 4 }),
    ),
  })).object;
}

function objectsIn(value: unknown, found = new Set<object>()): Set<object> {
  if (typeof value !== 'object' || value === null || found.has(value)) return found;
  found.add(value);
  const inside = value instanceof Map || value instanceof Set ? [...value].flat() : Object.values(value);
  if (!ArrayBuffer.isView(value)) for (const each of inside) objectsIn(each, found);
  return found;
}

function expectOwnCopies(values: readonly unknown[]): void {
  const shape = new CopyShape();
  const held = values.map((value) => ownCopy(value, LIMIT).value as object);
  for (const [at, value] of held.entries()) {
    shape.cover(value);
    // What came before is copied as well as ever.
    for (const covered of held.slice(0, at + 1)) {
      const copy = shape.copy(covered);
      expect(isDeepStrictEqual(copy, covered)).toBe(true);
      const mine = objectsIn(covered);
      expect([...objectsIn(copy)].filter((each) => mine.has(each))).toEqual([]);
    }
  }
}

describe('copies by the shape of what a function returns', () => {
  it('are equal and share nothing with what is held, whatever else it returns', () => {
    const values = fc.array(fc.oneof(alike(), valuesToKeep().filter(isObject)), { maxLength: 6 });
    fc.assert(fc.property(values, expectOwnCopies), { numRuns: 1_000 });
  });

  it('are so beyond what a shape keeps of places and members', () => {
    const names = Array.from({ length: 40 }, (_, at) => `name${at}`);
    const wide = Object.fromEntries(names.map((name) => [name, { name, list: [{ name }] }]));
    const levels = names.reduce<object>((inner, name) => ({ [name]: inner, other: { name } }), {});
    for (const values of [
      [{ a: { b: [] } }, wide, { a: { b: [1, { c: 1 }] } }, levels],
      [levels, [levels, wide, [[[{}]]]]],
    ])
      expect(() => expectOwnCopies(values)).not.toThrow();
  });
});

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

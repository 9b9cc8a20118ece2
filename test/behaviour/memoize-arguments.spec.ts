import { Injectable } from '@nestjs/common';
import * as fc from 'fast-check';
import { CacheEvictionService, CacheUsageError, Memoize } from 'nestjs-caching';
import { isDeepStrictEqual } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { keyOfArguments } from '../../libs/caching/src/memoize/arguments-key.js';
import { type RunningApplication, startApplication } from '../support/application.js';
import { valuesToKeep } from '../support/random-values.js';

class Author {
  constructor(
    readonly id: string,
    readonly name: string,
  ) {}

  cacheId() {
    return this.id;
  }
}

class Book {
  readonly title = 'Emma';
}

@Injectable()
class Service {
  runs: unknown[][] = [];

  @Memoize()
  async any(...args: unknown[]): Promise<number> {
    return this.runs.push(args);
  }

  @Memoize({ defaults: { 1: 10 } })
  async page(query?: string, size = 10): Promise<number> {
    return this.runs.push([query, size]);
  }

  @Memoize({ ignoreArgs: [1] })
  async traced(query: string, _trace?: unknown, last?: string): Promise<number> {
    return this.runs.push([query, last]);
  }

  @Memoize({ key: ({ id }: { id: number }) => [id] })
  async byId(given: { id: number; rest?: unknown }): Promise<number> {
    return this.runs.push([given.id]);
  }

  @Memoize({ key: () => new Book() })
  async badKey(): Promise<number> {
    return 1;
  }
}

describe('the key of a memoized call', () => {
  let running: RunningApplication;
  const start = async () => {
    running = await startApplication('fastify', { providers: [Service] });
    return running.app.get(Service);
  };

  afterEach(() => running?.close());

  it('is the same for equal arguments, whoever made them, and another for any others', () => {
    fc.assert(
      fc.property(
        fc.clone(fc.array(valuesToKeep(), { maxLength: 4 }), 2),
        fc.array(valuesToKeep(), { maxLength: 4 }),
        ([a, again], b) => {
          expect(keyOfArguments(again)).toBe(keyOfArguments(a));
          // Equal for node is equal for us, but for the order of maps and sets, which functions see.
          const isSame = keyOfArguments(a) === keyOfArguments(b);
          expect(isSame).toBe(isSame && isDeepStrictEqual(plain(a), plain(b)));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it.each<[string, unknown[], unknown[]]>([
    ['1 and "1"', [1], ['1']],
    ['nothing and undefined, of rest arguments', [], [undefined]],
    ['undefined and null', [undefined], [null]],
    ['0 and -0', [0], [-0]],
    ['1 and 1n', [1], [1n]],
    ['a list and its text', [[1, 2]], ['1,2']],
    ['two texts and one that looks like them', ['a', 'b'], ['a1:b']],
    ['a hole and undefined', [Object.assign([], { length: 1 })], [[undefined]]],
    ['an absent and an undefined member', [{}], [{ a: undefined }]],
    ['a Map and its entries', [new Map([['a', 1]])], [[['a', 1]]]],
    [
      'maps in another order',
      [
        new Map([
          ['a', 1],
          ['b', 2],
        ]),
      ],
      [
        new Map([
          ['b', 2],
          ['a', 1],
        ]),
      ],
    ],
    ['a Date and its number', [new Date(5)], [5]],
    ['a Buffer and a Uint8Array', [Buffer.from([1])], [new Uint8Array([1])]],
    ['typed arrays of the same bytes', [new Int8Array([1])], [new Uint8Array([1])]],
    ['long Buffers', [Buffer.alloc(100, 1)], [Buffer.alloc(100, 2)]],
    ['lone surrogates', ['\ud800'.repeat(600)], ['\ud801'.repeat(600)]],
    ['an instance and another', [new Author('1', 'x')], [new Author('2', 'x')]],
    ['an instance and its id', [new Author('1', 'x')], ['1']],
  ])('tells %s apart', async (_name, one, other) => {
    const service = await start();
    await service.any(...one);
    await service.any(...other);
    await service.any(...one);
    await service.any(...other);
    expect(service.runs).toHaveLength(2);
  });

  it.each<[string, unknown[], unknown[]]>([
    ['the order of members', [{ a: 1, b: { c: 2, d: 3 } }], [{ b: { d: 3, c: 2 }, a: 1 }]],
    ['which instance has the id', [new Author('1', 'x')], [new Author('1', 'y')]],
    ['where bytes lie', [Buffer.from('text').subarray(1)], [Buffer.from('ext')]],
    [
      'how an object without a prototype came about',
      [Object.assign(Object.create(null), { a: 1 })],
      [{ a: 1 }],
    ],
  ])('does not depend on %s', async (_name, one, other) => {
    const service = await start();
    await service.any(...one);
    await service.any(...other);
    expect(service.runs).toHaveLength(1);
  });

  it('knows defaults, and takes an undefined last argument for a missing one where the method can not tell', async () => {
    const service = await start();
    for (const args of [[], [undefined], [undefined, 10], [undefined, undefined]] as [string?, number?][])
      await service.page(...args);
    expect(service.runs).toEqual([[undefined, 10]]);
    await service.page(undefined, 20);
    await service.page('a');
    expect(service.runs).toHaveLength(3);
  });

  it('leaves out what is ignored, whatever it is', async () => {
    const service = await start();
    await service.traced('a', new Book());
    await service.traced('a');
    await service.traced('a', Symbol('s'), undefined);
    expect(service.runs).toHaveLength(1);
    await service.traced('a', 1, 'last');
    await service.traced('a', 2, 'last');
    expect(service.runs).toHaveLength(2);
  });

  it('is what the key callback says, also for eviction', async () => {
    const service = await start();
    await service.byId({ id: 1, rest: () => 1 });
    await service.byId({ id: 1 });
    expect(service.runs).toHaveLength(1);
    await running.app.get(CacheEvictionService).byMemoized(Service, 'byId', [{ id: 1 }]);
    await service.byId({ id: 1 });
    expect(service.runs).toHaveLength(2);
  });

  it.each<[string, unknown, RegExp]>([
    [
      'an instance',
      new Book(),
      /argument 2 of Service\.any is an instance of Book, which has no cacheId\(\)/,
    ],
    [
      'a nested one',
      { books: [new Book()] },
      /argument 2 of Service\.any \(books\[0\]\) is an instance of Book/,
    ],
    ['a function', () => 1, /argument 2 of Service\.any is a function/],
    ['a symbol', Symbol('s'), /argument 2 of Service\.any is a symbol/],
    ['a promise', Promise.resolve(1), /an instance of Promise/],
    ['a boxed text', new String('a'), /an instance of String/],
    ['a list with more to it', Object.assign([1], { total: 5 }), /a list with members of its own/],
    ['the parts of a match', /b/.exec('abc'), /a list with members of its own/],
    ['a list of a class of its own', new (class Titles extends Array<string> {})(), /an instance of Titles/],
    ['bytes of a class of its own', new (class Cover extends Uint8Array {})(1), /an instance of Cover/],
    [
      'a Date with more to it',
      Object.assign(new Date(5), { zone: 'UTC' }),
      /an instance of Date with members of its own/,
    ],
    [
      'a URL with more to it',
      Object.assign(new URL('http://a'), { user: 1 }),
      /an instance of URL with members of its own/,
    ],
    [
      'a RegExp with more to it',
      Object.assign(/a/, { user: 1 }),
      /an instance of RegExp with members of its own/,
    ],
    [
      'a Map with more to it',
      Object.assign(new Map(), { user: 1 }),
      /an instance of Map with members of its own/,
    ],
    [
      'a Set with more to it',
      Object.assign(new Set(), { user: 1 }),
      /an instance of Set with members of its own/,
    ],
    [
      'a hidden member',
      Object.defineProperty({ a: 1 }, 'secret', { value: 2 }),
      /\(secret\) is a hidden member/,
    ],
    ['what only looks like a Date', Object.create(Date.prototype), /data that can't be read/],
    ['a Map behind a Proxy', new Proxy(new Map(), {}), /data that can't be read/],
    ['an id that is none', { cacheId: () => '' }, /whose cacheId\(\) is no non-empty text/],
  ])('is refused for %s, naming the argument', async (_name, value, message) => {
    const service = await start();
    await expect(service.any(1, value)).rejects.toThrow(message);
    await expect(service.any(1, value)).rejects.toBeInstanceOf(CacheUsageError);
    const evictions = running.app.get(CacheEvictionService);
    await expect(evictions.byMemoized(Service, 'any', [1, value])).rejects.toThrow(message);
    expect(service.runs).toEqual([]);
  });

  it('is refused for data in itself, and for what the key callback may not return', async () => {
    const service = await start();
    const knot: unknown[] = [];
    knot.push(knot);
    await expect(service.any(knot)).rejects.toThrow(/nested deeper than 64 levels, or in itself/);
    await expect(service.badKey()).rejects.toThrow(/what the key callback of Service\.badKey returned is/);
  });

  it('does without the cache where arguments are too long for a key', async () => {
    const service = await start();
    const long = 'x'.repeat(5 * 1024 * 1024);
    await service.any(long);
    await service.any([long]);
    await service.any(long);
    expect(service.runs).toHaveLength(3);
    expect(running.events.map(({ type }) => type)).toEqual(['bypassed', 'bypassed', 'bypassed']);
  });
});

/** Maps and sets as lists: node compares them without their order. */
function plain(value: unknown): unknown {
  if (value instanceof Map) return ['a map', ...[...value].map(plain)];
  if (value instanceof Set) return ['a set', ...[...value].map(plain)];
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const type = Object.getPrototypeOf(value) as object | null;
  if (type !== null && type !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]));
}

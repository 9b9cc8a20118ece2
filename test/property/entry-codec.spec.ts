import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeEntry, encodeEntry } from '../../libs/caching/src/cache/entry-codec.js';
import type { Entry, EntryLife, HeaderField } from '../../libs/caching/src/cache/entry.js';
import { KnownHeads } from '../../libs/caching/src/cache/known-heads.js';
import { HOSTILE_BYTES } from '../contract/hostile-bytes.js';
import { frameOf, partsOf } from '../support/entry-frames.js';

const NOW = 1_700_000_000_000;
const MAX_BODY = 1_048_576;

const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 });
/** Lone surrogates included: paths and bodies of requests may hold them. */
const anyText = fc.oneof(
  text,
  fc.string({ minLength: 1 }),
  fc.constantFrom('\ud800', '\udfff\ud800', '__proto__'),
);
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

const name = fc
  .stringMatching(/^[\w!#$%&'*+.^`|~-]{1,20}$/)
  .filter(
    (name) =>
      !/^(?:connection|content-|keep-alive|proxy-|set-cookie|te$|trailer|transfer-|upgrade)/i.test(name),
  );
const value = fc.stringMatching(/^[\t\x20-\x7e\x80-\xff]{1,40}$/);
const fieldValue = fc.oneof(value, fc.constant(''));
const header: fc.Arbitrary<HeaderField> = fc.oneof(
  fc.tuple(name, fc.oneof(fieldValue, fc.array(fieldValue, { maxLength: 3 }))),
  fc.tuple(name, fc.oneof(fieldValue, fc.array(fieldValue, { maxLength: 3 })), fc.constant('add' as const)),
);

const entries: fc.Arbitrary<Entry> = fc
  .record({
    key: anyText,
    variantOf: optional(anyText),
    status: fc.integer({ min: 200, max: 599 }).filter((status) => status !== 206 && status !== 304),
    statusMessage: optional(value),
    headers: fc.array(header, { maxLength: 8 }),
    hasLength: fc.boolean(),
    removed: fc.array(name, { maxLength: 3 }),
    body: optional(fc.uint8Array({ maxLength: 300 })),
    delivery: fc.constantFrom('framework' as const, 'raw' as const),
    tags: fc.array(anyText, { maxLength: 6 }),
    keyAt: fc.nat(6),
    epoch: anyText,
    n: fc.maxSafeNat(),
    age: fc.nat(1_000_000),
    left: fc.integer({ min: 1, max: 1_000_000 }),
    handlerTime: optional(fc.maxSafeNat()),
    validator: optional(anyText),
    vary: optional(fc.array(name, { minLength: 1, maxLength: 16 })),
    freshness: optional(
      fc.record({
        freshFor: fc.double({ min: 0, max: 1, noNaN: true }),
        staleFor: fc.double({ min: 0, max: 1, noNaN: true }),
        onErrorFor: fc.double({ min: 0, max: 1, noNaN: true }),
        ageAtStore: fc.nat(),
        alwaysRevalidate: fc.boolean(),
        staleForbidden: fc.boolean(),
      }),
    ),
  })
  .map(
    ({ key, variantOf, tags, keyAt, epoch, n, age, left, hasLength, statusMessage, freshness, ...rest }) => {
      const { validator } = rest;
      // Such an entry has no response of its own, and is never fresh.
      const vary = freshness?.alwaysRevalidate === true ? rest.vary : undefined;
      const body = vary === undefined ? rest.body && Buffer.from(rest.body) : undefined;
      const length: HeaderField = ['Content-Length', String(body?.length ?? 0)];
      const { status, removed, delivery, handlerTime } = rest;
      return {
        key,
        ...(variantOf !== undefined && { variantOf }),
        response: {
          status,
          ...(statusMessage !== undefined && { statusMessage }),
          headers: hasLength ? [...rest.headers, length] : rest.headers,
          removed,
          body,
          delivery,
        },
        tags: tags.toSpliced(keyAt, 0, key),
        start: { epoch, n },
        order: 0,
        storedAt: NOW - age,
        expiresAt: NOW + left,
        ...(freshness !== undefined && { freshness: within(left, freshness) }),
        ...(handlerTime !== undefined && { handlerTime }),
        ...(validator !== undefined && { validator }),
        ...(vary !== undefined && { vary }),
      };
    },
  );

/** Times of which none is after the entry is forgotten, from parts of what is left of it. */
function within(
  left: number,
  {
    freshFor,
    staleFor,
    onErrorFor,
    ...rest
  }: Pick<EntryLife, 'ageAtStore' | 'alwaysRevalidate' | 'staleForbidden'> &
    Record<'freshFor' | 'staleFor' | 'onErrorFor', number>,
): EntryLife {
  const freshUntil = NOW + Math.floor(left * freshFor);
  const until = (part: number): number => freshUntil + Math.floor((NOW + left - freshUntil) * part);
  return {
    ...rest,
    freshUntil,
    staleWhileRevalidateUntil: until(staleFor),
    staleIfErrorUntil: until(onErrorFor),
  };
}

/** Before it was stored, while it lives, and after its end. */
const moment = fc.integer({ min: NOW - 1_100_000, max: NOW + 1_100_000 });
const damage = fc.record({ bit: fc.nat(), isDamaged: fc.boolean() });

function encode(entry: Entry): Buffer {
  return encodeEntry(entry, entry.start) as Buffer;
}

function decode(bytes: Buffer, key: string) {
  return decodeEntry(bytes, { key, now: NOW, maxBodyBytes: MAX_BODY });
}

describe('the frame of an entry', () => {
  it('gives the entry back, whatever it holds', () => {
    fc.assert(
      fc.property(entries, (entry) => {
        expect(decode(encode(entry), entry.key)).toStrictEqual(entry);
      }),
      {
        numRuns: 2_000,
      },
    );
  });

  it('carries the position that it was given rather than the one of this process', () => {
    fc.assert(
      fc.property(entries, anyText, fc.maxSafeNat(), (entry, epoch, n) => {
        const start = { epoch, n };
        const frame = encodeEntry(entry, start) as Buffer;
        expect(decode(frame, entry.key)).toStrictEqual({ ...entry, start });
      }),
    );
  });

  it('holds the body as it is sent, and reads it where it stands', () => {
    fc.assert(
      fc.property(entries, (entry) => {
        const frame = encode(entry);
        const found = decode(frame, entry.key);
        if (typeof found === 'string') throw new Error(found);
        expect(found.response.body?.buffer).toBe(entry.response.body && frame.buffer);
        expect(frame.buffer.byteLength).toBe(frame.length);
        const version = frame.readUInt8(3);
        expect(frameOf(partsOf(frame).head, entry.response.body, { version })).toEqual(frame);
      }),
    );
  });

  it('is a miss for every other key', () => {
    fc.assert(
      fc.property(entries, anyText, (entry, other) => {
        fc.pre(other !== entry.key);
        expect(decode(encode(entry), other)).toBe('key');
        // Nor where the other key is among its tags.
        expect(decode(encode({ ...entry, tags: [other, ...entry.tags] }), other)).toBe('key');
      }),
    );
  });

  it('is a miss with any single bit flipped', () => {
    fc.assert(
      fc.property(entries, (entry) => {
        const frame = encode(entry);
        const taken: number[] = [];
        for (let bit = 0; bit < frame.length * 8; bit++) {
          const bytes = Buffer.from(frame);
          bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
          if (typeof decode(bytes, entry.key) !== 'string') taken.push(bit);
        }
        expect(taken).toEqual([]);
      }),
      { numRuns: 20 },
    );
  });

  it('is a miss with anything cut off at its end or put there', () => {
    fc.assert(
      fc.property(entries, fc.uint8Array({ minLength: 1 }), (entry, more) => {
        const frame = encode(entry);
        for (let length = 0; length < frame.length; length++) {
          expect(decode(frame.subarray(0, length), entry.key)).toBe('foreign');
        }
        expect(decode(Buffer.concat([frame, more]), entry.key)).toBe('foreign');
      }),
      { numRuns: 100 },
    );
  });

  it('is not what random bytes are, of any length up to a megabyte', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 4_096, size: 'max' }),
        fc.nat(256),
        anyText,
        (some, times, key) => {
          const bytes = Buffer.concat(Array.from({ length: times }, () => some));
          expect(decode(bytes, key)).toBeTypeOf('string');
          expect(decode(frameOf(bytes.toString('latin1'), bytes), key)).toBeTypeOf('string');
        },
      ),
      { numRuns: 300 },
    );
  });

  it('holds nothing but an entry, whatever JSON is in its head', () => {
    fc.assert(
      fc.property(fc.jsonValue(), anyText, (value, key) => {
        expect(decode(frameOf(JSON.stringify(value), Buffer.from('x')), key)).toBe('fields');
      }),
      { numRuns: 2_000 },
    );
  });

  it('is a miss for any entry where hostile bytes take its place', () => {
    fc.assert(
      fc.property(entries, fc.constantFrom(...HOSTILE_BYTES), (given, [, make]) => {
        // As in the contract: some bytes are made for a body of four, and for a key that stands last. What the second
        // version added has its own.
        const { vary: _vary, validator: _validator, ...made } = given;
        const response = { ...made.response, headers: [], body: Buffer.from('body') };
        const entry: Entry = { ...made, response, tags: ['t:1', made.key] };
        const victim = { entry, frame: encode(entry), now: NOW, maxBodyBytes: 1_024 };
        expect(decodeEntry(make(victim), { key: entry.key, now: NOW, maxBodyBytes: 1_024 })).toBeTypeOf(
          'string',
        );
      }),
      { numRuns: 300 },
    );
  });

  it('is read the same by one who remembers heads, whatever comes when, and whatever is done with what was read', () => {
    const frames = fc.tuple(entries, entries).chain(([one, other]) => {
      const { key } = one;
      const second = { ...other, key, tags: [key, ...other.tags] };
      const bodies = [Buffer.from('a body'), Buffer.alloc(0), undefined];
      const withBodies = bodies.map((body) => ({ ...one, response: { ...one.response, body } }));
      // A head that names a length can be no other body's.
      const written = [one, second, ...withBodies].map(encode).filter((frame) => frame !== undefined);
      const frame = fc.constantFrom(...written);
      return fc.record({ key: fc.constant(key), reads: fc.array(fc.tuple(frame, moment, damage)) });
    });
    fc.assert(
      fc.property(frames, ({ key, reads }) => {
        const heads = new KnownHeads();
        for (const [frame, now, { bit, isDamaged }] of reads) {
          const bytes = Buffer.from(frame);
          const at = bit % (frame.length * 8);
          if (isDamaged) bytes.writeUInt8(bytes.readUInt8(at >> 3) ^ (1 << (at & 7)), at >> 3);
          const expected = { key, now, maxBodyBytes: MAX_BODY };
          const found = decodeEntry(bytes, expected, heads);
          expect(found).toEqual(decodeEntry(bytes, expected));
          if (typeof found !== 'string') Object.assign(found, { order: 9, tier: 'shared', start: undefined });
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('is parsed once for as long as its head stays the same', () => {
    fc.assert(
      fc.property(entries, (entry) => {
        fc.pre(entry.storedAt < NOW);
        const heads = new KnownHeads();
        const [first, second] = [0, 1].map(() =>
          decodeEntry(encode(entry), { key: entry.key, now: NOW, maxBodyBytes: MAX_BODY }, heads),
        );
        if (typeof first === 'string' || typeof second === 'string') throw new Error('no entry');
        expect(second).not.toBe(first);
        expect(second?.tags).toBe(first?.tags);
      }),
    );
  });
});

import { randomBytes } from 'node:crypto';
import { encodeEntry } from '../../libs/caching/src/cache/entry-codec.js';
import type { Entry } from '../../libs/caching/src/cache/entry.js';
import { frameOf, type HeadName, partsOf, withField } from '../support/entry-frames.js';

/** An entry that may be sent, and its frame: what the bytes below are made from. */
export interface Victim {
  readonly entry: Entry;
  readonly frame: Buffer;
  readonly now: number;
  readonly maxBodyBytes: number;
}

/** Bytes that a store may return under the victim's key. Each has to be a miss, and none an exception. */
export type HostileBytes = readonly [what: string, make: (victim: Victim) => Buffer];

const MAX_LIFE = 365 * 86_400_000;

const text = (what: string, content: string): HostileBytes => [what, () => Buffer.from(content)];

const field = (
  what: string,
  name: HeadName,
  change: (value: unknown, victim: Victim) => unknown,
): HostileBytes => [
  `${name}: ${what}`,
  (victim) => withField(victim.frame, name, (value) => change(value, victim)),
];

/** Each of the values in the place of one field. */
const values = (name: HeadName, ...bad: readonly unknown[]): HostileBytes[] =>
  bad.map((value) => field(JSON.stringify(value) ?? 'missing', name, () => value));

/** Each of these among the header fields. */
const headers = (...bad: readonly (readonly unknown[])[]): HostileBytes[] =>
  bad.map((header) =>
    field(JSON.stringify(header), 'headers', (present) => [...(present as unknown[]), header]),
  );

const head = (what: string, make: (head: string, victim: Victim) => string): HostileBytes => [
  `a head that is ${what}`,
  (victim) => frameOf(make(partsOf(victim.frame).head, victim), partsOf(victim.frame).body),
];

/** @param at from the end where it is negative */
const flipped = (at: number): HostileBytes => [
  `a bit flipped in byte ${at}`,
  ({ frame }) => {
    const bytes = Buffer.from(frame);
    bytes.writeUInt8((bytes.at(at) as number) ^ 0x10, (at + bytes.length) % bytes.length);
    return bytes;
  },
];

const ANY_VALUE = [null, true, 7, 'text', [], {}, [null], [7], [['a']]] as const;

/** Values of every kind, without those that are right in their place. */
function but(...right: readonly unknown[]): unknown[] {
  return ANY_VALUE.filter((value) => !right.includes(value));
}

const NOT_FRAMES: readonly HostileBytes[] = [
  text('nothing', ''),
  ...['null', '[]', '{}', '""', '"200"', '{"status":200,"body":"x"}', 'NCV', 'NCV\x01'].map((content) =>
    text(JSON.stringify(content), content),
  ),
  ['a JSON text that was cut', ({ entry }) => Buffer.from(JSON.stringify(entry).slice(0, -9))],
  ['random bytes', () => randomBytes(4_096)],
  ['a megabyte of random bytes', () => randomBytes(1_048_576)],
  ['zeros', () => Buffer.alloc(1_024)],
  ['ones', () => Buffer.alloc(1_024, 0xff)],
  ['a frame without its last byte', ({ frame }) => frame.subarray(0, -1)],
  ['a frame without its body', ({ frame }) => frame.subarray(0, 16 + frame.readUInt32BE(8))],
  ['the first 16 bytes of a frame', ({ frame }) => frame.subarray(0, 16)],
  ['a frame with a byte after it', ({ frame }) => Buffer.concat([frame, Buffer.from([0])])],
  ['a frame twice', ({ frame }) => Buffer.concat([frame, frame])],
  ...[0, 3, 4, 8, 11, 12, 15, 16, 40, -1].map(flipped),
  ...[0, 3, 255].map((version): HostileBytes => [
    `version ${version}`,
    ({ frame }) => Buffer.concat([Buffer.from('NCV'), Buffer.from([version]), frame.subarray(4)]),
  ]),
  ...[-1, 1, 65_536].map((more): HostileBytes => [
    `a length of the body that is ${more} bytes more than its own`,
    ({ entry, frame }) =>
      frameOf(partsOf(frame).head, partsOf(frame).body, {
        bodyLength: (entry.response.body?.length ?? 0) + more,
      }),
  ]),
  [
    'a body where none is said to be',
    ({ frame }) => frameOf(partsOf(frame).head, partsOf(frame).body, { bodyLength: 0xffff_ffff }),
  ],
];

const TOO_LARGE: readonly HostileBytes[] = [
  [
    'a body of a byte too many',
    ({ frame, maxBodyBytes }) => frameOf(partsOf(frame).head, Buffer.alloc(maxBodyBytes + 1)),
  ],
  ['64 MB', ({ frame }) => frameOf(partsOf(frame).head, Buffer.alloc(64 * 1_048_576))],
  head('over 64 KB', (given) => given + ' '.repeat(65_536)),
];

const HEADS: readonly HostileBytes[] = [
  ...['', 'null', '7', '"text"', '{}', '[]', '[[]]', 'NaN', '[[[[', '['.repeat(60_000)].map((content) =>
    head(`${JSON.stringify(content.slice(0, 10))} of ${content.length}`, () => content),
  ),
  head('cut', (given) => given.slice(0, -1)),
  head('one field short', (given) => JSON.stringify((JSON.parse(given) as unknown[]).slice(0, 12))),
  head('one field too long', (given) =>
    JSON.stringify([...(JSON.parse(given) as unknown[]).slice(0, 13), 7, 7]),
  ),
  head('an object of the same fields', (given) =>
    JSON.stringify(Object.assign({}, JSON.parse(given) as unknown[])),
  ),
  head('an object with another prototype', (given) => `{"__proto__":${given},"length":12}`),
];

/** Each of these in one place of what is said of freshness. */
const FRESHNESS_CHANGES: readonly (readonly [string, number, (own: number, victim: Victim) => unknown])[] = [
  ...[0, 1, 2, 3, 4].flatMap((at) =>
    // A time in the distant past is one.
    [null, '7', 1.5, 2 ** 53, ...(at === 0 ? [] : [-1])].map(
      (bad) => [`${String(bad)} at ${at}`, at, () => bad] as const,
    ),
  ),
  ['fresh after it is forgotten', 0, (_own, { entry }) => entry.expiresAt + 1],
  [
    'stale serving over before it is stale',
    2,
    (_own, { entry }) => (entry.freshness?.freshUntil ?? entry.expiresAt) - 1,
  ],
  ['stale serving after it is forgotten', 3, (_own, { entry }) => entry.expiresAt + 1],
  ['a flag that nobody knows', 4, () => 4],
];

function freshThroughout({ expiresAt }: Entry): number[] {
  return [expiresAt, 0, expiresAt, expiresAt, 0];
}

const FIELDS: readonly HostileBytes[] = [
  [
    'the entry of another key',
    ({ entry }) => {
      const key = `${entry.key}x`;
      return encodeEntry({ ...entry, key, tags: [key] }, entry.start) as Buffer;
    },
  ],
  field('of another entry that carries our key as a tag', 'tags', (tags) => ['other', ...(tags as string[])]),
  field('without the key', 'tags', (tags, { entry }) =>
    (tags as string[]).map((tag) => (tag === entry.key ? 'other' : tag)),
  ),
  field('with an empty one', 'tags', (tags) => [...(tags as string[]), '']),
  field('with a number', 'tags', (tags) => [...(tags as string[]), 1]),
  field('with null', 'tags', (tags) => [...(tags as string[]), null]),
  field('10,000', 'tags', (tags) => [...(tags as string[]), ...Array.from({ length: 10_000 }, () => 'x')]),
  ...values('tags', ...ANY_VALUE),
  ...values('key', ...but(), -1, 0.5, 1e9, '0', 'length', '__proto__'),
  field('as text', 'key', String),
  field('in a list', 'key', (value) => [value]),
  ...values('variantOf', ...but(null, 'text'), ''),
  ...values('epoch', ...but('text'), ''),
  ...values('n', ...but(7), '7', -1, 1.5, 2 ** 53),
  ...values('storedAt', ...but(), '1700000000000', 1.5, 0, 2 ** 53, -1),
  field('11 s in the future', 'storedAt', (_value, { now }) => now + 10_001),
  ...values('expiresAt', ...but(), '1800000000000', 0, -1, 2 ** 53),
  ...[0, -1].map((life): HostileBytes => [
    `a life of ${life} ms that a clock ahead of ours began`,
    ({ frame, now }) => {
      const stored = withField(frame, 'storedAt', () => now + 9_000);
      return withField(stored, 'expiresAt', () => now + 9_000 + life);
    },
  ]),
  field('now', 'expiresAt', (_value, { now }) => now),
  field('as it was stored', 'expiresAt', (_value, { entry }) => entry.storedAt),
  field('over 365 days after', 'expiresAt', (_value, { entry }) => entry.storedAt + MAX_LIFE + 1),
  field('not whole', 'expiresAt', (value) => (value as number) + 0.5),
  ...values('status', ...but(), 0, -200, 99, 101, 199, 206, 304, 600, 1_000, 200.5, '200'),
  ...values('statusMessage', ...but(null, 'text'), '', 'a\r\nb', 'a\0', 'ж'),
  ...values('delivery', ...but(), '', 'Framework', 'constructor'),
  ...values('removed', ...but(ANY_VALUE[4]), [''], ['a b'], ['a\r\n'], ['é'], [['a']], 'etag', [{}]),
  ...values('freshness', ...but(null), {}, [1, 2, 3, 4], [1, 2, 3, 4, 0, 0]),
  ...FRESHNESS_CHANGES.map(([what, at, change]) =>
    field(what, 'freshness', (value, victim) =>
      // An entry that has none is fresh until it is forgotten.
      ((value as number[] | null) ?? freshThroughout(victim.entry)).map((own, place) =>
        place === at ? change(own, victim) : own,
      ),
    ),
  ),
  ...values('handlerTime', ...but(7), '7', -1, 1.5, 2 ** 53),
  ...values('headers', ...but(ANY_VALUE[4]), 'x: y', { x: 'y' }, [['x']], [[]], ['x', 'y'], [{}]),
];

const BAD_NAMES = ['', ' ', 'a b', 'a:', 'a\r\nb', 'a\0', 'é', 'ж', 'a\n', null, 7, {}, ['a']];
const BAD_VALUES = ['a\r\nb: c', 'a\rb', 'a\nb', 'a\0', 'ж', 'a\u007f', 'a\n', null, 7, true, {}];
const CONNECTION_FIELDS = [
  'Connection',
  'Keep-Alive',
  'Proxy-Authenticate',
  'Proxy-Authentication-Info',
  'Proxy-Authorization',
  'Proxy-Connection',
  'TE',
  'Trailer',
  'Transfer-Encoding',
  'Upgrade',
];

/** Fields that no stored response has, as they are spelt. */
export const REFUSED_FIELDS: readonly string[] = [
  ...CONNECTION_FIELDS,
  'Set-Cookie',
  'Set-Cookie2',
  'Content-Encoding',
  'Content-Range',
];

const HEADERS: readonly HostileBytes[] = [
  ...headers(...BAD_NAMES.map((name) => [name, 'value'])),
  ...headers(...BAD_VALUES.map((value) => ['X-One', value])),
  ...headers(...BAD_VALUES.map((value) => ['X-One', ['fine', value]])),
  ...headers(...REFUSED_FIELDS.flatMap((name) => [name, name.toLowerCase()]).map((name) => [name, 'a'])),
  ...headers(
    ['Set-Cookie', ['a=b']],
    ['Vary', 'a', 'remove'],
    ['Vary', 'a', 'add', 'add'],
    ['Vary', 'a', ''],
  ),
  ...headers(...['0', '1', '-1', '1e1', '', ' ', 'a', ['4'], 4].map((length) => ['Content-Length', length])),
  ...headers(['content-length', '999']),
];

/** What stores have been seen to return, or may: all of it under the victim's own key. */
export const HOSTILE_BYTES: readonly HostileBytes[] = [
  ...NOT_FRAMES,
  ...TOO_LARGE,
  ...HEADS,
  ...FIELDS,
  ...HEADERS,
];

import { describe, expect, it } from 'vitest';
import { decodeEntry, encodeEntry, type FrameRefusal } from '../../libs/caching/src/cache/entry-codec.js';
import type { Entry, EntryLife, HeaderField } from '../../libs/caching/src/cache/entry.js';
import { diffHeaders } from '../../libs/caching/src/http/header-diff.js';
import { mayStore } from '../../libs/caching/src/http/response-filter.js';
import { entry } from '../support/engine.js';
import { frameOf, HEAD, partsOf, withField } from '../support/entry-frames.js';
import { HOSTILE_BYTES, REFUSED_FIELDS, type Victim } from './hostile-bytes.js';

const NOW = 1_700_000_000_000;
const KEY = 'shop:view:6:/books0:';
const EXPECTED = { key: KEY, now: NOW, maxBodyBytes: 1_048_576 };

const FRESHNESS: EntryLife = {
  freshUntil: NOW + 10_000,
  ageAtStore: 5,
  staleWhileRevalidateUntil: NOW + 20_000,
  staleIfErrorUntil: NOW + 30_000,
  alwaysRevalidate: false,
  staleForbidden: true,
};

function whole(given: Partial<Entry['response']> = {}, more: Partial<Entry> = {}): Entry {
  const start = { epoch: 'epoch', n: 7 };
  const made = entry(KEY, { start, storedAt: NOW - 1_000, tags: ['t:1'], text: 'body', ...more });
  const response = { ...made.response, headers: [['X-One', 'é']] as const, statusMessage: 'Fine', ...given };
  return { ...made, variantOf: 'shop:view:', order: 0, freshness: FRESHNESS, ...more, response };
}

function frame(given?: Partial<Entry['response']>): Buffer {
  const made = whole(given);
  return encodeEntry(made, made.start) as Buffer;
}

const victim: Victim = { entry: whole(), frame: frame(), now: NOW, maxBodyBytes: EXPECTED.maxBodyBytes };

function decode(bytes: unknown, expected: Partial<typeof EXPECTED> = {}): Entry | FrameRefusal {
  return decodeEntry(bytes, { ...EXPECTED, ...expected });
}

describe('bytes that a store returns', () => {
  it('are an entry where they are what was stored', () => {
    expect(decode(victim.frame)).toStrictEqual(victim.entry);
  });

  it.each(HEAD)(
    'are the very same where %s is written anew as it was, as all that is wrong below is',
    (name) => {
      expect(withField(victim.frame, name, (value) => value)).toEqual(victim.frame);
    },
  );

  it.each(HOSTILE_BYTES)('are a miss where they are %s', (_what, make) => {
    expect(decode(make(victim))).toBeTypeOf('string');
  });

  it.each<[what: string, change: (head: unknown[]) => unknown, body?: Buffer]>([
    ['nothing that the second version added', (head) => (head.length = 13)],
    ['a part of it only', (head) => (head.length = 15)],
    ['more than that', (head) => head.push(null)],
    ['a handler time that is a text', (head) => (head[13] = '7')],
    ['names that are none', (head) => (head[14] = ['a b'])],
    ['no names', (head) => (head[14] = [])],
    ['65 names', (head) => (head[14] = Array.from({ length: 65 }, () => 'a'))],
    ['a text for names', (head) => (head[14] = 'accept')],
    ['a fresh life', (head) => ((head[12] as number[])[4] = 0)],
    ['no life of its own', (head) => (head[12] = null)],
    ['a body', () => undefined, Buffer.from('body')],
    ['an empty body', () => undefined, Buffer.alloc(0)],
    ['an empty validator', (head) => (head[15] = '')],
    ['a number for a validator', (head) => (head[15] = 7)],
  ])('are no word of variants with %s', (_what, change, body) => {
    const { storedAt, expiresAt } = victim.entry;
    const head = JSON.parse(partsOf(victim.frame).head) as unknown[];
    head[10] = [];
    head[12] = [storedAt, 0, storedAt, expiresAt, 3];
    head.length = 13;
    head.push(null, ['accept-language'], 's1');
    const whole = frameOf(JSON.stringify(head), undefined, { version: 2 });
    expect(decode(whole)).toMatchObject({ vary: ['accept-language'], validator: 's1' });
    change(head);
    expect(decode(frameOf(JSON.stringify(head), body, { version: 2 }))).toBe('fields');
  });

  it.each([null, undefined, '', 'NCV', [], {}, 7, true, new Uint8Array(64), [victim.frame]])(
    'are a miss where they are no bytes at all: %j',
    (nothing) => {
      expect(decode(nothing)).toBe('foreign');
    },
  );

  it.each<[FrameRefusal, Buffer, Partial<typeof EXPECTED>?]>([
    ['foreign', victim.frame.subarray(1)],
    ['version', Buffer.concat([Buffer.from('NCV\x03'), victim.frame.subarray(4)])],
    ['too-large', victim.frame, { maxBodyBytes: 3 }],
    ['checksum', Buffer.concat([victim.frame.subarray(0, -1), Buffer.from('!')])],
    ['key', victim.frame, { key: `${KEY}x` }],
    ['fields', withField(victim.frame, 'status', () => 304)],
    ['expired', victim.frame, { now: victim.entry.expiresAt }],
    ['future', victim.frame, { now: victim.entry.storedAt - 10_001 }],
  ])('say why they are none: %s', (refusal, bytes, expected) => {
    expect(decode(bytes, expected)).toBe(refusal);
  });

  it('live to the last millisecond, and as long as they may', () => {
    expect(decode(victim.frame, { now: victim.entry.expiresAt - 1 })).toStrictEqual(victim.entry);
    const year = whole({}, { expiresAt: NOW - 1_000 + 365 * 86_400_000 });
    expect(decode(encodeEntry(year, year.start))).toStrictEqual(year);
  });

  it.each([1, 10_000])(
    'live their whole life from now where the clock that stored them is %i ms ahead',
    (ahead) => {
      const now = victim.entry.storedAt - ahead;
      expect(decode(victim.frame, { now })).toStrictEqual({
        ...victim.entry,
        storedAt: now,
        expiresAt: now + 60_000,
        freshness: {
          ...FRESHNESS,
          freshUntil: FRESHNESS.freshUntil - ahead,
          staleWhileRevalidateUntil: FRESHNESS.staleWhileRevalidateUntil - ahead,
          staleIfErrorUntil: FRESHNESS.staleIfErrorUntil - ahead,
        },
      });
    },
  );

  it('are taken with a body of just the length that is allowed', () => {
    expect(decode(victim.frame, { maxBodyBytes: 4 })).toStrictEqual(victim.entry);
  });

  it.each<[HeaderField]>([
    [['Content-Length', '4']],
    [['content-length', '004']],
    [['Vary', 'Accept', 'add']],
    [['Link', ['<a>', '<b>'], 'add']],
    [["!#$%&'*+-.^_`|~09azAZ", '\t ~\u0080\u00ff']],
    [['X-None', []]],
    [['X-Empty', '']],
    [['X-Empty', ['', 'a']]],
    [['constructor', 'x']],
    [['__proto__', 'x']],
    [['Content-Type', 'text/html']],
    [['Upgrade-Insecure-Requests', '1']],
  ])('keep a field that may be replayed: %j', (header) => {
    expect(decode(frame({ headers: [header] }))).toMatchObject({ response: { headers: [header] } });
  });

  it.each([200, 201, 203, 204, 205, 207, 301, 303, 305, 404, 599])('keep the status %i', (status) => {
    expect(decode(frame({ status }))).toMatchObject({ response: { status } });
  });

  it('change no prototype', () => {
    const members = '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}';
    const { head, body } = partsOf(victim.frame);
    for (const bad of [members, `[${members}]`, head.replace('["X-One","é"]', members)]) {
      expect(decode(frameOf(bad, body))).toBe('fields');
    }
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect(decode(victim.frame)).toStrictEqual(victim.entry);
  });
});

describe('an entry', () => {
  const tooMany = Array.from({ length: 512 }, (_, n) => `t:${n}`);

  it.each<[string, Entry]>([
    ['its head is above 64 KB', whole({ headers: [['X-Long', 'x'.repeat(65_536)]] })],
    ['it has more tags than a reader takes', whole({}, { tags: [...tooMany, KEY] })],
    ['its own key is not among its tags', whole({}, { tags: ['t:1'] })],
    ['its length is not its own', whole({ headers: [['Content-Length', '5']] })],
    ['its body is above 4 GB', whole({ body: { length: 2 ** 32 } as Buffer })],
    ...REFUSED_FIELDS.map((name): [string, Entry] => [`it has ${name}`, whole({ headers: [[name, 'a']] })]),
  ])('is not written where %s', (_what, unfit) => {
    expect(encodeEntry(unfit, unfit.start)).toBeUndefined();
  });

  it('is written up to these bounds', () => {
    const tagged = whole({}, { tags: [...tooMany.slice(1), KEY] });
    expect(decode(encodeEntry(tagged, tagged.start))).toStrictEqual(tagged);
    const rest = 65_536 - partsOf(frame({ headers: [['X-Long', 'x']] })).head.length + 1;
    const long = (length: number) => whole({ headers: [['X-Long', 'x'.repeat(length)]] });
    expect(decode(encodeEntry(long(rest), long(rest).start))).toStrictEqual(long(rest));
    expect(encodeEntry(long(rest + 1), long(rest).start)).toBeUndefined();
  });

  it.each(REFUSED_FIELDS.filter((name) => name !== 'Set-Cookie2'))(
    'is never recorded with a field that no reader takes: %s',
    (name) => {
      const field = name.toLowerCase();
      const headers = { [field]: 'a' };
      const verdict = mayStore(
        {
          statuses: new Map([[200, 1_000]]),
          freshness: {
            mode: 'min',
            staleWhileRevalidate: undefined,
            staleIfError: undefined,
            canRevalidate: false,
          },
          keyedHeaders: new Set(),
          declaredVary: new Set(),
        },
        {
          status: 200,
          headers,
          varyBefore: [],
          cookieAdded: field === 'set-cookie',
          requestedAt: NOW,
          receivedAt: NOW,
          isAuthorized: false,
          variantBy: () => undefined,
        },
        { refusal: undefined, ttl: undefined, validator: undefined },
      );
      const recorded = verdict.store ? diffHeaders({}, headers, [name]).headers : [];
      expect(recorded).toEqual([]);
    },
  );
});

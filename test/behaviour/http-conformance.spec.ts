import { Controller, Get, Res } from '@nestjs/common';
import { CacheView } from 'nestjs-caching';
import type { Response } from 'express';
import type { FastifyReply } from 'fastify';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { wireRequest } from '../support/wire.js';

type AnyResponse = Response & FastifyReply;
type Fields = readonly (readonly [name: string, value: string | string[]])[];

/** Seconds from the clock's now, as a date, with two of these in capitals; anything else stays. */
const AT = /^(@@?)(-?\d+)$/;

/** What a test of shared caches sends as an origin, after how many seconds it asks again, and who answers. */
const REUSE: readonly (readonly [what: string, fields: Fields, after: number, isReused: boolean])[] = [
  ['nothing about its life, within ttl', [], 9, true],
  ['nothing about its life, after ttl', [], 10, false],
  ['max-age, before its end', [['Cache-Control', 'max-age=60']], 59, true],
  ['max-age, at its end', [['Cache-Control', 'max-age=60']], 60, false],
  ['max-age=0', [['Cache-Control', 'max-age=0']], 0, false],
  ['a max-age of another case', [['Cache-Control', 'MaX-aGe=60']], 59, true],
  ['max-age beside an extension', [['Cache-Control', 'foobar, max-age=60, a="b,c=1"']], 59, true],
  ['max-age in an extension only', [['Cache-Control', 'a="max-age=3600"']], 10, false],
  ['two fields, the second with max-age', [['Cache-Control', ['public', 'max-age=60']]], 59, true],
  ['a negative max-age', [['Cache-Control', 'max-age=-3600']], 0, false],
  ['a max-age that is no number', [['Cache-Control', 'max-age=a3600']], 0, false],
  ['a max-age with a fraction', [['Cache-Control', 'max-age=3600.0']], 0, false],
  ['a max-age beyond all bounds', [['Cache-Control', `max-age=${'9'.repeat(40)}`]], 3_600, true],
  [
    'max-age and an Expires that is over',
    [
      ['Cache-Control', 'max-age=60'],
      ['Expires', '@-100'],
    ],
    59,
    true,
  ],
  [
    'max-age=0 and an Expires to come',
    [
      ['Cache-Control', 'max-age=0'],
      ['Expires', '@100'],
    ],
    0,
    false,
  ],
  ['s-maxage longer than max-age', [['Cache-Control', 'max-age=1, s-maxage=60']], 59, true],
  ['s-maxage shorter than max-age', [['Cache-Control', 'max-age=3600, s-maxage=1']], 1, false],
  [
    's-maxage and an Expires that is over',
    [
      ['Cache-Control', 's-maxage=60'],
      ['Expires', '@-100'],
    ],
    59,
    true,
  ],
  ['Expires, before it', [['Expires', '@60']], 59, true],
  ['Expires, after it', [['Expires', '@60']], 60, false],
  ['an Expires of another case', [['Expires', '@@60']], 59, true],
  ['Expires: 0', [['Expires', '0']], 0, false],
  ['an Expires that is no date', [['Expires', 'tomorrow']], 0, false],
  ['two Expires', [['Expires', ['@60', '@60']]], 0, false],
  ['an Expires of now', [['Expires', '@0']], 0, false],
  [
    'an Expires that its own Date has passed',
    [
      ['Date', '@120'],
      ['Expires', '@60'],
    ],
    0,
    false,
  ],
  [
    'an Age within max-age',
    [
      ['Cache-Control', 'max-age=60'],
      ['Age', '30'],
    ],
    29,
    true,
  ],
  [
    'an Age that ends max-age',
    [
      ['Cache-Control', 'max-age=60'],
      ['Age', '30'],
    ],
    30,
    false,
  ],
  [
    'an Age beyond max-age',
    [
      ['Cache-Control', 'max-age=60'],
      ['Age', '61'],
    ],
    0,
    false,
  ],
  [
    'an Age of a list, whose first counts',
    [
      ['Cache-Control', 'max-age=60'],
      ['Age', '0, 999'],
    ],
    59,
    true,
  ],
  [
    'an Age that is no number',
    [
      ['Cache-Control', 'max-age=60'],
      ['Age', 'abc'],
    ],
    59,
    true,
  ],
  [
    'an old Date',
    [
      ['Cache-Control', 'max-age=60'],
      ['Date', '@-61'],
    ],
    0,
    false,
  ],
  [
    'a Date to come',
    [
      ['Cache-Control', 'max-age=60'],
      ['Date', '@3600'],
    ],
    60,
    false,
  ],
  ['no-store', [['Cache-Control', 'no-store, max-age=3600']], 0, false],
  ['no-store of another case', [['Cache-Control', 'No-StOrE, max-age=3600']], 0, false],
  ['no-store in a second field', [['Cache-Control', ['max-age=3600', 'no-store']]], 0, false],
  ['no-store behind a quote that is open', [['Cache-Control', 'a="b, no-store, max-age=3600']], 0, false],
  ['no-cache', [['Cache-Control', 'no-cache, max-age=3600']], 0, false],
  ['no-cache of a field', [['Cache-Control', 'no-cache="x-a", max-age=3600']], 0, false],
  ['private', [['Cache-Control', 'private, max-age=3600']], 0, false],
  ['private of a field', [['Cache-Control', 'private="x-a", max-age=3600']], 0, false],
  ['must-revalidate, fresh', [['Cache-Control', 'must-revalidate, max-age=60']], 59, true],
  ['must-revalidate, stale', [['Cache-Control', 'must-revalidate, max-age=1']], 1, false],
  ['must-understand and no-store', [['Cache-Control', 'must-understand, no-store, max-age=60']], 59, true],
  [
    'Pragma: no-cache of a response',
    [
      ['Cache-Control', 'max-age=60'],
      ['Pragma', 'no-cache'],
    ],
    59,
    true,
  ],
  [
    'CDN-Cache-Control longer',
    [
      ['CDN-Cache-Control', 'max-age=60'],
      ['Cache-Control', 'no-store'],
    ],
    59,
    true,
  ],
  [
    'CDN-Cache-Control shorter',
    [
      ['CDN-Cache-Control', 'max-age=1'],
      ['Cache-Control', 'max-age=60'],
    ],
    1,
    false,
  ],
  [
    'an invalid CDN-Cache-Control',
    [
      ['CDN-Cache-Control', 'max-age="60"'],
      ['Cache-Control', 'max-age=1'],
    ],
    1,
    false,
  ],
  ['an unknown CDN directive', [['CDN-Cache-Control', 'max-age=60, x=1']], 59, true],
  ['Surrogate-Control, which nobody defined', [['Surrogate-Control', 'max-age=3600']], 10, false],
  [
    'Set-Cookie',
    [
      ['Cache-Control', 'max-age=60'],
      ['Set-Cookie', 'a=b'],
    ],
    0,
    false,
  ],
  [
    'Vary: *',
    [
      ['Cache-Control', 'max-age=60'],
      ['Vary', '*'],
    ],
    0,
    false,
  ],
  [
    'a * among others in Vary',
    [
      ['Cache-Control', 'max-age=60'],
      ['Vary', ['Accept', '*']],
    ],
    0,
    false,
  ],
  ['Last-Modified alone, which is no life', [['Last-Modified', '@-360000']], 10, false],
  ['stale-while-revalidate, which is no life', [['Cache-Control', 'max-age=1, stale-if-error=60']], 1, false],
];

/** Whether the second request, with these fields, is given what the first one has left. */
const VARIED: readonly (readonly [
  vary: string | string[],
  first: Record<string, string>,
  second: Record<string, string>,
  isReused: boolean,
])[] = [
  ['Foo', { foo: '1' }, { foo: '1' }, true],
  ['Foo', { foo: '1' }, { foo: '2' }, false],
  ['Foo', { foo: '1' }, {}, false],
  ['Foo', {}, { foo: '1' }, false],
  ['Foo', {}, {}, true],
  ['FOO', { foo: '1' }, { Foo: '1' }, true],
  ['Foo', { foo: 'a' }, { foo: 'A' }, false],
  ['Foo, Bar', { foo: '1', bar: 'a' }, { foo: '1', bar: 'a' }, true],
  ['Foo, Bar', { foo: '1', bar: 'a' }, { foo: '1', bar: 'b' }, false],
  ['Foo, Bar', { foo: '1', bar: 'a' }, { foo: '1' }, false],
  [['Foo', 'Bar'], { foo: '1', bar: 'a' }, { foo: '1', bar: 'b' }, false],
  ['Foo', { foo: '1', other: '2' }, { foo: '1', other: '3' }, true],
  ['Foo', { foo: '1, 2' }, { foo: '1,2' }, true],
  ['Foo', { foo: '12' }, { foo: '1, 2' }, false],
  ['Accept-Encoding', { 'Accept-Encoding': 'gzip;q=1, br' }, { 'Accept-Encoding': 'br,gzip' }, true],
  ['Accept-Language', { 'Accept-Language': 'en, de' }, { 'Accept-Language': 'de, en' }, false],
  ['Accept-Language', { 'Accept-Language': 'en, de-CH' }, { 'Accept-Language': 'eN,DE-ch' }, true],
];

describe.each(PLATFORMS)('a shared cache that follows RFC 9111, on %s,', (platform) => {
  let runs: number;
  let fields: Fields;
  let running: RunningApplication;
  let target = 0;

  beforeAll(async () => {
    @Controller()
    class OriginController {
      @Get('origin')
      @CacheView({ ttl: '10s', freshness: 'response', scope: 'public', inputs: 'reviewed' })
      origin(@Res({ passthrough: true }) response: AnyResponse) {
        runs += 1;
        for (const [name, value] of fields) {
          const date = (each: string) => {
            const [, mark, seconds] = AT.exec(each) ?? [];
            if (seconds === undefined) return each;
            const text = new Date(running.clock.now() + Number(seconds) * 1_000).toUTCString();
            return mark === '@' ? text : text.toUpperCase();
          };
          response.header(name, typeof value === 'string' ? date(value) : value.map(date));
        }
        return `run ${runs}`;
      }
    }
    running = await startApplication(platform, { controllers: [OriginController] });
  });

  beforeEach(() => {
    runs = 0;
    fields = [];
    target += 1;
  });

  afterAll(() => running.close());

  const ask = (headers: Record<string, string> = {}) =>
    wireRequest(running.port, `/origin?${target}`, { headers });

  it.each(REUSE)('with %s', async (_what, sent, after, isReused) => {
    fields = sent;
    expect((await ask()).text).toBe('run 1');
    running.clock.advance(after * 1_000);
    const second = await ask();
    expect(second.text).toBe(isReused ? 'run 1' : 'run 2');
    // §5.1: what comes from the cache says how old it is, what it had been when it came included.
    const received =
      Number(
        sent
          .find(([name]) => name === 'Age')?.[1]
          .toString()
          .split(',')[0],
      ) || 0;
    expect(!isReused || Number(second.field('age')) >= after + received).toBe(true);
  });

  it.each(VARIED)('Vary: %s, first with %j, then with %j', async (vary, first, second, isReused) => {
    fields = [
      ['Cache-Control', 'max-age=60'],
      ['Vary', vary],
    ];
    await ask(first);
    expect((await ask(second)).text).toBe(isReused ? 'run 1' : 'run 2');
    // Both are there by now.
    expect([(await ask(first)).text, runs]).toEqual(['run 1', isReused ? 1 : 2]);
  });

  it.each([
    ['', false],
    ['public', true],
    ['must-revalidate', true],
    ['s-maxage=60', true],
    ['proxy-revalidate', false],
    ['private, public', false],
  ])('Authorization and Cache-Control: max-age=60, %s', async (control, isShared) => {
    fields = [['Cache-Control', control === '' ? 'max-age=60' : `max-age=60, ${control}`]];
    await ask({ Authorization: 'Bearer a' });
    expect((await ask({ Authorization: 'Bearer b' })).text).toBe(isShared ? 'run 1' : 'run 2');
  });

  it('replays the fields of the handler, and none that are of one connection or message', async () => {
    fields = [
      ['Cache-Control', 'max-age=60, x-unknown="a, b"'],
      ['X-Own', ['a', 'b']],
      ['Content-Language', 'de'],
      ['Proxy-Authenticate', 'Basic'],
      ['Keep-Alive', 'timeout=99'],
      ['TE', 'trailers'],
      ['Upgrade', 'h2c'],
    ];
    await ask();
    const hit = await ask();
    expect(hit.verdict).toBe('HIT');
    expect(hit.field('cache-control')).toBe('max-age=60, x-unknown="a, b"');
    expect([hit.all('x-own').join(', '), hit.field('content-language')]).toEqual(['a, b', 'de']);
    const gone = ['proxy-authenticate', 'te', 'upgrade'].map((name) => hit.field(name));
    expect([...gone, hit.field('keep-alive')?.includes('99') ?? false]).toEqual([
      undefined,
      undefined,
      undefined,
      false,
    ]);
  });

  it('shows as Date when a response was generated, whichever the handler says', async () => {
    const date = new Date(running.clock.now() - 20_000).toUTCString();
    fields = [
      ['Cache-Control', 'max-age=60'],
      ['Date', date],
    ];
    await ask();
    running.clock.advance(5_000);
    const hit = await ask();
    expect([hit.verdict, hit.field('date'), hit.field('age')]).toEqual(['HIT', date, '25']);
  });

  it('keeps apart queries that differ in anything that a parser sees', async () => {
    fields = [['Cache-Control', 'max-age=60']];
    const { port } = running;
    const texts = [];
    for (const query of ['a=1', 'a=2', 'A=1', 'a', 'a=', ''])
      texts.push((await wireRequest(port, `/origin?${query}&t=${target}`)).text);
    expect(new Set(texts).size).toBe(6);
  });
});

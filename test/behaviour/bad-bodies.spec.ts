import { Body, Controller, HttpCode, type INestApplication, Post } from '@nestjs/common';
import { CacheView, jsonBody } from 'nestjs-caching';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';

const DEEP = 10_000;

describe.each(PLATFORMS)('bad JSON bodies on %s', (platform) => {
  let running: RunningApplication;
  let runs: number;

  beforeEach(async () => {
    runs = 0;
    @Controller()
    class BodyController {
      @Post('search') @HttpCode(200) @CacheView({ key: jsonBody() }) search(@Body() body: unknown) {
        runs += 1;
        // What a handler sees; `-0` and infinity would not show in JSON.
        return { seen: show(body) };
      }
    }
    running = await startApplication(platform, {
      controllers: [BodyController],
      setUp: (app: INestApplication) => {
        const bodies = app as INestApplication & { useBodyParser(type: string, options: object): void };
        const options = platform === 'express' ? { limit: '2mb' } : { bodyLimit: 2 * 1024 * 1024 };
        bodies.useBodyParser(platform === 'express' ? 'json' : 'application/json', options);
      },
    });
  });

  afterEach(() => running.close());

  const post = (body: string | Buffer, type: string | undefined = 'application/json') =>
    running.request('/search', {
      method: 'POST',
      body,
      headers: type === '' ? {} : { 'content-type': type },
    });

  it.each<[string, string]>([
    ['{"a":1,"b":2}', '{"b":2,"a":1}'],
    ['{"a":1}', '{"a":1.0}'],
    ['{"a":1}', ' { "a" : 1 } '],
    ['{"a":100}', '{"a":1e2}'],
    ['{"a":2}', '{"a":1,"a":2}'],
    ['{"a":"A"}', String.raw`{"a":"\u0041"}`],
    ['{"a":"/"}', String.raw`{"a":"\/"}`],
    // Both are 2^53 to a handler: what JSON.parse can't tell apart, nobody can.
    ['{"a":9007199254740992}', '{"a":9007199254740993}'],
  ])('that mean the same share a key: %s and %s', async (one, other) => {
    const [first, second] = [await post(one), await post(other)];
    expect([first.verdict, second.verdict]).toEqual(['MISS', 'HIT']);
    expect(second.text).toBe(first.text);
  });

  it('that a handler can tell apart do not share one', async () => {
    const bodies = [
      '{"a":1}',
      '{"a":"1"}',
      '{"a":true}',
      '{"a":[1]}',
      '{"a":null}',
      '{"a":{}}',
      '{"a":[]}',
      '{}',
      '[]',
      '{"a":0}',
      '{"a":-0}',
      '{"a":""}',
      '{"a":"null"}',
      '{"A":1}',
      '{"a":1,"b":null}',
      '[1,2]',
      '[2,1]',
      '["1,2"]',
      '[[1],2]',
      '[[1,2]]',
      '{"a":{"b":1}}',
      '{"a.b":1}',
      '{"a":"\\"}"}',
      '{"a":1e400}',
      '{"a":-1e400}',
      '{"":1}',
      '{"constructor":1}',
      '{"a":"1:x"}',
      '{"a":"\\u0000"}',
      '{"a":"\\ud800"}',
      '{"a":"\\ud801"}',
      '{"a":"\\ufffd"}',
    ];
    const texts: string[] = [];
    for (const body of bodies) {
      const reply = await post(body);
      expect([body, reply.status, reply.verdict]).toEqual([body, 200, 'MISS']);
      texts.push(reply.text);
    }
    expect(new Set(texts).size).toBe(bodies.length);
    for (const [at, body] of bodies.entries()) expect((await post(body)).text).toBe(texts[at]);
    expect(runs).toBe(bodies.length);
  });

  it('that name a prototype pollute nothing, and are told apart where the framework lets them in', async () => {
    const bodies = [
      '{"__proto__":{"x":1}}',
      '{"__proto__":{"x":2}}',
      '{}',
      '{"constructor":{"prototype":{"x":1}}}',
    ];
    // Fastify's parser answers these with 400.
    const isRefused = (body: string) => platform === 'fastify' && /__proto__|constructor/.test(body);
    const texts: string[] = [];
    for (const body of bodies) texts.push((await post(body)).text);
    for (const [at, body] of bodies.entries()) {
      const again = await post(body);
      const refused = [400, undefined, texts[at]];
      expect([again.status, again.verdict, again.text]).toEqual(
        isRefused(body) ? refused : [200, 'HIT', texts[at]],
      );
    }
    expect(texts[0] !== texts[1] || platform === 'fastify').toBe(true);
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });

  it.each<[string, string]>([
    ['lists', `${'['.repeat(DEEP)}${']'.repeat(DEEP)}`],
    ['objects', `${'{"a":'.repeat(DEEP)}1${'}'.repeat(DEEP)}`],
  ])('10,000 levels of %s bypass', async (_what, body) => {
    for (let round = 0; round < 2; round++) {
      const reply = await post(body);
      expect([reply.status, reply.cacheStatus]).toEqual([200, 'nestjs-caching; fwd=bypass; detail=body']);
    }
  });

  it('that are long bypass, and beyond the limit of the framework get its 413', async () => {
    const long = await post(JSON.stringify({ text: 'x'.repeat(70_000) }));
    expect(long.cacheStatus).toBe('nestjs-caching; fwd=bypass; detail=body');
    const many = await post(JSON.stringify(Array.from({ length: 60_000 }, () => 1)));
    expect(many.cacheStatus).toBe('nestjs-caching; fwd=bypass; detail=body');
    expect((await post(JSON.stringify({ text: 'x'.repeat(3_000_000) }))).status).toBe(413);
  });

  it.each(['text/plain', 'application/xml', 'application/jsonp', 'application/x-www-form-urlencoded', ''])(
    'of another type bypass or get the error of the framework: %o',
    async (type) => {
      for (let round = 0; round < 2; round++) {
        const reply = await post('{"a":1}', type);
        const outcome = reply.status === 415 ? 415 : reply.cacheStatus;
        expect([415, 'nestjs-caching; fwd=bypass; detail=body']).toContain(outcome);
      }
      expect((await post('{"a":1}')).verdict).toBe('MISS');
    },
  );

  it.each(['application/json; charset=utf-8', 'application/json ;charset=utf-8', 'APPLICATION/JSON'])(
    'of type %s are JSON',
    async (type) => {
      expect([(await post('{"a":1}', type)).verdict, (await post('{"a":1}', type)).verdict]).toEqual([
        'MISS',
        'HIT',
      ]);
    },
  );

  it('that are cut or no JSON get the error of the framework or bypass, and nothing is stored', async () => {
    for (const body of ['{"a":', '{a:1}', 'nonsense', '{"a":1}}', '\u0000']) {
      for (let round = 0; round < 2; round++) {
        const reply = await post(body);
        expect(reply.status < 400 ? reply.verdict : reply.status).toBe(reply.status < 400 ? 'BYPASS' : 400);
      }
    }
    expect(running.events.filter(({ type }) => type === 'stored')).toEqual([]);
  });

  it('that are empty are what the framework makes of them: an empty object, or an error', async () => {
    const replies = [await post(''), await post('{}')];
    // Express hands over `{}` for both, so they are one; Fastify refuses the first.
    const expected =
      platform === 'express'
        ? [
            [200, 'MISS'],
            [200, 'HIT'],
          ]
        : [
            [400, undefined],
            [200, 'MISS'],
          ];
    expect(replies.map(({ status, verdict }) => [status, verdict])).toEqual(expected);
  });

  it('of invalid UTF-8 share a key only where a handler sees the same text', async () => {
    const bytes = (...middle: number[]) =>
      Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, ...middle, 0x22, 0x7d]);
    const replies: { status: number; text: string; verdict: string | undefined }[] = [];
    for (const body of [bytes(0xff), bytes(0xfe), bytes(0xc3), bytes(0x41), bytes(0xed, 0xa0, 0x80)]) {
      replies.push(await post(body));
    }
    for (const [at, reply] of replies.entries()) {
      if (reply.verdict !== 'HIT') continue;
      expect(replies.slice(0, at).map(({ text }) => text)).toContain(reply.text);
    }
    expect(replies[3]).toMatchObject({ status: 200, verdict: 'MISS' });
    expect(replies.filter(({ status }) => status >= 500)).toEqual([]);
  });
});

/** A body as text that shows what JSON hides; at 10,000 levels, no more than that there is one. */
function show(body: unknown): string {
  try {
    return JSON.stringify(body, (_name, value: unknown) =>
      typeof value === 'number' ? `number ${Object.is(value, -0) ? '-0' : String(value)}` : value,
    );
  } catch (error) {
    if (error instanceof RangeError) return 'too deep to show';
    throw error;
  }
}

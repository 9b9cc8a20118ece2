import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { Controller, Get, Res } from '@nestjs/common';
import { CacheEvictionService, CacheView, type CachingModuleOptions } from 'nestjs-caching';
import type { Response } from 'express';
import type { FastifyReply } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CodedBodies } from '../../libs/caching/src/http/coded-bodies.js';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { response as storedResponse } from '../support/engine.js';
import { until } from '../support/handler-gate.js';
import { useCompression, useSession } from '../support/plugins.js';
import { type WireResponse, wireRequest } from '../support/wire.js';

type AnyResponse = Response & FastifyReply;

const TEXT = 'A text that says the same again and again. '.repeat(200);
const GZIP = { 'Accept-Encoding': 'gzip' };

describe.each(PLATFORMS)('compression on %s', (platform) => {
  let runs: number;
  let text: string;
  let fields: Record<string, string>;
  const open: RunningApplication[] = [];

  beforeEach(() => {
    runs = 0;
    text = TEXT;
    fields = { 'Content-Type': 'text/plain' };
  });

  afterEach(() => Promise.all(open.splice(0).map((running) => running.close())));

  const start = async (
    compression: CachingModuleOptions['compression'] = true,
    setUp?: Parameters<typeof startApplication>[1]['setUp'],
  ) => {
    @Controller()
    class TextController {
      @Get('text') @CacheView({ statuses: [200, 404] }) get(
        @Res({ passthrough: true }) response: AnyResponse,
      ) {
        runs += 1;
        for (const [name, value] of Object.entries(fields)) response.header(name, value);
        return text;
      }
    }
    const caching: CachingModuleOptions = compression === undefined ? {} : { compression };
    const running = await startApplication(platform, {
      controllers: [TextController],
      caching,
      ...(setUp && { setUp }),
    });
    open.push(running);
    const ask = (headers: Record<string, string> = {}, method = 'GET') =>
      wireRequest(running.port, '/text', { headers, method });
    /** Asks until the variant has been made. */
    const coded = async (headers: Record<string, string> = GZIP): Promise<WireResponse> => {
      let last = await ask(headers);
      for (let at = 0; at < 500 && last.field('content-encoding') === undefined; at++)
        last = await ask(headers);
      return last;
    };
    return { running, ask, coded };
  };

  it('sends hits as the client accepts them, the same bytes under another strong tag', async () => {
    const { ask, coded } = await start();
    const miss = await ask(GZIP);
    expect([miss.verdict, miss.field('content-encoding'), miss.text]).toEqual(['MISS', undefined, TEXT]);
    const gzip = await coded();
    expect(gzip.verdict).toBe('HIT');
    expect(gunzipSync(gzip.body).toString()).toBe(TEXT);
    const brotli = await coded({ 'Accept-Encoding': 'gzip;q=0.5, br' });
    expect([brotli.field('content-encoding'), brotliDecompressSync(brotli.body).toString()]).toEqual([
      'br',
      TEXT,
    ]);
    const plain = await ask();
    expect([plain.field('content-encoding'), plain.text]).toEqual([undefined, TEXT]);
    const tag = plain.field('etag') ?? '';
    expect([gzip, brotli].map((each) => each.field('etag'))).toEqual([
      `${tag.slice(0, -1)}-gzip"`,
      `${tag.slice(0, -1)}-br"`,
    ]);
    for (const each of [gzip, brotli]) {
      expect(each.field('content-length')).toBe(String(each.body.length));
      expect(each.body.length).toBeLessThan(TEXT.length / 10);
    }
    expect(runs).toBe(1);
  });

  it('tells caches behind it that all of these vary on Accept-Encoding, beside what they vary on', async () => {
    const { ask, coded } = await start(true, (app) => app.enableCors({ origin: ['https://a.example'] }));
    const names = (each: WireResponse) => each.all('vary').join(', ').toLowerCase().split(', ').sort();
    const expected = ['accept-encoding', 'origin'];
    expect(names(await ask(GZIP))).toEqual(expected);
    expect(names(await coded())).toEqual(expected);
    expect(names(await ask())).toEqual(expected);
  });

  it('is told of each variant by its own tag, and by that of the plain one', async () => {
    const { ask, coded } = await start();
    await ask();
    const gzip = await coded();
    const plain = (await ask()).field('etag') ?? '';
    const tag = gzip.field('etag') ?? '';
    const same = await ask({ ...GZIP, 'If-None-Match': tag });
    expect([same.status, same.field('etag'), same.payload.length]).toEqual([304, tag, 0]);
    expect(same.field('vary')).toBe('Accept-Encoding');
    expect((await ask({ ...GZIP, 'If-None-Match': plain })).status).toBe(304);
    // Who takes no gzip has not the bytes that it would be sent.
    expect((await ask({ 'If-None-Match': tag })).status).toBe(200);
  });

  it('answers HEAD with the head of the variant, and parts from the plain body', async () => {
    const { ask, coded } = await start();
    await ask();
    const gzip = await coded();
    const head = await ask(GZIP, 'HEAD');
    const fieldsOf = (each: WireResponse) => each.fields.filter((line) => !/^(?:age|date)/i.test(line));
    expect(fieldsOf(head)).toEqual(fieldsOf(gzip));
    expect(head.payload.length).toBe(0);
    const part = await ask({ ...GZIP, Range: 'bytes=2-5' });
    expect([part.status, part.text, part.field('content-encoding')]).toEqual([
      206,
      TEXT.slice(2, 6),
      undefined,
    ]);
    const resumed = { ...GZIP, Range: 'bytes=2-5', 'If-Range': gzip.field('etag') ?? '' };
    // A part of the plain body is none of what it has.
    expect((await ask(resumed)).status).toBe(200);
  });

  it.each([
    ['what is refused', {}, { 'Accept-Encoding': 'gzip;q=0, br;q=0, zstd;q=0' }],
    ['what identity is liked better than', {}, { 'Accept-Encoding': 'gzip;q=0.1, identity' }],
    ['a type that is compressed already', { 'Content-Type': 'image/png' }, GZIP],
    ['no-transform', { 'Content-Type': 'text/plain', 'Cache-Control': 'no-transform' }, GZIP],
    ['a digest of the content', { 'Content-Type': 'text/plain', 'Content-Digest': 'sha-256=:a:' }, GZIP],
  ])('leaves alone %s', async (_what, given, headers) => {
    fields = { ...fields, ...given };
    const { ask } = await start();
    await ask();
    for (let at = 0; at < 30; at++) {
      const hit = await ask(headers);
      expect([hit.verdict, hit.field('content-encoding'), hit.text]).toEqual(['HIT', undefined, TEXT]);
    }
  });

  it('leaves alone what is small', async () => {
    text = 'x'.repeat(1_023);
    const { ask } = await start();
    await ask();
    for (let at = 0; at < 30; at++) expect((await ask(GZIP)).field('content-encoding')).toBeUndefined();
  });

  it('sends no variant of what was evicted', async () => {
    const { running, ask, coded } = await start();
    await ask();
    await coded();
    text = TEXT.replaceAll('same', 'new ');
    await running.app.get(CacheEvictionService).byPath('/text');
    expect((await ask(GZIP)).verdict).toBe('MISS');
    expect(gunzipSync((await coded()).body).toString()).toBe(text);
  });

  it('is off where the application compresses already, which is said once', async () => {
    const { running, ask } = await start(true, (app) => useCompression(platform, app));
    const warnings = () => running.logger.warnings.filter((warning) => warning.includes('"compression"'));
    expect(warnings()).toHaveLength(1);
    const [miss, hit] = [await ask(GZIP), await ask(GZIP)];
    expect([miss.verdict, hit.verdict]).toEqual(['MISS', 'HIT']);
    for (const each of [miss, hit]) {
      expect(each.all('content-encoding')).toEqual(['gzip']);
      expect(gunzipSync(each.body).toString()).toBe(TEXT);
    }
    expect(warnings()).toHaveLength(1);
  });

  it('works beside middleware that acts on the head', async () => {
    const { ask, coded } = await start(true, (app) => useSession(false)(platform, app));
    await ask();
    const gzip = await coded();
    expect(gunzipSync(gzip.body).toString()).toBe(TEXT);
    expect((await ask({ ...GZIP, 'If-None-Match': gzip.field('etag') ?? '' })).status).toBe(304);
  });

  it('does nothing unless it is asked for', async () => {
    const { ask } = await start(false);
    await ask();
    const hit = await ask(GZIP);
    expect([hit.field('content-encoding'), hit.field('vary'), hit.text]).toEqual([
      undefined,
      undefined,
      TEXT,
    ]);
  });

  it.each([
    ['yes', 'compression'],
    [{ minBytes: 0 }, 'compression.minBytes'],
    [{ maxBytes: 1.5 }, 'compression.maxBytes'],
    [{ encodings: [] }, 'compression.encodings'],
    [{ encodings: ['deflate'] }, 'compression.encodings'],
    [{ level: 9 }, 'compression.level'],
  ])('that is %j is refused at start, naming %s', async (given, field) => {
    await expect(start(given as never)).rejects.toThrow(field);
  });
});

describe('coded bodies', () => {
  it('take no more than they are allowed together, and are made again when they are asked for', async () => {
    const bodies = new CodedBodies(4_000);
    const make = async (at: number) => {
      const stored = storedResponse(`${at}${TEXT}`);
      const { body } = stored;
      if (body === undefined) throw new Error('no body');
      bodies.make(stored, body, 'gzip', () => []);
      await until(() => bodies.find(stored, 'gzip') !== 'at work', 'it is made');
      return stored;
    };
    const first = await make(0);
    expect(bodies.find(first, 'gzip')).toBeTypeOf('object');
    for (let at = 1; at < 50; at++) {
      await make(at);
      expect(bodies.bytes).toBeLessThanOrEqual(4_000);
    }
    expect(bodies.find(first, 'gzip')).toBeUndefined();
  });

  it('that are larger than all that may be kept are not tried again', async () => {
    const bodies = new CodedBodies(600);
    const stored = storedResponse(TEXT);
    bodies.make(stored, stored.body as Buffer, 'gzip', () => []);
    await until(() => bodies.find(stored, 'gzip') === 'none', 'it is given up');
    expect(bodies.bytes).toBe(0);
  });

  it('of one response are held by none where one more is too large', async () => {
    const stored = storedResponse(TEXT);
    const body = stored.body as Buffer;
    const sizes = new CodedBodies(100_000);
    for (const coding of ['gzip', 'br'] as const) {
      sizes.make(stored, body, coding, () => []);
      await until(() => typeof sizes.find(stored, coding) === 'object', 'it is made');
    }
    const bodies = new CodedBodies(sizes.bytes - 1);
    for (const coding of ['gzip', 'br'] as const) {
      bodies.make(stored, body, coding, () => []);
      await until(() => bodies.find(stored, coding) !== 'at work', 'it is made');
    }
    expect([bodies.find(stored, 'gzip'), bodies.find(stored, 'br'), bodies.bytes]).toEqual([
      undefined,
      'none',
      0,
    ]);
  });
});

import { gunzipSync } from 'node:zlib';
import { Controller, Get, Res, StreamableFile } from '@nestjs/common';
import { CacheView } from 'nestjs-caching';
import type { Response } from 'express';
import type { FastifyReply } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { useCompression } from '../support/plugins.js';
import { wireBytes, wireRequest, type WireResponse } from '../support/wire.js';

const TEXT = 'compress me, as I am long enough to be worth it. '.repeat(200);
const GZIP = { 'Accept-Encoding': 'gzip' };
const IDENTITY = { 'Accept-Encoding': 'identity' };

function decoded(response: WireResponse): string {
  const isZipped = response.field('content-encoding') === 'gzip';
  return (isZipped ? gunzipSync(response.body) : response.body).toString();
}

describe.each(PLATFORMS)('compression around a cached view on %s', (platform) => {
  let runs: number;
  let running: RunningApplication;

  beforeEach(async () => {
    runs = 0;
    @Controller()
    class TextsController {
      @Get('text') @CacheView() text() {
        runs += 1;
        return TEXT;
      }

      @Get('json') @CacheView() json() {
        runs += 1;
        return { text: TEXT };
      }

      @Get('stream') @CacheView() stream() {
        runs += 1;
        return new StreamableFile(Buffer.from(TEXT), { type: 'text/plain' });
      }

      @Get('res') @CacheView() res(@Res() response: Response & FastifyReply) {
        runs += 1;
        void response.type('text/plain').send(TEXT);
      }

      @Get('own') @CacheView() own(@Res({ passthrough: true }) response: Response & FastifyReply) {
        runs += 1;
        response.header('Content-Encoding', 'x-own');
        return TEXT;
      }
    }
    running = await startApplication(platform, {
      controllers: [TextsController],
      setUp: (app) => useCompression(platform, app),
    });
  });

  afterEach(() => running.close());

  const targets = ['/text', '/json', '/stream', '/res'];
  const orders = [
    ['gzip', GZIP, 'identity', IDENTITY],
    ['identity', IDENTITY, 'gzip', GZIP],
  ] as const;
  const cases = targets.flatMap((target) => orders.map((order) => [target, ...order] as const));

  it.each(cases)(
    '%s: the right bytes for each client, %s first',
    async (target, _first, first, _second, second) => {
      const expected = target === '/json' ? JSON.stringify({ text: TEXT }) : TEXT;
      const miss = await wireRequest(running.port, target, { headers: first });
      const other = await wireRequest(running.port, target, { headers: second });
      const again = await wireRequest(running.port, target, { headers: first });
      expect([miss, other, again].map(({ verdict }) => verdict)).toEqual(['MISS', 'HIT', 'HIT']);
      expect([miss, other, again].map((response) => response.complete)).toEqual([true, true, true]);
      for (const response of [miss, other, again]) expect(decoded(response)).toBe(expected);
      const codings = [miss, other, again].map((response) => response.field('content-encoding'));
      expect(codings).toEqual(first === GZIP ? ['gzip', undefined, 'gzip'] : [undefined, 'gzip', undefined]);
      for (const response of [miss, other, again]) {
        // @fastify/compress says what a response varies on only where it codes it.
        const varies = platform === 'express' || response.field('content-encoding') === 'gzip';
        expect(response.field('vary')?.toLowerCase()).toBe(varies ? 'accept-encoding' : undefined);
      }
      expect(runs).toBe(1);
    },
  );

  it('is never put on a part, whose Content-Range would be of other bytes', async () => {
    const part = { Range: 'bytes=100-4099' };
    const ask = (headers: Record<string, string>) => wireRequest(running.port, '/text', { headers });
    for (const verdict of ['MISS', 'HIT']) {
      const zipped = await ask({ ...part, ...GZIP });
      expect(zipped.verdict).toBe(verdict);
      // @fastify/compress leaves parts alone; compression does not, so all of it is sent.
      expect([zipped.status, zipped.field('content-range'), decoded(zipped)]).toEqual(
        platform === 'express' ? [200, undefined, TEXT] : [206, 'bytes 100-4099/9800', TEXT.slice(100, 4100)],
      );
    }
    for (const headers of [part, { ...part, ...IDENTITY }]) {
      const plain = await ask(headers);
      expect([plain.status, plain.field('content-encoding')]).toEqual([206, undefined]);
      expect(plain.body.toString()).toBe(TEXT.slice(100, 4100));
    }
    const etag = (await ask(GZIP)).field('etag') ?? '';
    expect((await ask({ ...part, ...GZIP, 'If-None-Match': etag })).status).toBe(304);
  });

  it('gives a gzip client the same bytes on the hit', async () => {
    const miss = await wireRequest(running.port, '/text', { headers: GZIP });
    const hit = await wireRequest(running.port, '/text', { headers: GZIP });
    expect(hit.verdict).toBe('HIT');
    expect(wireBytes(hit)).toBe(wireBytes(miss));
  });

  it('keeps nothing that the handler has coded itself', async () => {
    await wireRequest(running.port, '/own', { headers: IDENTITY });
    const second = await wireRequest(running.port, '/own', { headers: IDENTITY });
    expect(second.cacheStatus).toBe('nestjs-caching; fwd=uri-miss; detail=encoded');
    expect(runs).toBe(2);
  });
});

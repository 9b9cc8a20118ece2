import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, Get, HttpCode, Req, Res } from '@nestjs/common';
import { CacheView, type CacheViewOptions } from 'nestjs-caching';
import type { Request, Response } from 'express';
import type { FastifyReply } from 'fastify';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { HandlerGate, until } from '../support/handler-gate.js';
import { useEtag } from '../support/plugins.js';
import { startTwins, type Twins } from '../support/twins.js';
import { wireBytes, wireRequest } from '../support/wire.js';

type AnyResponse = Response & FastifyReply;
const REVIEWED: CacheViewOptions = { inputs: 'reviewed' };
const MODIFIED = 'Wed, 01 Jan 2020 00:00:00 GMT';

describe.each(PLATFORMS)('a conditional request on %s', (platform) => {
  let runs: number;
  let seen: (string | undefined)[];
  let gate: HandlerGate | undefined;
  let twins: Twins;

  beforeAll(async () => {
    @Controller()
    class BooksController {
      @Get('books') @CacheView(REVIEWED) async books(@Req() request: Request) {
        runs += 1;
        seen.push(request.headers['if-none-match']);
        await gate?.pass();
        return { title: 'one' };
      }

      @Get('own') @CacheView() own(@Res({ passthrough: true }) response: AnyResponse) {
        response.header('ETag', '"own"').header('Last-Modified', MODIFIED);
        return 'own';
      }

      @Get('always-304') @HttpCode(304) @CacheView() always304() {
        runs += 1;
      }
    }
    twins = await startTwins(platform, {
      controllers: [BooksController],
      setUp: (app) => useEtag(platform, app),
    });
  });

  beforeEach(() => {
    runs = 0;
    seen = [];
    gate = undefined;
  });

  afterAll(() => twins.close());

  const etagOf = async (target: string): Promise<string> =>
    (await wireRequest(twins.plain.port, target)).field('etag') ?? 'none';

  it('has the ETag that there is without the cache, on miss and hit', async () => {
    const { plain, miss, hit } = await twins.play('/books?etag');
    expect(plain.field('etag')).toMatch(/^(?:W\/)?"/);
    expect(miss.field('etag')).toBe(plain.field('etag'));
    expect(wireBytes(hit)).toBe(wireBytes(miss));
  });

  it('that matches gets 304 from the miss and from the hit, and others get all of it', async () => {
    const headers = { 'If-None-Match': await etagOf('/books?match') };
    runs = 0;
    const { plain, miss, hit, verdicts } = await twins.play('/books?match', { headers });
    expect(verdicts).toEqual([undefined, 'MISS', 'HIT']);
    expect([plain, miss, hit].map(({ status }) => status)).toEqual([304, 304, 304]);
    expect([miss, hit].map(({ body }) => body.length)).toEqual([0, 0]);
    expect(wireBytes(miss)).toBe(wireBytes(plain));
    expect(wireBytes(hit)).toBe(wireBytes(plain));
    const whole = await wireRequest(twins.cached.port, '/books?match');
    expect([whole.status, whole.verdict, whole.text]).toEqual([200, 'HIT', '{"title":"one"}']);
    expect(runs).toBe(2);
  });

  it('that does not match gets all of it', async () => {
    const { miss, hit } = await twins.play('/books?other', { headers: { 'If-None-Match': '"other"' } });
    expect([miss.status, hit.status]).toEqual([200, 200]);
    expect(wireBytes(hit)).toBe(wireBytes(miss));
  });

  it('is hidden from the handler whose response is for all, and shown again afterwards', async () => {
    await wireRequest(twins.cached.port, '/books?hidden', { headers: { 'If-None-Match': '"x"' } });
    expect(seen).toEqual([undefined]);
  });

  it('gives those who wait the whole response where its leader gets 304', async () => {
    const headers = { 'If-None-Match': await etagOf('/books?wait') };
    gate = new HandlerGate();
    twins.cached.events.length = 0;
    const leader = wireRequest(twins.cached.port, '/books?wait', { headers });
    await gate.reached;
    const waiter = wireRequest(twins.cached.port, '/books?wait');
    await until(() => twins.cached.events.filter(({ type }) => type === 'miss').length === 2, 'both missed');
    gate.open();
    expect((await leader).status).toBe(304);
    expect([(await waiter).status, (await waiter).text]).toEqual([200, '{"title":"one"}']);
    expect((await waiter).cacheStatus).toBe('nestjs-caching; fwd=uri-miss; collapsed');
  });

  it('is answered by the handler’s own validators as without the cache', async () => {
    const conditions: Record<string, string>[] = [
      { 'If-None-Match': '"own"' },
      { 'If-Modified-Since': MODIFIED },
    ];
    for (const headers of conditions) {
      const target = `/own?${Object.keys(headers).join('')}`;
      const { plain, miss, hit } = await twins.play(target, { headers });
      // RFC 9110 §15.4.5: beside an ETag, nobody needs it on a 304.
      const ignored = ['last-modified'];
      expect([miss.status, hit.status]).toEqual([304, 304]);
      expect(wireBytes(hit)).toBe(wireBytes(miss));
      // Fastify without the cache knows no conditions: there is nothing to compare with.
      const without = platform === 'express' ? plain : miss;
      expect(wireBytes(hit, ignored)).toBe(wireBytes(without, ignored));
    }
  });

  it('never has a 304 kept that the handler made itself', async () => {
    const { plain, miss, hit } = await twins.play('/always-304');
    expect([plain, miss, hit].map(({ status }) => status)).toEqual([304, 304, 304]);
    expect(hit.cacheStatus).toBe('nestjs-caching; fwd=uri-miss; detail=not-modified');
    expect(runs).toBe(3);
  });

  it('HEAD first, then GET: the GET has its body', async () => {
    const head = await wireRequest(twins.cached.port, '/books?head', { method: 'HEAD' });
    const plain = await wireRequest(twins.plain.port, '/books?head', { method: 'HEAD' });
    expect(head.body).toHaveLength(0);
    expect(wireBytes(head)).toBe(wireBytes(plain));
    const get = await wireRequest(twins.cached.port, '/books?head');
    expect([get.verdict, get.text]).toEqual(['MISS', '{"title":"one"}']);
    const after = await wireRequest(twins.cached.port, '/books?head', { method: 'HEAD' });
    expect([after.status, after.body.length]).toEqual([200, 0]);
    expect((await wireRequest(twins.cached.port, '/books?head')).text).toBe('{"title":"one"}');
  });
});

describe.each(PLATFORMS)('a partial response on %s', (platform) => {
  const directory = mkdtempSync(join(tmpdir(), 'ranges-'));
  let runs: number;
  let running: RunningApplication;

  beforeEach(async () => {
    runs = 0;
    writeFileSync(join(directory, 'digits.txt'), '0123456789');
    @Controller()
    class RangesController {
      @Get('by-hand') @CacheView(REVIEWED) byHand(
        @Req() request: Request,
        @Res({ passthrough: true }) response: AnyResponse,
      ) {
        runs += 1;
        if (request.headers.range === undefined) return '0123456789';
        response.status(206).header('Content-Range', 'bytes 0-0/10');
        return '0';
      }

      @Get('always-206') @HttpCode(206) @CacheView() always206() {
        runs += 1;
        return 'part';
      }

      @Get('content-range') @CacheView() contentRange(@Res({ passthrough: true }) response: AnyResponse) {
        runs += 1;
        response.header('Content-Range', 'bytes 0-3/10');
        return 'part';
      }

      @Get('file') @CacheView() file(@Res() response: Response) {
        runs += 1;
        if (platform === 'express') response.sendFile(join(directory, 'digits.txt'), { cacheControl: false });
        else void (response as AnyResponse).send('0123456789');
      }
    }
    running = await startApplication(platform, { controllers: [RangesController] });
  });

  afterEach(() => running.close());
  afterAll(() => rmSync(directory, { recursive: true }));

  it.each(['/by-hand', '/file'])(
    'is cut from the whole response, which is what is kept of %s',
    async (target) => {
      const headers = { Range: 'bytes=1-2' };
      const ranged = await wireRequest(running.port, target, { headers });
      const whole = await wireRequest(running.port, target);
      const again = await wireRequest(running.port, target, { headers });
      // A file that is streamed may leave in full while it is recorded (RFC 9110 §14.2).
      expect([
        [206, '12'],
        [200, '0123456789'],
      ]).toContainEqual([ranged.status, ranged.text]);
      expect([whole.status, whole.text]).toEqual([200, '0123456789']);
      expect([again.status, again.text, again.field('content-range')]).toEqual([206, '12', 'bytes 1-2/10']);
      expect([whole.verdict, again.verdict]).toEqual(['HIT', 'HIT']);
      expect(runs).toBe(1);
    },
  );

  it.each(['/always-206', '/content-range'])('that the handler makes is not kept (%s)', async (target) => {
    await wireRequest(running.port, target);
    const second = await wireRequest(running.port, target);
    expect(second.text).toBe('part');
    expect(second.cacheStatus).toBe('nestjs-caching; fwd=uri-miss; detail=partial');
    expect(runs).toBe(2);
  });

  it('a failed precondition of one client is nobody else’s response', async () => {
    const { port } = running;
    const preconditioned = await wireRequest(port, '/file', { headers: { 'If-Match': '"another"' } });
    const next = await wireRequest(port, '/file');
    expect(preconditioned.cacheStatus).toBe('nestjs-caching; fwd=bypass; detail=precondition');
    expect([next.status, next.verdict, next.text]).toEqual([200, 'MISS', '0123456789']);
  });
});

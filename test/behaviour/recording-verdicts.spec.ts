import { Controller, Get, Header, Res, StreamableFile } from '@nestjs/common';
import { CacheView } from 'nestjs-caching';
import type { Response } from 'express';
import type { FastifyReply } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { HandlerGate, until } from '../support/handler-gate.js';
import { wireRequest, type WireResponse } from '../support/wire.js';

type AnyResponse = Response & FastifyReply;

describe.each(PLATFORMS)('the verdict on a response on %s', (platform) => {
  let gate: HandlerGate;
  let running: RunningApplication;

  const start = async (debugHeaders?: boolean): Promise<void> => {
    gate = new HandlerGate();
    @Controller()
    class BooksController {
      @Get('books')
      @CacheView({
        ttl: '90s',
        unless: ({ query }) => 'bypass' in query,
        refresh: ({ query }) => 'refresh' in query,
      })
      books() {
        return { title: 'one' };
      }

      @Get('slow') @CacheView() async slow() {
        await gate.pass();
        return 'slow';
      }

      @Get('raw') @CacheView() raw(@Res() response: AnyResponse) {
        const node = platform === 'express' ? response : response.raw;
        node.end('raw');
      }

      @Get('stream') @CacheView() stream() {
        return new StreamableFile(Buffer.from('streamed'));
      }

      @Get('uncached') @Header('X-Static', '1') uncached() {
        return 'never cached';
      }
    }
    running = await startApplication(platform, {
      controllers: [BooksController],
      caching: debugHeaders === undefined ? {} : { debugHeaders },
    });
  };

  afterEach(() => running.close());

  const get = (target: string, headers: Record<string, string> = {}) =>
    wireRequest(running.port, target, { headers });
  const fields = (response: WireResponse) => [...response.all('x-cache'), ...response.all('cache-status')];

  describe('in Cache-Status and X-Cache', () => {
    beforeEach(() => start());

    it('is MISS and stored, then HIT with what is left of its life', async () => {
      expect(fields(await get('/books'))).toEqual(['MISS', 'nestjs-caching; fwd=uri-miss; stored; ttl=90']);
      running.clock.advance(60_001);
      expect(fields(await get('/books'))).toEqual(['HIT', 'nestjs-caching; hit; ttl=30']);
    });

    it('is BYPASS with the reason', async () => {
      expect(fields(await get('/books?bypass'))).toEqual([
        'BYPASS',
        'nestjs-caching; fwd=bypass; detail=unless',
      ]);
      expect(fields(await get('/books', { Authorization: 'Bearer x' }))).toEqual([
        'BYPASS',
        'nestjs-caching; fwd=bypass; detail=credentials',
      ]);
      const head = await wireRequest(running.port, '/books', { method: 'HEAD' });
      expect(fields(head)).toEqual(['BYPASS', 'nestjs-caching; fwd=method; detail=method']);
      const raw = await get('/raw', { Authorization: 'Bearer x' });
      expect(raw.text).toBe('raw');
    });

    it('tells of a refresh', async () => {
      expect(fields(await get('/books?refresh'))).toEqual([
        'MISS',
        'nestjs-caching; fwd=request; stored; ttl=90',
      ]);
    });

    it('is MISS and collapsed for who waited for another’s fill', async () => {
      const leader = get('/slow');
      await gate.reached;
      const waiter = get('/slow');
      await until(() => running.events.filter(({ type }) => type === 'miss').length === 2, 'both missed');
      gate.open();
      expect(fields(await leader)).toEqual(['MISS', 'nestjs-caching; fwd=uri-miss; stored; ttl=300']);
      expect(fields(await waiter)).toEqual(['MISS', 'nestjs-caching; fwd=uri-miss; collapsed']);
    });

    it('does not claim what is not known yet when a stream begins', async () => {
      expect(fields(await get('/stream'))).toEqual(['MISS', 'nestjs-caching; fwd=uri-miss']);
      expect(fields(await get('/stream'))).toEqual(['HIT', 'nestjs-caching; hit; ttl=300']);
    });

    it('is there where the handler writes to node’s response, too', async () => {
      expect((await get('/raw')).verdict).toBe('MISS');
      expect(fields(await get('/raw'))).toEqual(['HIT', 'nestjs-caching; hit; ttl=300']);
    });

    it('is not there on routes that are not cached', async () => {
      expect(fields(await get('/uncached'))).toEqual([]);
    });

    it('is a structured field as in RFC 9211', async () => {
      const statuses = [await get('/books'), await get('/books'), await get('/books?bypass')];
      for (const { cacheStatus } of statuses) {
        expect(cacheStatus).toMatch(/^[a-z*][\w:/!#$%&'*+.^`|~-]*(?:; [a-z]+(?:=(?:-?\d+|[a-z][a-z-]*))?)+$/);
      }
    });
  });

  it('is nowhere with debugHeaders: false', async () => {
    await start(false);
    const leader = get('/slow');
    await gate.reached;
    const waiter = get('/slow');
    await until(() => running.events.filter(({ type }) => type === 'miss').length === 2, 'both missed');
    gate.open();
    const responses = [await leader, await waiter];
    for (const target of [
      '/books',
      '/books',
      '/books?bypass',
      '/books?refresh',
      '/stream',
      '/stream',
      '/raw',
      '/raw',
    ]) {
      responses.push(await get(target));
    }
    expect(responses.map(({ status }) => status)).toEqual(Array(10).fill(200));
    expect(responses.flatMap(fields)).toEqual([]);
    expect(running.events.filter(({ type }) => type === 'hit')).toHaveLength(3);
  });
});

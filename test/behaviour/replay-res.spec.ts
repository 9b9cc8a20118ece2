import { Readable } from 'node:stream';
import { Controller, Get, Header, HttpCode, type INestApplication, Res } from '@nestjs/common';
import { CacheView } from 'nestjs-caching';
import type { Response } from 'express';
import type { FastifyReply } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fastifyOf } from '../support/plugins.js';
import { REPLAYED, startTwins, type Twins } from '../support/twins.js';
import { unframedBytes, wireBytes } from '../support/wire.js';

const TEN_KB = Buffer.alloc(10_240, 'ab');

describe('a handler that answers through @Res() on express', () => {
  let twins: Twins;

  beforeAll(async () => {
    @Controller()
    class ResController {
      @Get('send') @CacheView() send(@Res() res: Response) {
        res.status(203).set('X-Own', ['a', 'b']).send('sent');
      }

      @Get('buffer') @CacheView() buffer(@Res() res: Response) {
        res.type('image/png').send(TEN_KB);
      }

      @Get('json') @CacheView() json(@Res() res: Response) {
        res.json({ a: 'ü' });
      }

      @Get('write-end') @CacheView() writeEnd(@Res() res: Response) {
        res.write('one ');
        res.write(Buffer.from('two '));
        setImmediate(() => res.end('746872c3a9', 'hex'));
      }

      @Get('end-only') @CacheView() endOnly(@Res() res: Response) {
        res.end();
      }

      @Get('end-callback') @CacheView() endCallback(@Res() res: Response) {
        res.write('text', () => undefined);
        res.end(() => undefined);
      }

      @Get('write-head') @CacheView() writeHead(@Res() res: Response) {
        res.setHeader('X-Before', '1');
        res.writeHead(200, 'All Fine', { 'Content-Type': 'text/x-own', 'X-Own': 'yes' });
        res.end('head written');
      }

      @Get('write-head-list') @CacheView() writeHeadList(@Res() res: Response) {
        res.writeHead(200, ['Content-Type', 'text/x-own', 'X-Own', 'yes']);
        res.end('head written');
      }

      @Get('status-message') @CacheView() statusMessage(@Res() res: Response) {
        res.statusMessage = 'Quite Right';
        res.send('ok');
      }

      @Get('pipe') @CacheView() pipe(@Res() res: Response) {
        Readable.from([TEN_KB, TEN_KB]).pipe(res);
      }

      @Get('later') @CacheView() async later(@Res() res: Response) {
        await new Promise((resolve) => setImmediate(resolve));
        res.json({ later: true });
      }

      @Get('passthrough') @CacheView() passthrough(@Res({ passthrough: true }) res: Response) {
        res.set('X-Own', 'set').status(203);
        return { passed: 'through' };
      }

      @Get('passthrough-status') @HttpCode(203) @CacheView() passthroughStatus(
        @Res({ passthrough: true }) res: Response,
      ) {
        res.statusMessage = 'Second Hand';
        return 'text';
      }
    }
    twins = await startTwins('express', { controllers: [ResController] });
  });

  afterAll(() => twins.close());

  it.each([
    'send',
    'buffer',
    'json',
    'end-only',
    'write-head',
    'write-head-list',
    'status-message',
    'later',
    'passthrough',
    'passthrough-status',
  ])('%s: is sent on as without the cache, and again from it', async (name) => {
    const { plain, miss, hit, verdicts } = await twins.play(`/${name}`);
    expect(wireBytes(miss)).toBe(wireBytes(plain));
    expect(verdicts).toEqual(REPLAYED);
    expect(unframedBytes(hit)).toBe(unframedBytes(miss));
  });

  it.each(['write-end', 'end-callback', 'pipe'])('%s: has the same body again', async (name) => {
    const { plain, miss, hit, verdicts } = await twins.play(`/${name}`);
    expect(wireBytes(miss)).toBe(wireBytes(plain));
    expect(verdicts).toEqual(REPLAYED);
    expect(unframedBytes(hit)).toBe(unframedBytes(miss));
  });
});

describe('a handler that answers through @Res() on fastify', () => {
  let twins: Twins;

  beforeAll(async () => {
    @Controller()
    class ResController {
      @Get('send') @CacheView() send(@Res() reply: FastifyReply) {
        void reply.code(203).header('x-own', ['a', 'b']).send('sent');
      }

      @Get('buffer') @CacheView() buffer(@Res() reply: FastifyReply) {
        void reply.type('image/png').send(TEN_KB);
      }

      @Get('json') @CacheView() json(@Res() reply: FastifyReply) {
        void reply.send({ a: 'ü' });
      }

      @Get('stream') @CacheView() stream(@Res() reply: FastifyReply) {
        void reply.type('text/plain').send(Readable.from([TEN_KB, TEN_KB]));
      }

      @Get('web-response') @CacheView({ statuses: [203] }) webResponse(@Res() reply: FastifyReply) {
        void reply.send(
          new globalThis.Response('from a Response', { status: 203, headers: { 'x-own': 'yes' } }),
        );
      }

      @Get('later') @CacheView() async later(@Res() reply: FastifyReply) {
        await new Promise((resolve) => setImmediate(resolve));
        await reply.send({ later: true });
      }

      @Get('raw-end') @CacheView() rawEnd(@Res() reply: FastifyReply) {
        reply.raw.setHeader('X-Own', 'yes');
        reply.raw.end('raw');
      }

      @Get('raw-same') @Header('Content-Type', 'text/x-own') @CacheView() rawSame(
        @Res() reply: FastifyReply,
      ) {
        // What is set on the reply never leaves with these.
        reply.raw.setHeader('Content-Type', 'text/x-own');
        reply.raw.setHeader('X-Content-Type-Options', 'nosniff');
        reply.raw.end('raw');
      }

      @Get('raw-tenant') @CacheView() rawTenant(@Res() reply: FastifyReply) {
        reply.raw.setHeader('Vary', 'X-Tenant');
        reply.raw.end(`of ${String(reply.request.headers['x-tenant'])}`);
      }

      @Get('raw-status-message') @CacheView() rawStatusMessage(@Res() reply: FastifyReply) {
        reply.raw.statusMessage = 'Quite Right';
        reply.raw.end('raw');
      }

      @Get('raw-write-head') @CacheView() rawWriteHead(@Res() reply: FastifyReply) {
        reply.raw.writeHead(200, 'All Fine', { 'Content-Type': 'text/x-own', 'X-Own': 'yes' });
        reply.raw.end('head written');
      }

      @Get('raw-write-head-list') @CacheView() rawWriteHeadList(@Res() reply: FastifyReply) {
        reply.raw.writeHead(200, ['Content-Type', 'text/x-own', 'X-Own', 'yes']);
        reply.raw.end('head written');
      }

      @Get('raw-write') @CacheView() rawWrite(@Res() reply: FastifyReply) {
        reply.hijack();
        reply.raw.write('one ');
        setImmediate(() => reply.raw.end('746872c3a9', 'hex'));
      }

      @Get('raw-pipe') @CacheView() rawPipe(@Res() reply: FastifyReply) {
        reply.hijack();
        Readable.from([TEN_KB, TEN_KB]).pipe(reply.raw);
      }

      @Get('passthrough') @CacheView() passthrough(@Res({ passthrough: true }) reply: FastifyReply) {
        void reply.header('X-Own', 'set').code(203);
        return { passed: 'through' };
      }

      @Get('passthrough-status') @HttpCode(203) @CacheView() passthroughStatus(
        @Res({ passthrough: true }) reply: FastifyReply,
      ) {
        reply.raw.statusMessage = 'Second Hand';
        return 'text';
      }
    }
    const setUp = (app: INestApplication): void =>
      void fastifyOf(app).addHook('onRequest', (_request, reply, done) => {
        void reply.header('X-Content-Type-Options', 'nosniff').header('Vary', 'X-Tenant');
        done();
      });
    twins = await startTwins('fastify', { controllers: [ResController], setUp });
  });

  afterAll(() => twins.close());

  it.each([
    'send',
    'buffer',
    'json',
    'stream',
    'web-response',
    'later',
    'raw-end',
    'raw-same',
    'raw-status-message',
    'raw-write-head',
    'raw-write-head-list',
    'raw-write',
    'raw-pipe',
    'passthrough',
    'passthrough-status',
  ])('%s: is sent on as without the cache, and again from it', async (name) => {
    const { plain, miss, hit, verdicts } = await twins.play(`/${name}`);
    expect(wireBytes(miss)).toBe(wireBytes(plain));
    expect(verdicts).toEqual(REPLAYED);
    expect(unframedBytes(hit)).toBe(unframedBytes(miss));
  });

  it('is told apart by its own Vary, where the reply that it writes past has the same', async () => {
    const ask = async (tenant: string): Promise<string> =>
      (await twins.cached.request('/raw-tenant', { headers: { 'x-tenant': tenant } })).text;
    expect([await ask('a'), await ask('b'), await ask('a')]).toEqual(['of a', 'of b', 'of a']);
  });
});

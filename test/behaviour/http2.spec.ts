import { once } from 'node:events';
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2';
import { text } from 'node:stream/consumers';
import { Controller, Get, Post, Req, Res } from '@nestjs/common';
import { CacheView, host } from 'nestjs-caching';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RunningApplication, startApplication } from '../support/application.js';
import { eventually } from '../support/gate.js';

interface Answer {
  readonly status: unknown;
  readonly verdict: unknown;
  readonly body: string;
  readonly headers: IncomingHttpHeaders;
}

describe('over HTTP/2', () => {
  let running: RunningApplication;
  let client: ClientHttp2Session;
  let runs: number;
  let fails: boolean;

  beforeEach(async () => {
    runs = 0;
    fails = false;
    @Controller('books')
    class BooksController {
      @Get() @CacheView() list() {
        return { run: ++runs };
      }

      @Post('new') add(@Res({ passthrough: true }) reply: FastifyReply) {
        void reply.header('Location', 'http://one.example/books');
      }

      @Get('vary')
      @CacheView({ inputs: 'reviewed' })
      vary(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
        void reply.header('Vary', 'Host');
        return { host: request.hostname };
      }

      @Get('host')
      @CacheView({
        ttl: '1m',
        key: host({ allow: ['one.example', 'two.example'] }),
        inputs: 'reviewed',
        staleWhileRevalidate: '1h',
      })
      byHost(@Req() { hostname }: FastifyRequest) {
        return { hostname, run: ++runs };
      }

      @Get('failing') @CacheView({ ttl: '1m', staleIfError: '1h' }) failing() {
        if (fails) throw new Error('down');
        return { run: ++runs };
      }
    }
    running = await startApplication('fastify', {
      controllers: [BooksController],
      fastify: { http2: true },
      caching: { autoEvict: true },
    });
    client = connect(`http://127.0.0.1:${running.port}`);
  });

  afterEach(async () => {
    client.close();
    await running.close();
  });

  const ask = async (
    path: string,
    authority = 'one.example',
    headers: Record<string, string> = {},
  ): Promise<Answer> => {
    const stream = client.request({ ':path': path, ':authority': authority, ...headers });
    const [answered] = (await once(stream, 'response')) as [IncomingHttpHeaders & { ':status'?: number }];
    return {
      status: answered[':status'],
      verdict: answered['x-cache'],
      body: await text(stream),
      headers: answered,
    };
  };

  it('a hit is what the miss was, whole, in part, without a body or as a 304', async () => {
    const miss = await ask('/books');
    const hit = await ask('/books');
    expect([miss.verdict, hit.verdict, hit.body]).toEqual(['MISS', 'HIT', miss.body]);
    const asked = [
      { ':method': 'HEAD' },
      { range: 'bytes=0-1' },
      { 'if-none-match': String(miss.headers.etag) },
    ];
    const answers = [];
    for (const headers of asked) answers.push(await ask('/books', 'one.example', headers));
    expect(answers.map(({ status, verdict, body }) => [status, verdict, body])).toEqual([
      [200, 'HIT', ''],
      [206, 'HIT', '{"'],
      [304, 'HIT', ''],
    ]);
  });

  it('Vary: Host tells hosts apart, which requests name in :authority', async () => {
    const hosts = ['one.example', 'two.example', 'one.example', 'two.example'];
    const answers = [];
    for (const name of hosts) answers.push(await ask('/books/vary', name));
    expect(answers.map(({ body }) => (JSON.parse(body) as { host: string }).host)).toEqual(hosts);
    expect(answers.map(({ verdict }) => verdict)).toEqual(['MISS', 'MISS', 'HIT', 'HIT']);
    const both = await ask('/books/vary', 'one.example', { host: 'three.example' });
    expect([both.verdict, both.body]).toEqual(['MISS', '{"host":"three.example"}']);
  });

  it('host() tells them apart as well, and its responses are renewed in the background', async () => {
    const verdicts = [];
    for (const name of ['one.example', 'one.example', 'two.example', 'evil.example'])
      verdicts.push((await ask('/books/host', name)).verdict);
    expect(verdicts).toEqual(['MISS', 'HIT', 'MISS', 'BYPASS']);
    running.clock.advance(61_000);
    expect((await ask('/books/host')).verdict).toBe('STALE');
    const outcomes = () => running.events.flatMap((event) => (event.type === 'refresh' ? event.outcome : []));
    await eventually(() => outcomes().length === 2, 'the renewal ends');
    expect(outcomes()).toEqual(['started', 'stored']);
    expect(await ask('/books/host')).toMatchObject({
      verdict: 'HIT',
      body: '{"hostname":"one.example","run":4}',
    });
  });

  it('a write evicts what its Location names of the same host', async () => {
    await ask('/books');
    await ask('/books/new', 'two.example', { ':method': 'POST' });
    expect((await ask('/books')).verdict).toBe('HIT');
    await ask('/books/new', 'one.example', { ':method': 'POST' });
    expect((await ask('/books')).verdict).toBe('MISS');
  });

  it('what is stale answers in place of an error, without a reason phrase to be warned of', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error): unknown => warnings.push(warning);
    process.on('warning', note);
    try {
      const { body } = await ask('/books/failing');
      fails = true;
      running.clock.advance(61_000);
      expect(await ask('/books/failing')).toMatchObject({ status: 200, verdict: 'STALE', body });
    } finally {
      process.off('warning', note);
    }
    expect(warnings.map(({ message }) => message)).toEqual([]);
  });
});

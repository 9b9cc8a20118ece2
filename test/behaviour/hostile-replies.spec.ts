import { setTimeout as later } from 'node:timers/promises';
import { Readable } from 'node:stream';
import { Controller, Delete, Get, Param, Res, StreamableFile } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import { CacheContext, CacheEvict, CacheView } from 'nestjs-caching';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { openRequest } from '../support/wire.js';

type AnyResponse = ServerResponse & { readonly raw?: ServerResponse };

describe.each(PLATFORMS)('replies that are not what they seem on %s', (platform) => {
  let running: RunningApplication;
  let runs: number;
  let streams: Readable[];

  @Controller()
  class RepliesController {
    @Get('later') @CacheView({ tags: async () => ['t'] }) async later(@CacheContext() cache: CacheContext) {
      const run = ++runs;
      await later(30);
      if (run === 1) cache.noStore();
      return { run };
    }

    @Get('tagged')
    @CacheView({ tags: ({ query }) => later(Number(query.wait), ['t']), key: () => 1 })
    tagged() {
      return { run: ++runs };
    }

    @Get('stream') @CacheView() async stream() {
      runs += 1;
      await later(30);
      const stream = new Readable({ read: () => undefined });
      streams.push(stream);
      if (runs > 1) {
        stream.push('whole');
        stream.push(null);
      }
      return new StreamableFile(stream);
    }

    @Get('half') @CacheView() async half(@Res() response: AnyResponse) {
      const node = response.raw ?? response;
      const isFirst = ++runs === 1;
      node.write('half');
      await later(5);
      if (isFirst) throw new Error('on purpose');
      node.end(' and whole');
    }

    @Get('head/:form') @CacheView() head(@Res() response: AnyResponse, @Param('form') form: string) {
      const node = response.raw ?? response;
      runs += 1;
      if (form === 'third') node.writeHead(200, undefined, { 'Cache-Control': 'private' });
      else node.writeHead(200, ['Cache-Control', 'private', 'Cache-Control', 'max-age=60']);
      node.end('x');
    }

    @Get('state') @CacheView({ tags: ['state'] }) state() {
      return { runs };
    }

    @Delete('state') @CacheEvict('state') async clear(@Res() response: AnyResponse) {
      const node = response.raw ?? response;
      runs += 1;
      node.setHeader('content-length', 0);
      node.flushHeaders();
      await later(50);
      node.end();
    }
  }

  beforeEach(async () => {
    runs = 0;
    streams = [];
    running = await startApplication(platform, {
      controllers: [RepliesController],
      caching: { debugHeaders: false },
    });
  });

  afterEach(() => running.close());

  it('run the handlers of all who waited behind an asynchronous tags callback', async () => {
    const texts = await Promise.all([1, 2, 3].map(async () => (await running.request('/later')).text));
    expect(texts.toSorted((a, b) => a.localeCompare(b))).toEqual(['{"run":1}', '{"run":2}', '{"run":3}']);
    expect((await running.request('/later')).text).toMatch(/^\{"run":\d\}$/);
  });

  it('run a handler once, however late the tags of the other requests come', async () => {
    await Promise.all([0, 20, 40].map((wait) => running.request(`/tagged?wait=${wait}`)));
    expect(runs).toBe(1);
  });

  it('hold nobody up when a client leaves before the first byte of a stream', async () => {
    const leader = openRequest(running.port, '/stream');
    await later(10);
    const waiter = running.request('/stream');
    await leader.leave();
    expect((await waiter).text).toBe('whole');
    expect(runs).toBe(2);
    for (const stream of streams) stream.destroy();
  });

  it('are not stored where a handler fails after it has written a half', async () => {
    const first = await running.request('/half').catch(() => undefined);
    expect(first?.text ?? 'half').toBe('half');
    expect((await running.request('/half')).text).toBe('half and whole');
    expect((await running.request('/half')).text).toBe('half and whole');
    expect(runs).toBe(2);
  });

  it.each(['third', 'repeated'])('are private in whatever form the head says so (%s)', async (form) => {
    await running.request(`/head/${form}`);
    await running.request(`/head/${form}`);
    expect(runs).toBe(2);
  });

  it('evict before a head that is a whole reply has left', async () => {
    await running.request('/state');
    const reply = await running.request('/state', { method: 'DELETE' });
    expect(reply.status).toBe(200);
    expect((await running.request('/state')).text).toBe('{"runs":1}');
  });
});

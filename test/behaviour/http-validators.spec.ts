import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { Controller, Get, HttpCode, NotFoundException, Post, Res, StreamableFile } from '@nestjs/common';
import { CacheView, jsonBody } from 'nestjs-caching';
import type { Response } from 'express';
import type { FastifyReply } from 'fastify';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { HandlerGate, until } from '../support/handler-gate.js';
import { useCompression, useEtag } from '../support/plugins.js';
import { unframedBytes, wireBytes, wireRequest } from '../support/wire.js';

type AnyResponse = Response & FastifyReply;
const MODIFIED = 'Wed, 01 Jan 2020 00:00:00 GMT';
const TEXT = '0123456789';

const madeTagOf = (text: string): string =>
  `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`;

/** Express has hashed a body that it sends: its own tag is taken for what it is, one of the exact bytes. */
const expressTagOf = (text: string): string =>
  `"${text.length.toString(16)}-${createHash('sha1').update(text).digest('base64').slice(0, 27)}"`;

/** As a handler says it of its whole body (RFC 9530). */
const DIGEST = `sha-256=:${createHash('sha256').update(TEXT).digest('base64')}:`;

const TAG_OF = { express: expressTagOf, fastify: madeTagOf };

describe.each(PLATFORMS)('validators on %s', (platform) => {
  const tagOf = TAG_OF[platform];
  let runs: number;
  let gate: HandlerGate | undefined;
  let running: RunningApplication;
  let pluginned: RunningApplication;

  beforeAll(async () => {
    @Controller()
    class BooksController {
      @Get('books') @CacheView() async books() {
        runs += 1;
        await gate?.pass();
        return { title: 'one' };
      }

      @Get('text') @CacheView({ vary: ['origin'] }) text(@Res({ passthrough: true }) response: AnyResponse) {
        response.header('Cache-Control', 'max-age=60').header('Last-Modified', MODIFIED);
        response
          .header('Content-Location', '/text')
          .header('Content-Language', 'en')
          .header('Vary', 'Origin');
        return TEXT;
      }

      @Get('coded') @CacheView() coded(@Res({ passthrough: true }) response: AnyResponse) {
        response.header('Content-Type', 'text/plain');
        return TEXT.repeat(200);
      }

      @Get('dated') @CacheView({ etag: false }) dated() {
        return TEXT;
      }

      @Get('own') @CacheView() own(@Res({ passthrough: true }) response: AnyResponse) {
        response.header('ETag', 'W/"own"');
        return TEXT;
      }

      @Get('raw') @CacheView() raw(@Res() response: AnyResponse) {
        response.status(200).send(TEXT);
      }

      @Get('node') @CacheView() node(@Res() response: AnyResponse) {
        (platform === 'express' ? response : response.raw).end(TEXT);
      }

      @Get('stream') @CacheView() stream() {
        return new StreamableFile(Readable.from([Buffer.from('01234'), Buffer.from('56789')]));
      }

      @Get('empty') @HttpCode(204) @CacheView({ statuses: [204] }) empty() {}

      @Get('missing') @CacheView({ statuses: [404] }) missing() {
        throw new NotFoundException();
      }

      @Get('unkept') @CacheView({ filter: () => false }) unkept() {
        return TEXT;
      }

      @Post('search') @HttpCode(200) @CacheView({ key: jsonBody() }) search() {
        return { found: 1 };
      }
    }
    const controllers = [BooksController];
    running = await startApplication(platform, { controllers });
    pluginned = await startApplication(platform, {
      controllers,
      setUp: async (app) => {
        await useEtag(platform, app);
        await useCompression(platform, app);
      },
    });
  });

  beforeEach(() => {
    runs = 0;
    gate = undefined;
  });

  afterAll(async () => {
    await running.close();
    await pluginned.close();
  });

  const ask = (target: string, headers: Record<string, string> = {}, method = 'GET') =>
    wireRequest(running.port, target, { headers, method });

  it('are a strong tag of the exact bytes, on the miss as on the hit', async () => {
    const miss = await ask('/books?tag');
    const hit = await ask('/books?tag');
    expect([miss.verdict, hit.verdict]).toEqual(['MISS', 'HIT']);
    expect(miss.field('etag')).toBe(tagOf('{"title":"one"}'));
    expect(wireBytes(hit)).toBe(wireBytes(miss));
  });

  it.each(['/raw', '/node'])('are made as well where the handler answers by itself: %s', async (target) => {
    const miss = await ask(target);
    expect(miss.field('etag')).toBe(target === '/node' ? madeTagOf(TEXT) : tagOf(TEXT));
    expect(unframedBytes(await ask(target))).toBe(unframedBytes(miss));
  });

  it('are the handler’s own where it has one', async () => {
    expect((await ask('/own')).all('etag')).toEqual(['W/"own"']);
    expect((await ask('/own')).all('etag')).toEqual(['W/"own"']);
    expect((await ask('/own', { 'If-None-Match': '"own"' })).status).toBe(304);
  });

  it.each(['/stream', '/empty', '/missing'])(
    'are not made for what has left already, or is no content: %s',
    async (target) => {
      const miss = await ask(target);
      const hit = await ask(target);
      expect(hit.verdict).toBe('HIT');
      // Express has made one of the error that it sends; it is no more than that.
      expect([miss, hit].map((each) => each.all('etag').filter((tag) => !tag.startsWith('W/')))).toEqual([
        [],
        [],
      ]);
    },
  );

  it('are not made for what is not kept, nor for the answer to a POST', async () => {
    const strong = (tags: string[]) => tags.filter((tag) => tag.startsWith('"'));
    expect(strong((await ask('/unkept')).all('etag'))).toEqual([]);
    const post = await running.request('/search', { method: 'POST', body: { a: 1 } });
    expect([post.verdict, strong([post.headers.etag ?? []].flat())]).toEqual(['MISS', []]);
  });

  it.each([
    ['the tag', () => tagOf(TEXT)],
    ['the tag as a weak one', () => `W/${tagOf(TEXT)}`],
    ['the tag in a list', () => `"a,b", ${tagOf(TEXT)} , W/"c"`],
    ['anything', () => '*'],
  ])(
    'answer 304 to If-None-Match with %s, on the miss as on the hit, and run no handler for it',
    async (what, tag) => {
      const target = `/text?${encodeURIComponent(what)}`;
      const headers = { 'If-None-Match': tag() };
      const miss = await ask(target, headers);
      const hit = await ask(target, headers);
      expect([miss.status, hit.status, miss.payload.length, hit.payload.length]).toEqual([304, 304, 0, 0]);
      expect([miss.verdict, hit.verdict]).toEqual(['MISS', 'HIT']);
      expect(miss.cacheStatus).toBe('nestjs-caching; fwd=uri-miss; fwd-status=200; stored; ttl=60');
      expect(wireBytes(hit)).toBe(wireBytes(miss));
      const whole = await ask(target);
      expect([whole.status, whole.text, whole.verdict]).toEqual([200, TEXT, 'HIT']);
      expect(wireBytes(await ask(target, headers))).toBe(wireBytes(hit));
      // RFC 9110 §15.4.5: what a 200 would have had of these, and nothing about the body.
      for (const name of ['etag', 'cache-control', 'content-location', 'vary'])
        expect(hit.field(name)).toBe(whole.field(name));
      expect(hit.field('date')).toBeDefined();
      const absent = ['content-type', 'content-length', 'content-language', 'last-modified'];
      expect(absent.map((name) => hit.field(name))).toEqual(absent.map(() => undefined));
    },
  );

  it.each(['"other"', 'W/"other", "another"', tagOf(TEXT).slice(0, -1), '', 'abc'])(
    'answer all of it to If-None-Match: %s, whatever If-Modified-Since says',
    async (tag) => {
      const headers = { 'If-None-Match': tag, 'If-Modified-Since': MODIFIED };
      await ask('/text?other');
      const hit = await ask('/text?other', headers);
      expect([hit.status, hit.text, hit.verdict]).toEqual([200, TEXT, 'HIT']);
    },
  );

  it('answer If-Modified-Since by Last-Modified, and else by when it was generated', async () => {
    await ask('/text?since');
    expect((await ask('/text?since', { 'If-Modified-Since': MODIFIED })).status).toBe(304);
    const before = 'Tue, 31 Dec 2019 23:59:59 GMT';
    expect((await ask('/text?since', { 'If-Modified-Since': before })).status).toBe(200);
    expect((await ask('/text?since', { 'If-Modified-Since': 'yesterday' })).status).toBe(200);
    await ask('/dated');
    const { clock } = running;
    const at = (time: number) => ({ 'If-Modified-Since': new Date(time).toUTCString() });
    expect((await ask('/dated', at(clock.now()))).status).toBe(304);
    expect((await ask('/dated', at(clock.now() - 1_000))).status).toBe(200);
  });

  it('answer 304 to nobody whose response is no success', async () => {
    await ask('/missing?b');
    expect((await ask('/missing?b', { 'If-None-Match': '*' })).status).toBe(404);
  });

  it('are answered for the one who waited as for the one who led', async () => {
    gate = new HandlerGate();
    running.events.length = 0;
    const leader = ask('/books?wait');
    await gate.reached;
    const waiter = ask('/books?wait', { 'If-None-Match': tagOf('{"title":"one"}') });
    await until(() => running.events.filter(({ type }) => type === 'miss').length === 2, 'both missed');
    gate.open();
    expect([(await leader).status, (await waiter).status]).toEqual([200, 304]);
    expect(runs).toBe(1);
  });

  it('are weak where compression has made other bytes of the body behind the cache', async () => {
    const get = (headers: Record<string, string>) => wireRequest(pluginned.port, '/coded', { headers });
    const gzip = { 'Accept-Encoding': 'gzip' };
    const [miss, hit] = [await get(gzip), await get(gzip)];
    expect([miss.verdict, hit.verdict]).toEqual(['MISS', 'HIT']);
    expect([miss, hit].map((each) => each.field('content-encoding'))).toEqual(['gzip', 'gzip']);
    const tag = tagOf(TEXT.repeat(200));
    expect([miss, hit].map((each) => each.field('etag'))).toEqual([`W/${tag}`, `W/${tag}`]);
    expect((await get({})).field('etag')).toBe(tag);
    expect((await get({ ...gzip, 'If-None-Match': `W/${tag}` })).status).toBe(304);
    expect((await get({ Range: 'bytes=0-1', 'If-Range': `W/${tag}` })).status).toBe(200);
  });

  it('are left to the application’s own plugin where it has sent one', async () => {
    const first = await wireRequest(pluginned.port, '/books?plugin');
    const second = await wireRequest(pluginned.port, '/books?plugin');
    expect(second.all('etag')).toEqual(first.all('etag'));
    expect(second.all('etag')).toHaveLength(1);
    const headers = { 'If-None-Match': second.field('etag') ?? '' };
    expect((await wireRequest(pluginned.port, '/books?plugin', { headers })).status).toBe(304);
  });
});

describe.each(PLATFORMS)('a stored GET on %s', (platform) => {
  const tagOf = TAG_OF[platform];
  let runs: number;
  let running: RunningApplication;

  beforeAll(async () => {
    @Controller()
    class TextController {
      @Get('text') @CacheView() text(@Res({ passthrough: true }) response: AnyResponse) {
        runs += 1;
        response.header('Content-Type', 'text/plain').header('Last-Modified', MODIFIED).header('X-Own', 'a');
        response.header('Content-Digest', DIGEST).header('Repr-Digest', DIGEST);
        return TEXT;
      }

      @Get('raw') @CacheView() raw(@Res() response: AnyResponse) {
        runs += 1;
        (platform === 'express' ? response : response.raw).end(TEXT);
      }
    }
    running = await startApplication(platform, { controllers: [TextController] });
  });

  beforeEach(() => {
    runs = 0;
  });

  afterAll(() => running.close());

  const ask = (target: string, headers: Record<string, string> = {}, method = 'GET') =>
    wireRequest(running.port, target, { headers, method });

  it.each(['/text?head', '/raw?head'])(
    'answers HEAD with the head of the GET and nothing else: %s',
    async (target) => {
      const before = await ask(target, {}, 'HEAD');
      expect(before.payload).toHaveLength(0);
      // Of what leaves past Fastify nobody can tell anything.
      const told = platform === 'fastify' && target === '/raw?head' ? undefined : 'method';
      expect(before.cacheStatus).toBe(told && 'nestjs-caching; fwd=method; detail=method');
      expect((await ask(target)).verdict).toBe('MISS');
      const get = await ask(target);
      const head = await ask(target, {}, 'HEAD');
      expect([head.status, head.verdict, head.payload.length]).toEqual([200, 'HIT', 0]);
      expect(head.fields).toEqual(get.fields);
      expect(head.field('content-length')).toBe('10');
      expect(runs).toBe(2);
      const conditional = await ask(target, { 'If-None-Match': get.field('etag') ?? '' }, 'HEAD');
      expect([conditional.status, conditional.payload.length]).toEqual([304, 0]);
    },
  );

  it.each([
    ['bytes=0-0', '0', 'bytes 0-0/10'],
    ['bytes=2-4', '234', 'bytes 2-4/10'],
    ['bytes=7-', '789', 'bytes 7-9/10'],
    ['bytes=-3', '789', 'bytes 7-9/10'],
    ['bytes=0-999', TEXT, 'bytes 0-9/10'],
    ['BYTES=5-5', '5', 'bytes 5-5/10'],
  ])('is cut for Range: %s, on the hit and for the fill itself', async (range, text, contentRange) => {
    for (const target of ['/text', '/raw']) {
      const url = `${target}?${range}`;
      for (const verdict of ['MISS', 'HIT']) {
        const part = await ask(url, { Range: range });
        expect([part.verdict, part.status, part.text]).toEqual([verdict, 206, text]);
        expect([part.field('content-range'), part.field('content-length')]).toEqual([
          contentRange,
          String(text.length),
        ]);
        expect(part.complete).toBe(true);
      }
      const whole = await ask(url);
      expect([whole.status, whole.text, whole.verdict]).toEqual([200, TEXT, 'HIT']);
    }
    expect(runs).toBe(2);
  });

  it('has no digest of the whole body on a part of it, but that of what it is a part of', async () => {
    for (const verdict of ['MISS', 'HIT']) {
      const part = await ask('/text?digest', { Range: 'bytes=0-0' });
      expect([part.verdict, part.status]).toEqual([verdict, 206]);
      expect([part.field('content-digest'), part.field('repr-digest')]).toEqual([undefined, DIGEST]);
    }
    expect((await ask('/text?digest')).field('content-digest')).toBe(DIGEST);
  });

  it('has the fields of the whole on a part of it', async () => {
    await ask('/text?fields');
    const part = await ask('/text?fields', { Range: 'bytes=0-0' });
    const whole = await ask('/text?fields');
    for (const name of ['etag', 'last-modified', 'x-own', 'content-type', 'date'])
      expect(part.field(name)).toBe(whole.field(name));
  });

  it.each(['bytes=10-', 'bytes=99-100', 'bytes=-0'])(
    'has no such part: %s gets 416 and its length',
    async (range) => {
      await ask('/text?no');
      const refused = await ask('/text?no', { Range: range });
      expect(refused.field('repr-digest')).toBeUndefined();
      expect([refused.status, refused.text, refused.field('content-range')]).toEqual([416, '', 'bytes */10']);
      expect(refused.field('etag')).toBeUndefined();
    },
  );

  it.each(['bytes=0-1,4-5', 'lines=0-1', 'bytes=3-1', 'bytes=a-b', 'bytes', 'bytes=-'])(
    'is sent whole for Range: %s',
    async (range) => {
      await ask('/text?whole');
      const whole = await ask('/text?whole', { Range: range });
      expect([whole.status, whole.text, whole.verdict]).toEqual([200, TEXT, 'HIT']);
    },
  );

  it('is cut under If-Range only where the client has the rest of the very same', async () => {
    await ask('/text?if');
    const headers = { Range: 'bytes=0-1' };
    const asked = async (validator: string) =>
      (await ask('/text?if', { ...headers, 'If-Range': validator })).status;
    expect(await asked(tagOf(TEXT))).toBe(206);
    expect(await asked(MODIFIED)).toBe(206);
    expect(await asked(`W/${tagOf(TEXT)}`)).toBe(200);
    expect(await asked('"other"')).toBe(200);
    expect(await asked('Thu, 02 Jan 2020 00:00:00 GMT')).toBe(200);
  });
});

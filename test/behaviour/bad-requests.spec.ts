import { Agent, request as httpRequest } from 'node:http';
import { All, Controller, Get, Param, Query } from '@nestjs/common';
import { CacheView, memory, type MemoryStore } from 'nestjs-caching';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { FakeClock } from '../support/fake-clock.js';
import { getLine, sendBytes } from '../support/raw-socket.js';
import { verdictsOf } from '../support/verdicts.js';

describe.each(PLATFORMS)('bad requests on %s', (platform) => {
  let running: RunningApplication;
  let store: MemoryStore;

  beforeEach(async () => {
    store = memory({ maxEntries: 1_000, clock: new FakeClock() });
    @Controller()
    class OpenController {
      @Get('a') @CacheView() a() {
        return { what: 'a' };
      }

      @Get('q') @CacheView() q(@Query() query: unknown) {
        return { query };
      }

      @Get('id/:id') @CacheView() one(@Param('id') id: string) {
        return { id };
      }

      @Get('vary') @CacheView({ vary: ['x-a'] }) varied() {
        return {};
      }

      @Get(platform === 'express' ? 'files/*path' : 'files/*') @CacheView() files(@Param() params: unknown) {
        return { params };
      }

      @All('all') @CacheView() all() {
        return { what: 'all' };
      }
    }
    running = await startApplication(platform, { controllers: [OpenController], caching: { store } });
  });

  afterEach(() => running.close());

  const get = (target: string, ...headers: string[]) =>
    sendBytes(running.port, getLine(target, ['Host: localhost', ...headers]));
  const sameAsFresh = async (targets: readonly string[]) => {
    const [first, again] = [[], []] as [string[], string[]];
    for (const target of targets) first.push((await get(target)).text);
    for (const target of targets) again.push((await get(target)).text);
    expect(again).toEqual(first);
    return first;
  };

  it('an absolute-form target is keyed by its path, and its host changes nothing for others', async () => {
    const reply = await get('http://evil.example/a');
    expect([reply.status, reply.verdict]).toEqual([200, 'MISS']);
    expect((await get('/a')).verdict).toBe('HIT');
    expect((await get('HTTP://user@evil.example:81/a')).status).toBeLessThan(500);
    const odd = [
      'http://evil?x/id/1',
      'http://evil?x/id/2',
      'http://evil',
      'http://evil#/id/1',
      'evil://x/id/3',
    ];
    for (const target of odd) expect((await get(target)).status).toBeLessThan(500);
    expect((await get('/id/1')).text).toBe('{"id":"1"}');
    expect((await get('/id/2')).text).toBe('{"id":"2"}');
  });

  it('a target of two slashes is a path of its own, never a host', async () => {
    await get('/a');
    expect((await get('//evil.example/a')).verdict).not.toBe('HIT');
    expect((await get('//a')).verdict).not.toBe('HIT');
    expect((await get('/a')).verdict).toBe('HIT');
  });

  it('dot segments, encoded ones, slashes and zero bytes are not merged with another path', async () => {
    const names = [
      '%2e%2e',
      '..',
      'a%2Fb',
      'a%2fb',
      'a%00b',
      'a%252Fb',
      'ab',
      'A',
      'a',
      '%61',
      'a%0d%0ab',
      'a;b',
    ];
    const texts = await sameAsFresh(names.map((name) => `/id/${name}`));
    expect(texts[names.indexOf('a%2Fb')]).toBe('{"id":"a/b"}');
    expect(texts[names.indexOf('a%252Fb')]).toBe('{"id":"a%2Fb"}');
    await sameAsFresh([
      '/files/a/../b',
      '/files/b',
      '/files/a/b',
      '/files/a%2Fb',
      '/files/a//b',
      '/files/./b',
    ]);
    expect(await verdictsOf(running, '/id/a/../b')).not.toContain('HIT');
  });

  it('line breaks in a query stay encoded: in no header, event or log', async () => {
    const target = '/q?a=%0d%0aX-Injected:%201&%0d%0a=%0a';
    const replies = [await get(target), await get(target)];
    expect(replies.map(({ verdict }) => verdict)).toEqual(['MISS', 'HIT']);
    for (const reply of replies) {
      expect(reply.headers['x-injected']).toBeUndefined();
      expect(reply.text).toContain(String.raw`"a":"\r\nX-Injected: 1"`);
    }
    expect(JSON.stringify(running.events)).not.toContain('Injected');
    expect(running.logger.warnings).toEqual([]);
  });

  it('delimiters of keys in a query or a header imitate nothing', async () => {
    const targets = [
      '/q?a=1:b',
      '/q?a=1&1:b',
      '/q?a:1=b',
      '/q?3:a=1',
      '/q?a=%26b=1',
      '/q?a&b=1',
      '/q?a=|1',
      '/q?-',
    ];
    const texts = await sameAsFresh(targets);
    expect(new Set(texts).size).toBe(targets.length);
    const values = ['-', '0:', '1:-', '3:0:x', ''];
    const asked = values.map((value) => ({ target: '/vary', headers: { 'x-a': value } }));
    expect(await verdictsOf(running, ...asked, '/vary')).toEqual([...values, 'absent'].map(() => 'MISS'));
  });

  it('names of prototypes pollute nothing and are names like others', async () => {
    const targets = [
      '/q?__proto__=1',
      '/q?__proto__[x]=1',
      '/q?constructor=1',
      '/q?constructor[prototype][x]=1',
      '/q',
    ];
    const verdicts = await verdictsOf(running, ...targets, ...targets);
    expect(verdicts).toEqual([...targets.map(() => 'MISS'), ...targets.map(() => 'HIT')]);
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });

  it('a URL of 15 KB is cached under a key of its own', async () => {
    const long = `/q?a=${'x'.repeat(15_000)}`;
    const [first, other] = [await get(`${long}1`), await get(`${long}2`)];
    expect([first.verdict, other.verdict]).toEqual(['MISS', 'MISS']);
    expect((await get(`${long}1`)).text).toBe(first.text);
    expect((await get(`${long}2`)).verdict).toBe('HIT');
    expect(other.text).not.toBe(first.text);
  });

  it('HTTP/1.0 without Host is answered, from the cache as well', async () => {
    const bytes = 'GET /a HTTP/1.0\r\n\r\n';
    const replies = [await sendBytes(running.port, bytes), await sendBytes(running.port, bytes)];
    expect(replies.map(({ status, verdict }) => [status, verdict])).toEqual([
      [200, 'MISS'],
      [200, 'HIT'],
    ]);
    expect(replies[1]?.text).toBe('{"what":"a"}');
  });

  it('forwarding and overriding headers are not trusted: what others get stays what it was', async () => {
    const lines = [
      'X-Forwarded-Host: evil.example',
      'X-Forwarded-Proto: https',
      'X-Forwarded-For: 6.6.6.6',
      'X-Original-URL: /id/evil',
      'X-Rewrite-URL: /id/evil',
      'X-HTTP-Method-Override: DELETE',
      'Forwarded: host=evil.example',
    ];
    const poisoning = await get('/id/1', ...lines);
    expect([poisoning.verdict, poisoning.text]).toEqual(['MISS', '{"id":"1"}']);
    const next = await get('/id/1');
    expect([next.verdict, next.text]).toEqual(['HIT', '{"id":"1"}']);
    expect((await get('/id/evil')).verdict).toBe('MISS');
  });

  it('a GET with a body bypasses, whether its length is told or not', async () => {
    const bodies = [
      'Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{"a":1}',
      'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n{"a":1}\r\n0\r\n\r\n',
    ];
    await get('/a');
    for (const rest of bodies) {
      const bytes = `GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${rest}`;
      const reply = await sendBytes(running.port, bytes);
      expect(reply.headers['cache-status']).toBe('nestjs-caching; fwd=bypass; detail=get-body');
    }
    expect((await get('/a', 'Content-Length: 0')).verdict).toBe('HIT');
  });

  it('a handler of all methods is cached for GET alone, which answers HEAD as well', async () => {
    const ask = (method: string) => ({ target: '/all', method });
    expect(
      await verdictsOf(running, ask('POST'), '/all', '/all', ask('PUT'), ask('HEAD'), ask('GET')),
    ).toEqual(['BYPASS', 'MISS', 'HIT', 'BYPASS', 'HIT', 'HIT']);
  });

  it('HEAD before GET leaves no empty body behind', async () => {
    expect((await running.request('/a', { method: 'HEAD' })).text).toBe('');
    const reply = await running.request('/a');
    expect([reply.verdict, reply.text]).toEqual(['MISS', '{"what":"a"}']);
    expect((await running.request('/a', { method: 'HEAD' })).text).toBe('');
    expect((await running.request('/a')).text).toBe('{"what":"a"}');
  });

  it(
    '10,000 random queries stay within the bounds, and a hot entry survives them',
    { timeout: 90_000 },
    async () => {
      const { ask, close } = keptAlive(running.port);
      expect(await ask('/a')).toBe('MISS');
      for (let batch = 0; batch < 100; batch++) {
        await Promise.all(Array.from({ length: 100 }, (_, at) => ask(`/q?r${batch}=${at}&x=${batch * at}`)));
        expect(await ask('/a')).toBe('HIT');
      }
      close();
      expect(store.entries).toBe(1_000);
    },
  );

  it(
    'thousands of values of a keyed header push out variants of that URL only',
    { timeout: 90_000 },
    async () => {
      const { ask, close } = keptAlive(running.port);
      expect([await ask('/a'), await ask('/q?kept=1')]).toEqual(['MISS', 'MISS']);
      for (let batch = 0; batch < 200; batch++) {
        await Promise.all(Array.from({ length: 10 }, (_, at) => ask('/vary', `v${batch}-${at}`)));
      }
      expect(store.entries).toBe(2 + 64);
      expect([await ask('/a'), await ask('/q?kept=1')]).toEqual(['HIT', 'HIT']);
      expect([await ask('/vary', 'v199-9'), await ask('/vary', 'v0-0')]).toEqual(['HIT', 'MISS']);
      close();
    },
  );
});

/** Many requests over few connections; each gives its verdict. */
function keptAlive(port: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: 10 });
  const ask = (path: string, value?: string) =>
    new Promise<string>((resolve, reject) => {
      const headers = value === undefined ? {} : { 'x-a': value };
      httpRequest({ host: '127.0.0.1', port, path, agent, headers }, (response) => {
        response.resume().on('end', () => resolve(String(response.headers['x-cache'])));
      })
        .on('error', reject)
        .end();
    });
  return { ask, close: () => agent.destroy() };
}

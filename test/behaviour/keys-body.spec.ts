import { Body, Controller, Get, Headers, HttpCode, Post } from '@nestjs/common';
import { CacheView, custom, formBody, headers, host, jsonBody, path, query } from 'nestjs-caching';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { type Asked, verdictsOf } from '../support/verdicts.js';

describe.each(PLATFORMS)('keys of bodies and headers on %s', (platform) => {
  let running: RunningApplication;

  beforeEach(async () => {
    @Controller('k')
    class KeysController {
      @Post('json') @HttpCode(200) @CacheView({ key: jsonBody() }) json(@Body() body: unknown) {
        return { body };
      }

      @Post('some') @HttpCode(200) @CacheView({ key: jsonBody({ include: ['text'] }) }) some(
        @Body('text') text: string,
      ) {
        return { text };
      }

      @Post('most') @HttpCode(200) @CacheView({ key: jsonBody({ ignore: ['bypass'] }) }) most() {
        return {};
      }

      @Post('short') @HttpCode(200) @CacheView({ key: jsonBody({ maxBytes: 20 }) }) short() {
        return {};
      }

      @Post('form') @HttpCode(200) @CacheView({ key: formBody({ ignore: ['csrf'] }) }) form() {
        return {};
      }

      @Post('both') @HttpCode(200) @CacheView({ key: [query(), jsonBody()], vary: ['x-tenant'] }) both() {
        return {};
      }

      @Get('tenant') @CacheView({ vary: ['X-Tenant'] }) tenant(@Headers('x-tenant') tenant: string) {
        return { tenant };
      }

      @Get('headers') @CacheView({ key: [path(), headers('x-a', 'x-b')] }) headers() {
        return {};
      }

      @Get('host') @CacheView({ key: [query(), host({ allow: ['Shop.Example'] })] }) host() {
        return {};
      }

      @Get('slug/:slug') @CacheView({ key: ({ params }) => params.slug?.split('-').at(-1) }) slug() {
        return {};
      }

      @Get('later')
      @CacheView({ key: [query(), custom(async ({ headers: given }) => given['x-a'] ?? 'none')] })
      later() {
        return {};
      }
    }
    running = await startApplication(platform, { controllers: [KeysController] });
  });

  afterEach(() => running.close());

  const verdicts = (...asked: Asked[]) => verdictsOf(running, ...asked);
  const post = (target: string, body: unknown, headers: Record<string, string> = {}): Asked => ({
    target,
    method: 'POST',
    body,
    headers,
  });
  const get = (target: string, headers: Record<string, string>): Asked => ({ target, headers });
  const bypassOf = async (asked: Exclude<Asked, string>) =>
    (await running.request(asked.target, asked)).cacheStatus;

  it('hold the JSON body: members in any order, arrays in theirs', async () => {
    expect(
      await verdicts(
        post('/k/json', { a: 1, b: [1, 2], c: { d: 1, e: 2 } }),
        post('/k/json', { c: { e: 2, d: 1 }, b: [1, 2], a: 1 }),
        post('/k/json', { a: 1, b: [2, 1], c: { d: 1, e: 2 } }),
      ),
    ).toEqual(['MISS', 'HIT', 'MISS']);
  });

  it('hold the members that are included, or all but the ignored ones', async () => {
    expect(
      await verdicts(
        post('/k/some', { text: 'a', x: 1 }),
        post('/k/some', { x: 2, text: 'a' }),
        post('/k/some', { text: 'b' }),
        post('/k/some', {}),
      ),
    ).toEqual(['MISS', 'HIT', 'MISS', 'MISS']);
    expect(
      await verdicts(
        post('/k/most', { text: 'a', bypass: false }),
        post('/k/most', { text: 'a' }),
        post('/k/most', { text: 'b' }),
      ),
    ).toEqual(['MISS', 'HIT', 'MISS']);
  });

  it('bypass with a body beyond maxBytes, and say so', async () => {
    const long = post('/k/short', { text: 'a text that is too long' }) as Exclude<Asked, string>;
    expect(await bypassOf(long)).toBe('nestjs-caching; fwd=bypass; detail=body');
    expect(await verdicts(post('/k/short', { a: 1 }), post('/k/short', { a: 1 }))).toEqual(['MISS', 'HIT']);
  });

  it('hold the fields of a form, and bypass where a JSON key meets a form or the other way round', async () => {
    const type = { 'content-type': 'application/x-www-form-urlencoded' };
    expect(
      await verdicts(
        post('/k/form', 'a=1&b=2&csrf=x', type),
        post('/k/form', 'b=2&a=1&csrf=y', type),
        post('/k/form', 'a=1&b=3', type),
        post('/k/form', { a: '1', b: '2' }),
        post('/k/json', 'a=1', type),
      ),
    ).toEqual(['MISS', 'HIT', 'MISS', 'BYPASS', 'BYPASS']);
  });

  it('are composed of several strategies, each of which counts', async () => {
    const ask = (target: string, body: unknown, tenant: string) =>
      post(target, body, { 'x-tenant': tenant, 'content-type': 'application/json' });
    expect(
      await verdicts(
        ask('/k/both?a=1', { b: 1 }, 't'),
        ask('/k/both?a=2', { b: 1 }, 't'),
        ask('/k/both?a=1', { b: 2 }, 't'),
        ask('/k/both?a=1', { b: 1 }, 'u'),
        ask('/k/both?a=1', { b: 1 }, 't'),
      ),
    ).toEqual(['MISS', 'MISS', 'MISS', 'MISS', 'HIT']);
  });

  it('hold header values, absent differing from empty, beside the default key with vary', async () => {
    expect(
      await verdicts(
        '/k/tenant',
        get('/k/tenant', { 'x-tenant': '' }),
        get('/k/tenant', { 'x-tenant': 'a' }),
        get('/k/tenant', { 'X-TENANT': 'a' }),
        get('/k/tenant', { 'x-tenant': 'A' }),
        get('/k/tenant?page=2', { 'x-tenant': 'a' }),
      ),
    ).toEqual(['MISS', 'MISS', 'MISS', 'HIT', 'MISS', 'MISS']);
  });

  it('never take the value of one header for that of another', async () => {
    expect(
      await verdicts(
        get('/k/headers', { 'x-a': '1' }),
        get('/k/headers', { 'x-b': '1' }),
        get('/k/headers', { 'x-a': '-1:1', 'x-b': '' }),
        get('/k/headers', { 'x-a': '', 'x-b': '-1:1' }),
        get('/k/headers', { 'x-a': '1-' }),
      ),
    ).toEqual(['MISS', 'MISS', 'MISS', 'MISS', 'MISS']);
  });

  it('hold the host where it is on the list, and bypass where it is not', async () => {
    expect(
      await verdicts(
        get('/k/host', { host: 'shop.example' }),
        get('/k/host', { host: 'SHOP.example' }),
        get('/k/host', { host: 'evil.example' }),
        get('/k/host', { host: 'shop.example:81' }),
      ),
    ).toEqual(['MISS', 'HIT', 'BYPASS', 'BYPASS']);
    expect((await running.request('/k/host')).cacheStatus).toBe('nestjs-caching; fwd=bypass; detail=host');
  });

  it('hold what a function says, at once or later, and still the path', async () => {
    expect(await verdicts('/k/slug/red-shoe-1', '/k/slug/red-shoe-1?x=1', '/k/slug/blue-shoe-1')).toEqual([
      'MISS',
      'HIT',
      'MISS',
    ]);
    expect(
      await verdicts('/k/later', get('/k/later', { 'x-a': '1' }), get('/k/later', { 'x-a': 'none' })),
    ).toEqual(['MISS', 'MISS', 'HIT']);
  });
});

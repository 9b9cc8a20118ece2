import { Body, Controller, Get, HttpCode, Post } from '@nestjs/common';
import {
  CacheEvictionService,
  CacheUsageError,
  CacheView,
  custom,
  formBody,
  jsonBody,
  NoCache,
  query,
} from 'nestjs-caching';
import type { RequestDescription, RequestView } from 'nestjs-caching';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORMS, type RunningApplication, startApplication } from '../support/application.js';
import { type Asked, verdictsOf } from '../support/verdicts.js';

@Controller('for')
class ForController {
  @Get() @CacheView({ version: '2' }) list() {
    return {};
  }

  @Get('items/:id') @CacheView() item() {
    return {};
  }

  @Post('json') @HttpCode(200) @CacheView({ key: [query(), jsonBody()] }) json(@Body() _body: unknown) {
    return {};
  }

  @Post('form') @HttpCode(200) @CacheView({ key: formBody() }) form(@Body() _body: unknown) {
    return {};
  }

  @Get('vary') @CacheView({ vary: ['x-tenant', 'accept-language'] }) varied() {
    return {};
  }

  @Get('me') @CacheView({ scope: async ({ headers }) => headers['x-id'] as string | undefined }) me() {
    return {};
  }

  @Get('custom/:id')
  @CacheView({
    key: custom(
      async ({ params, query: given }: RequestView<{ query: { a?: string } }>) => `${params.id}${given.a}`,
    ),
  })
  custom() {
    return {};
  }

  @Get('now') @NoCache() now() {
    return {};
  }
}

interface Case {
  readonly method: string;
  readonly described: RequestDescription;
  readonly asked: Exclude<Asked, string>;
  readonly other: Exclude<Asked, string>;
}

const form = { 'content-type': 'application/x-www-form-urlencoded' };
const CASES: Record<string, Case> = {
  'the query': {
    method: 'list',
    described: { url: '/for?b=2&a=1' },
    asked: { target: '/for?a=1&b=2' },
    other: { target: '/for?a=1&b=3' },
  },
  'a path parameter': {
    method: 'item',
    described: { url: '/for/items/a%20b' },
    asked: { target: '/for/items/a%20b' },
    other: { target: '/for/items/a' },
  },
  'a JSON body': {
    method: 'json',
    described: { url: '/for/json?x=1', body: { b: 2, a: 1 } },
    asked: { target: '/for/json?x=1', method: 'POST', body: { a: 1, b: 2 } },
    other: { target: '/for/json?x=1', method: 'POST', body: { a: 1 } },
  },
  'a form': {
    method: 'form',
    described: { url: '/for/form', body: { a: '1' }, headers: form },
    asked: { target: '/for/form', method: 'POST', body: 'a=1', headers: form },
    other: { target: '/for/form', method: 'POST', body: 'a=2', headers: form },
  },
  headers: {
    method: 'varied',
    described: { url: '/for/vary', headers: { 'X-Tenant': 'a' } },
    asked: { target: '/for/vary', headers: { 'x-tenant': 'a' } },
    other: { target: '/for/vary', headers: { 'x-tenant': 'a', 'accept-language': '' } },
  },
  'a scope': {
    method: 'me',
    described: { url: '/for/me', headers: { 'x-id': 'ann' } },
    asked: { target: '/for/me', headers: { 'x-id': 'ann' } },
    other: { target: '/for/me' },
  },
  'a function': {
    method: 'custom',
    described: { url: '/for/custom/1?a=2', params: { id: '1' } },
    asked: { target: '/for/custom/1?a=2' },
    other: { target: '/for/custom/1?a=3' },
  },
};

describe.each(PLATFORMS)('keyFor on %s', (platform) => {
  let running: RunningApplication;
  let evictions: CacheEvictionService;

  beforeEach(async () => {
    running = await startApplication(platform, {
      controllers: [ForController],
      caching: { version: 'module' },
    });
    evictions = running.app.get(CacheEvictionService);
  });

  afterEach(() => running.close());

  it.each(Object.entries(CASES))(
    'is the key that a request has with %s, and no other',
    async (_what, given) => {
      const { method, described, asked, other } = given;
      expect(await verdictsOf(running, asked, other, asked, other)).toEqual(['MISS', 'MISS', 'HIT', 'HIT']);
      const key = await evictions.keyFor(ForController, method, described);
      await evictions.byKey(key);
      expect(await verdictsOf(running, other, asked)).toEqual(['HIT', 'MISS']);
    },
  );

  it('refuses what has no key, naming it', async () => {
    const describedTo = (method: string, request: RequestDescription) =>
      evictions.keyFor(ForController, method, request);
    await expect(describedTo('now', { url: '/for/now' })).rejects.toThrow('ForController.now is not cached');
    await expect(describedTo('nothing', { url: '/' })).rejects.toThrow(
      'ForController.nothing is not a handler',
    );
    await expect(describedTo('form', { url: '/for/form', body: {} })).rejects.toThrow('has no key (body)');
    await expect(describedTo('json', { url: '/for/json' })).rejects.toBeInstanceOf(CacheUsageError);
    class Stranger {}
    await expect(evictions.keyFor(Stranger, 'list', { url: '/' })).rejects.toThrow('Stranger.list');
  });
});

describe.each(PLATFORMS)('a version on %s', (platform) => {
  it('of the module or of the route makes another key', async () => {
    const keys = new Set<string>();
    for (const [module, route] of [
      ['', ''],
      ['1', ''],
      ['', '1'],
      ['1', '1'],
      ['11', ''],
      ['1:1', ''],
    ] as const) {
      @Controller()
      class VersionedController {
        @Get() @CacheView(route === '' ? {} : { version: route }) list() {
          return {};
        }
      }
      const running = await startApplication(platform, {
        controllers: [VersionedController],
        caching: module === '' ? {} : { version: module },
      });
      keys.add(await running.app.get(CacheEvictionService).keyFor(VersionedController, 'list', { url: '/' }));
      await running.close();
    }
    expect(keys.size).toBe(6);
  });

  it('of a method wins over that of its controller', async () => {
    const keys: string[] = [];
    for (const [ofClass, ofMethod] of [
      ['1', '2'],
      ['3', '2'],
      ['2', undefined],
    ] as const) {
      @Controller()
      @CacheView({ version: ofClass })
      class VersionedController {
        @Get() @CacheView(ofMethod === undefined ? {} : { version: ofMethod }) list() {
          return {};
        }
      }
      const running = await startApplication(platform, { controllers: [VersionedController] });
      keys.push(
        await running.app.get(CacheEvictionService).keyFor(VersionedController, 'list', { url: '/' }),
      );
      await running.close();
    }
    expect(new Set(keys).size).toBe(1);
  });
});

import { Controller, Get, HttpCode, Post } from '@nestjs/common';
import {
  CacheEvictionService,
  CacheView,
  custom,
  formBody,
  headers,
  host,
  jsonBody,
  path,
  query,
} from 'nestjs-caching';
import type { RequestDescription, RequestView } from 'nestjs-caching';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { policyFingerprint } from '../../libs/caching/src/http/policy-fingerprint.js';
import { type RunningApplication, startApplication } from '../support/application.js';

/** Their texts are the compiler's: what they add to a key is worked out, not written down. */
const userId = ({ user }: RequestView<{ user?: { id: string } }>) => user?.id;
const text = () => 'text';
const RULES = {
  me: policyFingerprint({ scope: userId }),
  all: policyFingerprint({ key: [text] }),
};

@Controller('books')
class BooksController {
  @Get() @CacheView() list() {
    return {};
  }

  @Get(':id') @CacheView({ key: path(), version: '2' }) one() {
    return {};
  }

  @Post('search') @HttpCode(200) @CacheView({ key: [query({ ignore: ['x'] }), jsonBody()] }) search() {
    return {};
  }

  @Post('form') @CacheView({ key: formBody() }) form() {
    return {};
  }

  @Get('varied') @CacheView({ vary: ['X-Tenant', 'accept-language'] }) varied() {
    return {};
  }

  @Get('me') @CacheView({ scope: userId }) me() {
    return {};
  }

  @Get('all')
  @CacheView({ key: [custom(() => 7), text, host({ allow: ['a.example'] }), headers('x-a')] })
  all() {
    return {};
  }
}

/**
 * The bytes of keys. They live in stores that outlast a deployment: a change here empties every cache at once, and
 * is a release note.
 */
const KEYS: [what: string, method: string, request: RequestDescription, key: string][] = [
  ['a path', 'list', { url: '/books' }, 'shop:view:6:2:v10:3:GET20:BooksController.list6:public6:/books0:'],
  [
    'a query',
    'list',
    { url: '/books?b=2&a=1&a=0&c' },
    'shop:view:6:2:v10:3:GET20:BooksController.list6:public6:/books13:a=1&a=0&b=2&c',
  ],
  [
    'a long query',
    'list',
    { url: `/books?q=${'x'.repeat(600)}` },
    'shop:view:#xHcYBE0NWyuDJchFHfzzGhBxnjgfv33EQn-4PfKrpaE',
  ],
  [
    'a path alone, with a version',
    'one',
    { url: '/books/a%20b?ignored=1' },
    'shop:view:7:2:v11:23:GET19:BooksController.one6:public12:/books/a%20b0:',
  ],
  [
    'a JSON body',
    'search',
    { url: '/books/search?x=1&y=2', body: { b: [1, '1', true, null], a: { d: -0, c: '"' } } },
    String.raw`shop:view:6:2:v10:4:POST22:BooksController.search6:public13:/books/search3:y=245:{"a":{"c":"\"","d":-0},"b":[1,"1",true,null]}`,
  ],
  [
    'a form',
    'form',
    {
      url: '/books/form',
      body: { a: '1' },
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    },
    'shop:view:6:2:v10:4:POST20:BooksController.form6:public11:/books/form9:{"a":"1"}',
  ],
  [
    'headers',
    'varied',
    { url: '/books/varied', headers: { 'X-Tenant': 'acme' } },
    'shop:view:6:2:v10:3:GET22:BooksController.varied6:public13:/books/varied0:7:-4:acme',
  ],
  [
    'a principal',
    'me',
    { url: '/books/me', user: { id: 'ann' } },
    `shop:view:6:2:v10:11:${RULES.me}3:GET18:BooksController.me6:scoped9:/books/me0:4:sann`,
  ],
  [
    'nobody',
    'me',
    { url: '/books/me' },
    `shop:view:6:2:v10:11:${RULES.me}3:GET18:BooksController.me6:scoped9:/books/me0:-`,
  ],
  [
    'functions, a host and an empty header',
    'all',
    { url: '/books/all', headers: { host: 'A.example', 'x-a': '' } },
    `shop:view:6:2:v10:11:${RULES.all}3:GET19:BooksController.all6:public10:/books/all2:v75:stext9:a.example2:0:`,
  ],
];

describe('the bytes of keys', () => {
  let running: RunningApplication;

  beforeAll(async () => {
    running = await startApplication('fastify', {
      controllers: [BooksController],
      caching: { namespace: 'shop', version: 'v1' },
    });
  });

  afterAll(() => running.close());

  it.each(KEYS)('with %s stay as they are', async (_what, method, request, key) => {
    expect(await running.app.get(CacheEvictionService).keyFor(BooksController, method, request)).toBe(key);
  });
});
